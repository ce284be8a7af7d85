"""The identity graph as a state table: the changelog holds the links, and the state is the graph itself.

A link's key is `LENGTH:SUBJECTIDENTIFIER`, LENGTH being that of the subject in characters; its value is the earliest
time in epoch milliseconds, eight bytes, big-endian. One more key holds the offset announced (see
`streams.identity.resolver`).
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Awaitable, Callable, Iterable, Set
from typing import Any

from streams.identity.graph import Link
from streams.identity.resolver import Resolver
from streams.kafka.changelog_table import BatchTable
from streams.model.identifiers import BUILT_IN, Kinds

LINKS_PARTITION = 0
"""The only partition of the topic of links."""

_ANNOUNCED = b"announced"
_LONG = struct.Struct(">q")
_LOADED_AT_ONCE = 4_000

log = logging.getLogger(__name__)


def link_key(subject: str, identifier: str) -> bytes:
    """The key under which a link is recorded."""
    return f"{len(subject)}:{subject}{identifier}".encode()


def link_of(key: bytes) -> tuple[str, str]:
    """(subject, identifier) of a key."""
    length, _, both = key.decode().partition(":")
    return both[: int(length)], both[int(length) :]


class GraphState(dict[bytes, bytes]):
    """A resolver that takes the place of the dict in which a table keeps its state.

    It keeps no keys and values: the graph takes a fifth of their memory, and can give the value of any key.
    """

    def __init__(self, kinds: Kinds = BUILT_IN) -> None:
        super().__init__()
        self._resolver = Resolver(kinds)
        self._read: list[Link] = []

    @property
    def resolver(self) -> Resolver:
        """The resolver, with all that was read from the changelog."""
        self._load()
        return self._resolver

    def _load(self) -> None:
        if self._read:
            self._resolver.restore(self._read)
            self._read = []

    def __setitem__(self, key: bytes, value: bytes) -> None:
        try:
            number = int(_LONG.unpack(value)[0])
            link = _ANNOUNCED if key == _ANNOUNCED else link_of(key)
        except (struct.error, ValueError):
            log.warning("a record in the changelog of links is not a link, and is skipped")
            return
        if isinstance(link, bytes):
            self._resolver.announced = number
            return
        self._read.append((*link, number))
        if len(self._read) >= _LOADED_AT_ONCE:
            self._load()

    def get(self, key: bytes, default: Any = None) -> Any:
        """The value of a key, as it would be written now."""
        if key == _ANNOUNCED:
            return _LONG.pack(self._resolver.announced)
        try:
            link = link_of(key)
        except ValueError:  # no link, as in __setitem__
            return default
        time = self.resolver.graph.time(*link)
        return default if time is None else _LONG.pack(time)

    def pop(self, key: bytes, default: Any = None) -> Any:
        """Forget a link."""
        value = self.get(key, default)
        if key != _ANNOUNCED and value is not default:
            self.resolver.graph.remove([link_of(key)])
        return value

    def __len__(self) -> int:
        return self.resolver.graph.link_count


class _Remaining(GraphState):
    """A graph of the links that name none of some identifiers; the keys of the others are kept apart."""

    def __init__(self, kinds: Kinds, erased: Set[str]) -> None:
        super().__init__(kinds)
        self.erased = erased
        self.gone: set[bytes] = set()

    def __setitem__(self, key: bytes, value: bytes) -> None:
        if key != _ANNOUNCED and not self.erased.isdisjoint(link_of(key)):
            self.gone.add(key)
        else:
            super().__setitem__(key, value)

    def pop(self, key: bytes, default: Any = None) -> Any:
        """Forget a link."""
        if key in self.gone:
            self.gone.discard(key)
            return default
        return super().pop(key, default)


class LinkTable(BatchTable):
    """The graph, recovered whenever the partition of links is assigned."""

    def __init__(self, app: Any, kinds: Kinds = BUILT_IN) -> None:
        self._kinds = kinds
        super().__init__(app, "links", partitions=1, make=lambda: GraphState(kinds))

    def resolver(self) -> Resolver:
        """The graph's resolver; raises OwnershipLost when this worker does not hold the partition."""
        state = self.state(LINKS_PARTITION)
        assert isinstance(state, GraphState)
        return state.resolver

    def announce(self, offset: int) -> None:
        """Note that identities from links before `offset` are about to be published; durable after flush()."""
        self.put(LINKS_PARTITION, _ANNOUNCED, _LONG.pack(max(offset, self.resolver().announced)))

    def record(self, links: Iterable[Link]) -> None:
        """Note links that the graph has taken; durable after flush()."""
        self.note(LINKS_PARTITION, {link_key(subject, identifier): _LONG.pack(at) for subject, identifier, at in links})

    async def erase(self, identifiers: Set[str]) -> tuple[Resolver, Callable[[], Awaitable[None]]]:
        """Read the changelog again, without the links that name any of the identifiers.

        The graph does not keep the links of shared identifiers, so it cannot say which there are, nor who is no longer
        shared once they are gone; the changelog can. Returns the resolver of what remains, and a coroutine function to
        call once everything that follows from it is published: it makes the resolver the table's own, and deletes the
        links from the changelog. Nothing may be waiting for flush(). Raises OwnershipLost, RecoveryError, KafkaError.
        """
        state = self.state(LINKS_PARTITION)
        remaining = _Remaining(self._kinds, identifiers)
        await self.read_into(LINKS_PARTITION, remaining)

        async def settle() -> None:
            self.replace(LINKS_PARTITION, state, remaining)
            self.note(LINKS_PARTITION, dict.fromkeys(remaining.gone))
            await self.flush()

        return remaining.resolver, settle
