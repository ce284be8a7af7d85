"""The first half of a repartitioning: all topics, and the state, into temporary topics of the new number of partitions.

The existing topics are not changed. In each new partition come first the records that stitch's group has committed,
then those that it has applied to their subject without committing them, then the rest. So every state can be given
offsets (`shift`), and every group a commit, that mean what they meant before. Stitch does not read again what it had
committed. Another group may read a committed record again, if one that it had not committed comes before it; all
workers take a record twice without harm.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from schemas.decode import BatchDecoder
from schemas.encode import BatchEncoder
from schemas.registry import Registry
from streams.errors import RihlaError
from streams.kafka.batch_producer import RECALLED, last_recalled
from streams.kafka.changelog import FENCING_EPOCH
from streams.kafka.layout import changelog
from streams.kafka.partitioner import partitions_of
from streams.model.control import ERASE, NOTHING_STORED, part_kind
from streams.repartition.groups import Commits
from streams.repartition.reading import Reader, Record
from streams.repartition.shift import INPUTS, Applied, applied_of, moved
from streams.repartition.writing import Row, Writer
from streams.settings import Settings
from streams.topology import COMPACTED, PLACED_BY_KEY

FILLER = b"\0repartitioned"
"""Key of a record that stands for the deleted records of old partitions: the new partitions begin behind it."""
FIRST_FENCING_EPOCH = FENCING_EPOCH.pack(0)
"""The fencing epoch of the states in a new changelog: below that of every owner to come."""
STATES_AT_ONCE = 2_000

Limits = Mapping[int, tuple[int, int]]
"""By partition: offset of the first record, and after the last."""
Say = Callable[[str], None]


class Copied(NamedTuple):
    """What the copies hold. Everything is by full name of the topic."""

    counts: dict[str, dict[int, int]]
    """By partition: records in the temporary topic."""
    commits: Commits
    """The offsets that groups are to commit in the new topics."""
    cut: list[str]
    """Topics whose first record of each partition is a filler, to be deleted at the end."""


class _State(NamedTuple):
    """A subject of which more was applied than is committed."""

    partition: int
    applied: Applied


class Copier:
    """Copies from topics of `partitions` (full name: number) into those that `temporary` names, of `to` partitions."""

    def __init__(
        self,
        reader: Reader,
        producer: Any,
        registry: Registry,
        settings: Settings,
        partitions: Mapping[str, int],
        to: int,
        temporary: Callable[[str], str],
        say: Say,
    ) -> None:
        self._reader, self._producer, self._registry, self._settings = reader, producer, registry, settings
        self._partitions, self._to, self._temporary, self._say = partitions, to, temporary, say
        self._states = changelog(settings)
        self._stitch = settings.group("stitch")
        self._ahead: dict[bytes, _State] = {}
        self._further: dict[str, dict[bytes, int]] = {name: {} for name in INPUTS}
        self._committed: dict[str, dict[int, int]] = {}
        self._counts: dict[str, dict[int, int]] = {}
        self._new_commits: Commits = {}
        self._cut: list[str] = []

    async def copy(self, limits: Mapping[str, Limits], commits: Commits) -> Copied:
        """Fill the temporary topics, which are empty. limits: of all topics. Raises RihlaError, KafkaError."""
        if self._states in self._partitions:
            await self._look_at_states(limits, commits)
        for name in PLACED_BY_KEY:
            topic = self._settings.topic(name)
            if topic in self._partitions and name != "recalls":
                await self._copy(name, limits[topic], commits)
        recalls = await self._copy("recalls", limits[self._settings.topic("recalls")], commits)
        answered = dict(recalls.ends)
        if self._states in self._partitions:
            await self._copy_states(limits[self._states], recalls)
        self._finish("recalls", recalls, answered)
        return Copied(self._counts, self._new_commits, self._cut)

    # -- states -----------------------------------------------------------------------------------------------

    async def _look_at_states(self, limits: Mapping[str, Limits], commits: Commits) -> None:
        """Find the subjects of which more was applied than committed. Raises RihlaError for a state that is in two
        partitions."""
        topics = {name: self._settings.topic(name) for name in INPUTS}
        committed = commits.get(self._stitch, {})
        done = {name: _clamped(limits[topic], committed, topic) for name, topic in topics.items()}
        hashes = []
        for partition, (begin, end) in limits[self._states].items():
            self._say(f"looking at the state of partition {partition}")
            states = await self._reader.table(self._states, partition, begin, end)
            hashes.append(np.fromiter(map(hash, states), np.int64, len(states)))
            for key, encoded in states.items():
                applied = applied_of(encoded)
                if any(getattr(applied, name) > done[name].get(partition, 0) for name in INPUTS):
                    self._ahead[key] = _State(partition, applied)
        every = np.concatenate(hashes) if hashes else np.array([], np.int64)
        twice = len(every) - len(np.unique(every))
        if twice:
            raise RihlaError(
                f"the state of {twice} customers is in two partitions: workers went on after partitions were added",
                "it cannot be put together; rebuild it from what ClickHouse has stored: docs/repartitioning.md",
            )

    async def _copy_states(self, limits: Limits, recalls: Writer) -> None:
        """Copy the states, with the offsets of their new partitions, and ask again for events that were on their way
        back."""
        writer = Writer(self._producer, self._temporary(self._states), self._to)
        encoder = BatchEncoder("recall", self._registry, self._settings.wire)
        for partition, (begin, end) in limits.items():
            states = await self._reader.table(self._states, partition, begin, end)
            self._say(f"moving {len(states):,} states of partition {partition}")
            keys = list(states)
            for at in range(0, len(keys), STATES_AT_ONCE):
                some = keys[at : at + STATES_AT_ONCE]
                rows, asked = list[Row](), list[tuple[int, bytes, tuple[str, int]]]()
                for key, to in zip(some, partitions_of(some, self._to), strict=True):
                    committed = {name: self._committed.get(name, {}).get(to, 0) for name in INPUTS}
                    further = {name: found[key] for name, found in self._further.items() if key in found}
                    state = moved(states[key], committed, further)
                    rows.append(Row(to, key, FIRST_FENCING_EPOCH + state.encoded, ()))
                    if state.recall is not None:
                        asked.append((to, key, (key.decode(), state.recall)))
                await writer.write(rows)
                if asked:
                    values = encoder.encode([row for *_, row in asked])
                    await recalls.write(
                        Row(to, key, value, ()) for (to, key, _), value in zip(asked, values, strict=True)
                    )
        self._counts[self._states] = dict(writer.ends)

    # -- topics -----------------------------------------------------------------------------------------------

    async def _copy(self, name: str, limits: Limits, commits: Commits) -> Writer:
        """Copy one topic, in the order that the module's docstring gives; of recalls only those that have been
        answered."""
        topic = self._settings.topic(name)
        self._say(f"copying {topic}: {sum(end - begin for begin, end in limits.values()):,} offsets")
        writer = Writer(self._producer, self._temporary(topic), self._to)
        if any(begin for begin, _ in limits.values()) and name not in COMPACTED:
            await writer.write(Row(to, FILLER, b"", ()) for to in range(self._to))
            self._cut.append(topic)
        groups = {group: _clamped(limits, topics, topic) for group, topics in commits.items() if topic in topics}
        first: dict[str, dict[int, int]] = {group: {} for group in groups}
        low = {p: min([done[p] for done in groups.values()], default=begin) for p, (begin, _) in limits.items()}
        if name in INPUTS and self._stitch not in groups:
            low = {p: begin for p, (begin, _) in limits.items()}
        if name == "recalls":  # the others are asked for again, once the states are moved
            answered = groups.get(self._settings.group("sink"), low)
            await self._pass(writer, topic, {p: (limits[p][0], answered[p]) for p in limits}, groups, first)
            self._first(topic, first)
            return writer
        middle = groups.get(self._stitch, low) if name in INPUTS else low
        await self._pass(writer, topic, {p: (begin, low[p]) for p, (begin, _) in limits.items()}, groups, first)
        await self._pass(writer, topic, {p: (low[p], middle[p]) for p in limits}, groups, first)
        if name in INPUTS:
            if self._stitch in groups:
                self._committed[name] = dict(writer.ends)
            await self._copy_applied(writer, name, limits, middle, groups, first)
        tail = {p: (middle[p], end) for p, (_, end) in limits.items()}
        await self._pass(writer, topic, tail, groups, first, self._untaken(name))
        self._first(topic, first)
        self._finish(name, writer, writer.ends)
        return writer

    def _first(self, topic: str, first: Mapping[str, dict[int, int]]) -> None:
        for group, offsets in first.items():
            self._new_commits.setdefault(group, {})[topic] = offsets

    def _finish(self, name: str, writer: Writer, read: Mapping[int, int]) -> None:
        """Note how many records are in the copy. read: the offsets of a group that had committed all of them."""
        topic = self._settings.topic(name)
        self._counts[topic] = dict(writer.ends)
        for topics in self._new_commits.values():
            if topic in topics:
                done = topics[topic]
                topics[topic] = {p: done.get(p, read[p]) for p in range(self._to)}

    async def _copy_applied(
        self,
        writer: Writer,
        name: str,
        limits: Limits,
        middle: Mapping[int, int],
        groups: Mapping[str, Mapping[int, int]],
        first: Mapping[str, dict[int, int]],
    ) -> None:
        """Copy the records that are applied to their subject but not committed, before the others that are not
        committed."""
        farthest = dict(middle)
        for state in self._ahead.values():
            if state.partition in farthest:
                applied = min(getattr(state.applied, name), limits[state.partition][1])
                farthest[state.partition] = max(farthest[state.partition], applied)

        def taken(records: list[Record]) -> list[Record]:
            return [record for record in records if self._is_applied(name, record)]

        ranges = {p: (middle[p], farthest[p]) for p in limits}
        further = self._further[name]
        async for records, offsets in self._passed(writer, self._settings.topic(name), ranges, groups, first, taken):
            further.update(
                (record.key, offset + 1) for record, offset in zip(records, offsets, strict=True) if record.key
            )

    def _is_applied(self, name: str, record: Record) -> bool:
        state = self._ahead.get(record.key or b"")
        return (
            state is not None and state.partition == record.partition and record.offset < getattr(state.applied, name)
        )

    def _untaken(self, name: str) -> Callable[[list[Record]], list[Record]] | None:
        """What to make of the records of a topic of stitch that are not applied; None: they are copied as they are."""
        if name not in INPUTS:
            return None

        def rest(records: list[Record]) -> list[Record]:
            left = [record for record in records if not self._is_applied(name, record)]
            if name == "interactions":
                return [_no_answer(record) for record in left]
            return self._parts(left) if name == "parts" else left

        return rest

    def _parts(self, records: list[Record]) -> list[Record]:
        """Leave out answers to recalls, which are asked for again, and repeat erasures for every new partition."""
        decoded = BatchDecoder("part", self._registry).decode([record.value for record in records], ["kind", "version"])
        kinds = {at: part_kind(*one) for at, one in zip(decoded.rows.tolist(), decoded.frame.iter_rows(), strict=True)}
        kept = []
        for at, record in enumerate(records):
            kind = kinds.get(at)
            if kind == ERASE:
                kept += [record._replace(key=_Placed(record.key or b"", to)) for to in range(self._to)]
            elif kind != NOTHING_STORED:
                kept.append(record)
        return kept

    async def _pass(self, *arguments: Any) -> None:
        async for _ in self._passed(*arguments):
            pass

    async def _passed(
        self,
        writer: Writer,
        topic: str,
        ranges: Limits,
        groups: Mapping[str, Mapping[int, int]],
        first: Mapping[str, dict[int, int]],
        choose: Callable[[list[Record]], list[Record]] | None = None,
    ) -> AsyncIterator[tuple[list[Record], list[int]]]:
        """Copy ranges of offsets; yields records and the offsets that they have now.

        first: by group and new partition, the offset of the first record that the group has not committed.
        """
        async for read in self._reader.merged(topic, ranges):
            records = choose(read) if choose else read
            places = self._places(records)
            rows = [Row(to, r.key, r.value, r.headers) for to, r in zip(places, records, strict=True)]
            offsets = await writer.write(rows)
            for group, done in groups.items():
                seen = first[group]
                for to, record, offset in zip(places, records, offsets, strict=True):
                    if to not in seen and record.offset >= done[record.partition]:
                        seen[to] = offset
            yield records, offsets

    def _places(self, records: Sequence[Record]) -> list[int]:
        """The new partition of each."""
        places = partitions_of([record.key or b"" for record in records], self._to)
        for at, record in enumerate(records):
            if record.key is None:
                places[at] = record.partition % self._to
            elif isinstance(record.key, _Placed):
                places[at] = record.key.number
        return places


class _Placed(bytes):
    """A key whose record goes to a certain partition."""

    number: int

    def __new__(cls, key: bytes, number: int) -> _Placed:
        made = super().__new__(cls, key)
        made.number = number
        return made


def _clamped(limits: Limits, topics: Mapping[str, Mapping[int, int]], topic: str) -> dict[int, int]:
    """By partition, what a group has committed of a topic, at least its beginning and at most its end."""
    committed = topics.get(topic, {})
    return {p: min(max(committed.get(p, begin), begin), end) for p, (begin, end) in limits.items()}


def _no_answer(record: Record) -> Record:
    """An interaction that was sent for a recall, as one that is not the last for it."""
    if not any(name == RECALLED[0] and last_recalled(value) is not None for name, value in record.headers):
        return record
    return record._replace(headers=tuple(RECALLED if name == RECALLED[0] else (name, v) for name, v in record.headers))
