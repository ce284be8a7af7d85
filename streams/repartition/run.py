"""The steps of a repartitioning, and how one that was interrupted goes on.

Each is noted in the journal when it is done:

1. `to`: the number of partitions wanted. From here on no worker starts.
2. `copied`: the temporary topics hold everything (`copying`). Until then it can be abandoned: nothing was changed.
3. `switch`: a last check found that nobody has written or committed meanwhile. From here on it must be finished. 4.
`made`, a topic at a time: the old one is deleted, and an empty one of the new number is there under its name. 5.
`filled`, a topic at a time: it has the records of the temporary one, at the same offsets. 6. `committed`: all groups
stand where they stood. Then the temporary topics are deleted, and the journal at last.

A step that was interrupted is done again: 2 from the beginning, 5 from where the topic ends, the others as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.errors import KafkaError

from streams.errors import RihlaError
from streams.kafka import clients
from streams.kafka.layout import JOURNAL, REBUILD, REBUILDING, changelog, strays_of
from streams.kafka.topics import CHANGELOG, FOREVER, ROOMY, config_of
from streams.registries import registry_of
from streams.repartition import groups
from streams.repartition.copying import Copied, Copier, Limits
from streams.repartition.journal import Journal
from streams.repartition.reading import Reader
from streams.repartition.writing import Row, Topic, Writer, delete, describe, make
from streams.settings import Settings
from streams.sources.feeder import producing
from streams.topology import PLACED_BY_KEY, TOPICS, WITH_STATE

CONFIG = {topic.name: config_of(topic) for topic in TOPICS}
TEMPORARY = {**FOREVER, **ROOMY}

Say = Callable[[str], None]


@dataclass(frozen=True)
class Repartitioned:
    """What was done. counts: records by full name of the topic. partitions: as they were."""

    to: int
    partitions: Mapping[str, int]
    counts: Mapping[str, int]


async def repartition(
    settings: Settings, to: int | None, say: Say, reached: Callable[[str], None] = lambda step: None
) -> Repartitioned | None:
    """Move all to `to` partitions, or go on with what was broken off (`to` may then be None).

    say: called with sentences on the progress. reached: called with each step when it is done, for tests that interrupt
    it there. None: nothing is to be done. Raises RihlaError, with what to do, and aiokafka's KafkaError.
    """
    async with AsyncExitStack() as stack:
        return await (await _move(stack, settings, say, reached)).run(to)


async def give_up(settings: Settings, say: Say) -> None:
    """Abandon a repartitioning that has not changed anything yet. Raises as `repartition`."""
    async with AsyncExitStack() as stack:
        await (await _move(stack, settings, say, lambda step: None)).give_up()


async def _move(stack: AsyncExitStack, settings: Settings, say: Say, reached: Callable[[str], None]) -> _Move:
    admin = clients.admin(settings)
    stack.push_async_callback(admin.close)
    await admin.start()
    producer = await stack.enter_async_context(producing(settings))
    reader = Reader(settings)
    stack.push_async_callback(reader.stop)
    await reader.start()
    return _Move(settings, admin, producer, reader, say, reached)


class _Move:
    def __init__(
        self,
        settings: Settings,
        admin: AIOKafkaAdminClient,
        producer: Any,
        reader: Reader,
        say: Say,
        reached: Callable[[str], None],
    ) -> None:
        self._settings, self._admin, self._producer, self._reader = settings, admin, producer, reader
        self._say, self._reached = say, reached
        self._journal = Journal(admin, producer, reader, settings)
        self._names = {settings.topic(name): name for name in PLACED_BY_KEY}
        self._states = changelog(settings)
        self._entries: dict[str, Any] = {}

    def _temporary(self, topic: str) -> str:
        return f"{self._settings.topic(JOURNAL)}.{self._names.get(topic, 'states')}"

    async def run(self, to: int | None) -> Repartitioned | None:
        entries = await self._journal.read()
        self._entries = {name: value for entry in entries or [] for name, value in entry.items()}
        begun = self._entries.get("to")
        if begun is not None and to not in (None, begun):
            raise RihlaError(
                f"a change to {begun} partitions is under way", f"finish it: rihla repartition --to {begun}"
            )
        to = begun or to
        if to is None:
            raise RihlaError("no change of partitions is under way", "say to how many: --to N")
        if "switch" not in self._entries:
            await groups.refuse_members(self._admin, self._settings, ())
            partitions = await self._there()
            if entries is None and set(partitions.values()) == {to} and await self._fits(to):
                return None
            if entries is None:
                await self._journal.begin()
            if begun is None:
                await self._note("to", to)
            await self._copy(partitions, to)
        await self._replace()
        counts = {topic: sum(some.values()) for topic, some in self._entries["copied"]["counts"].items()}
        return Repartitioned(to, {topic: old["partitions"] for topic, old in self._entries["switch"].items()}, counts)

    async def give_up(self) -> None:
        entries = await self._journal.read()
        if entries is None:
            raise RihlaError("no change of partitions is under way")
        if any("switch" in entry for entry in entries):
            raise RihlaError("topics have been deleted already: it can only be finished", "rihla repartition")
        await self._clean_up()

    async def _note(self, name: str, value: Any) -> None:
        await self._journal.note(**{name: value})
        self._entries[name] = value
        self._reached(name)

    async def _there(self) -> dict[str, int]:
        """Partitions of what is to be moved, by full name. Raises RihlaError when what must be there is not."""
        there = set(await self._admin.list_topics())
        if self._settings.topic(REBUILD) in there:
            raise RihlaError(REBUILDING, "finish it first: rihla rebuild")
        missing = [topic for name in WITH_STATE if (topic := self._settings.topic(name)) not in there]
        if missing:
            raise RihlaError(f"there is no topic {missing[0]}", "is --prefix right? A worker makes what is missing")
        told = f"{self._settings.group('deliver')}-things-changelog"
        if told in there:
            raise RihlaError(
                f"{told} holds what deliver has told, and cannot be moved",
                "once nothing waits (rihla query deliveries), delete that topic: docs/repartitioning.md",
            )
        names = [topic for topic in (*self._names, self._states) if topic in there]
        return {name: topic.partitions for name, topic in (await describe(self._admin, names)).items()}

    async def _fits(self, count: int) -> bool:
        """Whether every state is in the partition that it belongs to."""
        for partition, (begin, end) in (await self._reader.limits(self._states, count)).items():
            states = await self._reader.table(self._states, partition, begin, end)
            if strays_of(partition, count, list(states)):
                return False
        return True

    # -- copying ----------------------------------------------------------------------------------------------

    async def _copy(self, partitions: Mapping[str, int], to: int) -> None:
        """Fill the temporary topics, unless they are filled and still valid. After that it can no longer be
        abandoned."""
        limits, commits = await self._standing(partitions)
        seen = {"limits": _plain(limits), "commits": _plain(commits)}
        if self._entries.get("copied", {}).get("seen") != seen:
            old = await describe(self._admin, partitions)
            for topic in partitions:
                temporary = self._temporary(topic)
                await delete(self._admin, temporary)
                await make(self._admin, temporary, Topic(to, old[topic].replication, TEMPORARY))
            copier = Copier(
                self._reader, self._producer, registry_of(self._settings), self._settings, partitions, to,
                self._temporary, self._say,
            )  # fmt: skip
            copied = await copier.copy(limits, commits)
            await self._check_copies(copied)
            await self._note("copied", {"seen": seen, **_plain(copied._asdict())})
        await groups.refuse_members(self._admin, self._settings, commits)
        limits, commits = await self._standing(partitions)
        if seen != {"limits": _plain(limits), "commits": _plain(commits)}:
            raise RihlaError(
                "somebody has written to the topics, or committed, while they were being copied",
                "stop whoever does, and run this again",
            )
        described = await describe(self._admin, partitions)
        await self._note("switch", {topic: old._asdict() for topic, old in described.items()})

    async def _standing(self, partitions: Mapping[str, int]) -> tuple[Mapping[str, Limits], groups.Commits]:
        limits = {topic: await self._reader.limits(topic, count) for topic, count in partitions.items()}
        return limits, await groups.commits(self._admin, partitions.keys())

    async def _check_copies(self, copied: Copied) -> None:
        """Check that the broker has as many records as were copied: all further steps rely on it."""
        for topic, counts in copied.counts.items():
            found = await self._reader.limits(self._temporary(topic), len(counts))
            if {p: end for p, (_, end) in found.items()} != counts:
                raise RihlaError(f"{self._temporary(topic)} does not hold what was copied", "run this again")

    # -- replacing --------------------------------------------------------------------------------------------

    async def _replace(self) -> None:
        """Replace the old topics by the temporary ones, and clean up."""
        # Another one, which has not seen the topics that are deleted.
        reader = Reader(self._settings)
        await reader.start()
        try:
            await self._replace_by(reader)
        finally:
            await reader.stop()
        await self._clean_up()

    async def _replace_by(self, reader: Reader) -> None:
        copied, to = self._entries["copied"], self._entries["to"]
        for topic, old in self._entries["switch"].items():
            if f"made {topic}" not in self._entries:
                await delete(self._admin, topic)
                usual = CHANGELOG if topic == self._states else CONFIG[self._names[topic]]
                await make(self._admin, topic, Topic(to, old["replication"], {**usual, **old["config"]}))
                await self._note(f"made {topic}", True)
            if f"filled {topic}" not in self._entries:
                await self._fill(reader, topic, {int(p): count for p, count in copied["counts"][topic].items()})
                await self._note(f"filled {topic}", True)
        if "committed" not in self._entries:
            await self._cut(copied["cut"], to)
            commits = {
                group: {topic: {int(p): at for p, at in some.items()} for topic, some in topics.items()}
                for group, topics in copied["commits"].items()
            }
            await groups.commit(self._settings, commits)
            if (found := await groups.commits(self._admin, self._entries["switch"].keys())) != commits:
                raise RihlaError(f"the groups' commits are not as they should be: {found}", "run this again")
            await self._note("committed", True)

    async def _fill(self, reader: Reader, topic: str, counts: Mapping[int, int]) -> None:
        """Copy from the temporary topic the records that are missing, unchanged."""
        self._say(f"filling {topic}: {sum(counts.values()):,} records in {len(counts)} partitions")
        there = {p: end for p, (_, end) in (await reader.limits(topic, len(counts))).items()}
        writer = Writer(self._producer, topic, len(counts), there)
        ranges = {p: (there[p], count) for p, count in counts.items()}
        async for records in reader.merged(self._temporary(topic), ranges):
            await writer.write(Row(r.partition, r.key, r.value, r.headers) for r in records)
        if writer.ends != dict(counts):
            raise RihlaError(f"{topic} does not hold what {self._temporary(topic)} does", "nothing is lost: tell us")

    async def _cut(self, topics: list[str], to: int) -> None:
        """Delete the first record of every partition of some topics, which stands for those that were lost before."""
        for topic in topics:
            try:
                await self._admin.delete_records({TopicPartition(topic, p): RecordsToDelete(1) for p in range(to)})
            except KafkaError as error:
                self._say(f"the fillers at the beginning of {topic} stay, which does no harm: {error!r}")

    async def _clean_up(self) -> None:
        for topic in (*self._names, self._states):
            await delete(self._admin, self._temporary(topic))
        await self._journal.end()


def _plain(value: Any) -> Any:
    """In the form that JSON gives back: keys are strings, and tuples are lists."""
    if isinstance(value, Mapping):
        return {str(key): _plain(some) for key, some in value.items()}
    return [_plain(some) for some in value] if isinstance(value, list | tuple) else value
