"""The state that stitch keeps for one subject.

Messages of three kinds reach a subject, each on its own topic: its interactions, changes of its root, and parts of
other subjects. The state holds the next offset of each topic, so that a message that is read again is recognised.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import mypyc_attr

from streams.alerts.watch import Watch
from streams.stitch.content import Content
from streams.stitch.group import Group
from streams.stitch.summary import Summary

HERE: Final = 0
EVICTED: Final = 1
RECALLED: Final = 2
"""Where a subject's events are: HERE in its state; EVICTED, in ClickHouse alone (streams.stitch.eviction); RECALLED, on
their way back."""

AWAY: Final = b""
"""Takes the place of a part's summary that was evicted."""
GONE: Final = b""
"""Takes the place of times of membership where there are none."""
NOTHING: Final = 0
TAKEN_BACK: Final = 1
"""Of next actions: NOTHING is published; TAKEN_BACK: not any more, which a crash may have lost."""


@mypyc_attr(acyclic=True)
class Part(Content):
    """Another subject's summary, kept by its root."""

    def __init__(self, version: int, summary: bytes | None) -> None:
        """summary: the encoded Summary, or AWAY. None: the part was dropped; its version stays, to refuse an older
        one."""
        self.version = version
        self.summary = summary

    def fields(self) -> tuple[int, bytes | None]:
        return self.version, self.summary


@mypyc_attr(acyclic=True)
class Subject(Content):
    """A subject's state. `..._applied` are next offsets: one more than the last applied."""

    def __init__(
        self,
        interactions_applied: int = 0,
        identities_applied: int = 0,
        parts_applied: int = 0,
        own: Summary | None = None,
        seen: bytes = b"",
        root: str | None = None,
        root_version: int = 0,
        parts: dict[str, Part] | None = None,
        former: list[str] | None = None,
        published: bool = False,
        published_keys: list[str] | None = None,
        watch: Watch | None = None,
        presence: int = HERE,
        applied_at: int = -1,
        recall_from: int = 0,
        version_base: int = 0,
        told: dict[str, bytes] | None = None,
        group: Group | None = None,
        posted: dict[str, int] | None = None,
        actions: int | None = NOTHING,
    ) -> None:
        """A state.

        Args:
            own: the summary of its events.
            seen: the eight-byte hashes of all event ids applied, one after the other; deduplication searches them.
            root: the root's subject; None: this subject is its own root.
            former: roots that may still hold this subject's part. Each was sent a drop, which a crash may have lost
                (see `fold`).
            published: whether this subject has published as a customer, and may not have withdrawn since.
            published_keys: keys of published records that do not follow from `own` alone, and may not be withdrawn yet.
            watch: what a root remembers to detect changes: alerts and moves. None: nothing.
            presence: HERE, EVICTED or RECALLED. Unless it is HERE, `own` and `seen` are incomplete, and the subject
                publishes nothing.
            applied_at: end of the state's changelog when the last message was applied.
            recall_from: `interactions_applied` at the last eviction. An answer with a smaller offset belongs to a
                recall from before that eviction.
            version_base: added to the version. Keeps versions growing when the topics are made anew and offsets begin
                at 0 again (streams.repartition).
            told: group -> times of membership that this root has told it last; GONE: that it is no member, which a
                crash may have lost.
            group: of the subject of a group, its members and events.
            posted: what it has said of its customer beside the tables: `segment:NAME` -> 1 while it is a member, 0
                once it has left, until that is known to be published (streams.stitch.claims).
            actions: what it has said that may be done for its customer (streams.stitch.todo): a hash of it, NOTHING or
                TAKEN_BACK. None: the state was written by a version that publishes no next actions, and drops this
                field; what is published is then unknown, or nothing.
        """
        self.interactions_applied = interactions_applied
        self.identities_applied = identities_applied
        self.parts_applied = parts_applied
        self.own: Summary = Summary() if own is None else own
        self.seen = seen
        self.root = root
        self.root_version = root_version
        self.parts: dict[str, Part] = {} if parts is None else parts
        self.former: list[str] = [] if former is None else former
        self.published = published
        self.published_keys: list[str] = [] if published_keys is None else published_keys
        self.watch = watch
        self.presence = presence
        self.applied_at = applied_at
        self.recall_from = recall_from
        self.version_base = version_base
        self.told: dict[str, bytes] = {} if told is None else told
        self.group = group
        self.posted: dict[str, int] = {} if posted is None else posted
        self.actions = actions

    def fields(self) -> tuple[object, ...]:
        return (
            self.interactions_applied,
            self.identities_applied,
            self.parts_applied,
            self.own.fields(),
            self.seen,
            self.root,
            self.root_version,
            {sender: part.fields() for sender, part in self.parts.items()},
            self.former,
            self.published,
            self.published_keys,
            self.watch,
            self.presence,
            self.applied_at,
            self.recall_from,
            self.version_base,
            self.told,
            None if self.group is None else self.group.fields(),
            self.posted,
            self.actions,
        )

    @property
    def whole(self) -> bool:
        """Whether the state holds everything that the subject's publications follow from."""
        return self.presence == HERE and all(part.summary != AWAY for part in self.parts.values())

    @property
    def version(self) -> int:
        """The version of everything that this subject publishes. Grows with every message applied."""
        return self.version_base + self.interactions_applied + self.identities_applied + self.parts_applied

    @property
    def is_root(self) -> bool:
        """Whether this subject is a customer: it is its own root, and has events or parts."""
        return self.root is None and (
            self.own.interactions > 0 or any(part.summary is not None for part in self.parts.values())
        )

    def owes(self, published: range | None) -> bool:
        """Whether withdrawals or observations of the last turn may be unpublished; only the state remembers these.

        published: range of changelog offsets; a turn applied at one of them was published. None: every turn was.
        """
        if published is None or self.applied_at in published:
            return False
        no_root = self.published and not self.is_root
        taken_back = self.former or self.published_keys or self.posted or self.actions or no_root
        return bool(taken_back) or GONE in self.told.values() or self.watch is not None
