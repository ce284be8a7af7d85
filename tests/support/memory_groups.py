"""Consumer groups of the broker in memory: who is a member, who leads, which offsets are committed.

The state machine of Kafka's group coordinator, without a first delay: a group is whole as soon as every member that it
knows has asked to join. A member that does not ask again within the rebalance timeout, or is silent for longer than its
session, is no member any more.
"""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field

from aiokafka.errors import (
    IllegalGenerationError,
    InconsistentGroupProtocolError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)

Protocols = list[tuple[str, bytes]]
Joined = tuple[int, int, str, str, str, list[tuple[str, bytes]]]
"""Error, generation, protocol, leader's id, member's id; for the leader what each member said."""

NO_MEMBER = ""

_numbers = itertools.count(1)


@dataclass
class Member:
    """One consumer of a group; timeouts in seconds."""

    id: str
    protocols: Protocols
    session: float
    rebalance: float
    joining: asyncio.Future[Joined] | None = None
    syncing: asyncio.Future[tuple[int, bytes]] | None = None
    expiry: asyncio.TimerHandle | None = None

    def said(self, protocol: str) -> bytes:
        """What the member wants its leader to know, in a protocol that it speaks."""
        return dict(self.protocols)[protocol]


@dataclass
class Group:
    """A consumer group. `offsets`: (topic, partition) -> (offset, metadata)."""

    generation: int = 0
    protocol: str = ""
    members: dict[str, Member] = field(default_factory=dict)
    assignment: dict[str, bytes] | None = None
    """What the leader has decided for this generation; None until it has."""
    offsets: dict[tuple[str, int], tuple[int, str]] = field(default_factory=dict)
    rebalancing: bool = False
    _patience: asyncio.TimerHandle | None = None

    @property
    def leader(self) -> str:
        """The member that has been one for longest."""
        return next(iter(self.members), NO_MEMBER)

    async def join(self, member_id: str, protocols: Protocols, session: float, rebalance: float) -> Joined:
        """The next generation, once it is complete."""
        if member_id and member_id not in self.members:
            return self._refused(UnknownMemberIdError.errno, member_id)
        others = [member for member in self.members.values() if member.id != member_id]
        if others and not self._common([*others, Member("", protocols, session, rebalance)]):
            return self._refused(InconsistentGroupProtocolError.errno, member_id)
        member = self.members.setdefault(
            member_id or f"member-{next(_numbers)}", Member(member_id, protocols, session, rebalance)
        )
        member.id = next(id_ for id_, one in self.members.items() if one is member)
        member.protocols, member.session, member.rebalance = protocols, session, rebalance
        if member.joining is not None and not member.joining.done():
            member.joining.set_result(self._refused(UnknownMemberIdError.errno, member.id))  # it has asked once more
        member.joining = joined = asyncio.get_running_loop().create_future()
        if member.expiry is not None:
            member.expiry.cancel()  # who waits for others is not silent
        self._rebalance()
        return await joined

    async def sync(self, member_id: str, generation: int, assignments: list[tuple[str, bytes]]) -> tuple[int, bytes]:
        """A member's partitions, as the leader assigned them: error, and the assignment as the leader wrote it."""
        if error := self._stranger(member_id, generation) or self._unstable():
            return error, b""
        member = self.members[member_id]
        self._heard(member)
        if member_id == self.leader:
            self.assignment = dict(assignments)
            for one in self.members.values():
                if one.syncing is not None and not one.syncing.done():
                    one.syncing.set_result((0, self.assignment.get(one.id, b"")))
        if self.assignment is not None:
            return 0, self.assignment.get(member_id, b"")
        member.syncing = synced = asyncio.get_running_loop().create_future()
        return await synced

    def heartbeat(self, member_id: str, generation: int) -> int:
        """An error code; 0: all is as it was."""
        if error := self._stranger(member_id, generation):
            return error
        self._heard(self.members[member_id])
        return self._unstable()

    def leave(self, member_id: str) -> int:
        """An error code. The others share the partitions anew."""
        if member_id not in self.members:
            return int(UnknownMemberIdError.errno)
        self._drop(self.members[member_id])
        self._rebalance()
        return 0

    def may_commit(self, member_id: str, generation: int) -> int:
        """An error code for who wants to commit: a member of this generation, or anybody where there is no member."""
        if generation < 0 and not self.members:
            return 0
        if error := self._stranger(member_id, generation):
            return error
        self._heard(self.members[member_id])
        return 0

    # -- inside -----------------------------------------------------------------------------------------------

    def _rebalance(self) -> None:
        """Ask all members to join, and go on once they have."""
        loop = asyncio.get_running_loop()
        self.rebalancing = True
        for member in self.members.values():
            if member.syncing is not None and not member.syncing.done():
                member.syncing.set_result((RebalanceInProgressError.errno, b""))
        if self._patience is not None:
            self._patience.cancel()
        wait = max((member.rebalance for member in self.members.values()), default=0.0)
        self._patience = loop.call_later(wait, self._without_the_late)
        if all(member.joining is not None for member in self.members.values()):
            self._complete()

    def _without_the_late(self) -> None:
        for member in [member for member in self.members.values() if member.joining is None]:
            self._drop(member)
        self._complete()

    def _complete(self) -> None:
        """Begin a generation of those who have asked to join."""
        if self._patience is not None:
            self._patience.cancel()
        self.rebalancing, self.assignment = False, None
        self.generation += 1
        members = list(self.members.values())
        self.protocol = self._common(members)
        everybody = [(member.id, member.said(self.protocol)) for member in members]
        for member in members:
            told = everybody if member.id == self.leader else []
            joined = (0, self.generation, self.protocol, self.leader, member.id, told)
            if member.joining is not None and not member.joining.done():
                member.joining.set_result(joined)
            member.joining = None
            self._heard(member)

    def _common(self, members: list[Member]) -> str:
        """The first protocol that all members speak; "": there is none."""
        spoken = [{name for name, _ in member.protocols} for member in members]
        names = [name for name, _ in members[0].protocols] if members else []
        return next((name for name in names if all(name in one for one in spoken)), "")

    def _heard(self, member: Member) -> None:
        if member.expiry is not None:
            member.expiry.cancel()
        member.expiry = asyncio.get_running_loop().call_later(member.session, self._expired, member)

    def _expired(self, member: Member) -> None:
        if self.members.get(member.id) is member and member.joining is None:
            self._drop(member)
            self._rebalance()

    def _drop(self, member: Member) -> None:
        del self.members[member.id]
        if member.expiry is not None:
            member.expiry.cancel()
        for waiting in (member.joining, member.syncing):
            if waiting is not None and not waiting.done():
                waiting.cancel()

    def _stranger(self, member_id: str, generation: int) -> int:
        if member_id not in self.members:
            return int(UnknownMemberIdError.errno)
        return 0 if generation == self.generation else int(IllegalGenerationError.errno)

    def _unstable(self) -> int:
        return int(RebalanceInProgressError.errno) if self.rebalancing else 0

    def _refused(self, error: int, member_id: str) -> Joined:
        return error, -1, "", "", member_id, []
