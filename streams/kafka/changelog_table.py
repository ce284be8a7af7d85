"""State by key, in memory, with a changelog in Kafka that is written a batch at a time and read back exactly.

A Faust table in name only. Faust assigns the changelog's partitions together with the input's, and holds the streams
back until the table is recovered. Everything else is done here, because Faust sends and recovers a record at a time,
swallows errors while recovering, and relies on end offsets, which not every broker reports correctly.

Recovery of a partition. The new owner first appends a **barrier** to the changelog: a record whose offset, known from
the acknowledgement, is both the point up to which to read and the owner's **fencing epoch**. Nothing written before the
barrier can be missed, whatever the broker says about end offsets. Every value is written with its owner's fencing epoch
in front, and recovery skips a record of a lower one than the highest seen: it is from a worker that was frozen, lost
the partition without noticing, and wrote after its successor had begun. (flush() asks still_owner first; the fencing
epoch covers the moment between.) Recovery writes skipped keys again, so that compaction, which keeps the last record of
a key, keeps the right one. A worker that sees from its acknowledgements that somebody else has written gives its batch
up before it publishes, and recovers: it may be the frozen one, and nobody would withdraw what it published.

A partition that stays with its worker through a rebalance is not read again if the barrier's offset shows that nobody
else has written to it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from faust.tables.table import Table
from faust.types import TP

from streams.errors import RihlaError
from streams.kafka import changelog
from streams.kafka.batch_producer import Output
from streams.kafka.changelog import BARRIER, FENCING_EPOCH, FENCING_HEADER, Merge, PartitionState, RecoveryError
from streams.kafka.ownership import OwnershipLost, handling, still_owner
from streams.kafka.topics import CHANGELOG

Check = Callable[[int, int, Iterable[bytes]], None]
"""Given a partition, their number and the keys recovered: raises when they should not be there."""

log = logging.getLogger(__name__)


class BatchTable(Table):  # type: ignore[misc]  # Faust is untyped
    """Bytes by key, per partition.

    app: a Faust app of streams.kafka.app. name: the changelog is `<group>-<name>-changelog`. partitions: those of the
    topics that the app reads. merge: joins two values of one key found during recovery (older, newer); without it the
    newer one holds. check: looks at what was recovered of a partition; what it raises stops the worker. make: makes the
    empty state of a partition: a dict, or what takes the same calls.

    get, put, delete, items, written, state, note and replace raise OwnershipLost for a partition that this worker does
    not hold.
    """

    logger = logging.getLogger("faust.tables")  # what Faust's base class logs keeps its name

    def __init__(
        self,
        app: Any,
        name: str,
        partitions: int,
        merge: Merge | None = None,
        check: Check | None = None,
        make: Callable[[], dict[bytes, bytes]] = dict,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            app,
            name=name,
            partitions=partitions,
            key_type=bytes,
            value_type=bytes,
            extra_topic_configs={} if getattr(app, "embedded", False) else CHANGELOG,
            **kwargs,
        )
        self.merge = merge
        self.check = check
        self._make = make
        self.recovered_keys = 0
        self.recovered_records = 0
        self.recovery_seconds = 0.0
        self._held: dict[int, PartitionState] = {}
        self._read: dict[int, PartitionState] = {}
        self._lost: set[int] = set()  # given up by flush(), until the rebalance that it asks for
        self._failure: BaseException | None = None
        self._flushing = asyncio.Lock()
        self._output: Output | None = None
        self._recovery: asyncio.Task[None] | None = None
        app.tables.add(self)

    # -- state ------------------------------------------------------------------------------------------------

    def get(self, partition: int, key: bytes) -> bytes | None:
        """Value of a key, None when there is none."""
        return self._owned(partition).data.get(key)

    def put(self, partition: int, key: bytes, value: bytes) -> None:
        """Set a key; durable after the next flush()."""
        held = self._owned(partition)
        held.size += len(value) - len(held.data.get(key, b""))
        held.data[key] = value
        held.changed[key] = value

    def delete(self, partition: int, key: bytes) -> None:
        """Remove a key, if there; durable after the next flush()."""
        held = self._owned(partition)
        gone = held.data.pop(key, None)
        if gone is not None:
            held.size -= len(gone)
        if gone is not None or key in held.changed:
            held.changed[key] = None

    def state(self, partition: int) -> dict[bytes, bytes]:
        """A partition's state: what `make` made. Change it by put and delete, or together with `note`."""
        return self._owned(partition).data

    def note(self, partition: int, changes: Mapping[bytes, bytes | None]) -> None:
        """Record changes of keys that the state has taken already (None: deleted); durable after the next flush()."""
        self._owned(partition).changed.update(changes)

    async def read_into(self, partition: int, state: dict[bytes, bytes]) -> None:
        """Fill an empty state with what the changelog says up to the last flush(); the partition's own stays as it is.

        Nothing may be waiting for flush(). Raises OwnershipLost, RecoveryError and aiokafka's KafkaError.
        """
        wanted = {partition: (PartitionState(state), self._owned(partition).position)}
        await changelog.read(self.app.settings, self.changelog_topic_name, wanted)

    def replace(self, partition: int, state: dict[bytes, bytes], by: dict[bytes, bytes]) -> None:
        """Put another state into the place of a partition's own. Its keys and values are not recorded: see `note`.

        state: what the caller took for the partition's own. Raises OwnershipLost if it is no longer that.
        """
        held = self._owned(partition)
        if held.data is not state:
            raise OwnershipLost(f"{self.name}[{partition}] was given up while another state was made")
        held.data = by

    def items(self, partition: int) -> Iterable[tuple[bytes, bytes]]:
        """All keys and values of a partition; do not change it meanwhile."""
        return self._owned(partition).data.items()

    def keys(self, partition: int) -> list[bytes]:
        """All keys of a partition, as they are now: some 12 ms a million."""
        return list(self._owned(partition).data)

    def size(self, partition: int) -> int:
        """Bytes of a partition's values, 0 when it is not held."""
        held = self._held.get(partition)
        return 0 if held is None else held.size

    def reading(self, partition: int) -> object | None:
        """An object that stays the same while this worker alone writes to a partition, rebalances included; None: the
        partition is gone. The owner of an index over a partition rebuilds the index when this object has changed.
        """
        held = self._held.get(partition) or self._read.get(partition)
        return None if held is None else held.read

    async def room(self) -> int:
        """Bytes that a key and its value may have together: the changelog takes no larger ones."""
        return await self._writer().room() - FENCING_EPOCH.size

    def written(self, partition: int) -> range:
        """The changelog offsets written from the beginning of this worker's unbroken hold up to the last flush()."""
        held = self._owned(partition)
        return range(held.fencing_epoch + 1, held.position)

    def count(self, partition: int) -> int:
        """Number of keys in a partition, 0 when it is not held."""
        held = self._held.get(partition)
        return 0 if held is None else len(held.data)

    @property
    def partitions_held(self) -> frozenset[int]:
        """Partitions whose state is here and up to date."""
        return frozenset(self._held)

    def _owned(self, partition: int) -> PartitionState:
        held = self._held.get(partition)
        if held is None:
            raise OwnershipLost(f"{self.name}[{partition}] is not held by this worker")
        generation = handling.get()
        if generation is not None and generation != held.generation:
            # A batch that took longer than a rebalance waits for: the state it began from may have changed since.
            raise OwnershipLost(f"{self.name}[{partition}] has been through a rebalance since the batch was begun")
        return held

    # -- changelog --------------------------------------------------------------------------------------------

    async def flush(self) -> None:
        """Return once the broker has acknowledged every change.

        Raises OwnershipLost, having written nothing of it, when a changed partition may be somebody else's by now, and,
        having written, when somebody else turns out to have done so meanwhile; that partition's state is dropped, and
        recovered before it is used again. Raises it, too, for a batch begun before the last rebalance. Raises what
        aiokafka does when the broker does not take the changes; state here and in the changelog then differ, and the
        worker must stop.
        """
        async with self._flushing:  # agents share a table, and each must wait for the changes that others have sent
            if self._failure is not None:
                raise self._failure
            if handling.get() not in (None, self.app.consumer.generation):
                raise OwnershipLost(f"{self.name} has been through a rebalance since the batch was begun")
            changed = {partition: held for partition, held in self._held.items() if held.changed}
            for partition, held in list(changed.items()):
                if not still_owner(self.app, TP(self.changelog_topic_name, partition), held.generation):
                    del self._held[partition], changed[partition]
                    self._lost.add(partition)
            try:
                overtaken = await self._write(changed)
            except BaseException as exc:
                self._failure = exc
                raise
            if lost := self._lost | overtaken:
                raise OwnershipLost(f"{self.name}{sorted(lost)} may belong to another worker by now")

    async def _write(self, changed: dict[int, PartitionState]) -> set[int]:
        """Send changes and wait; the partitions into which somebody else has written since we last did."""
        output, counts, overtaken = self._writer(), {}, set[int]()
        for partition, held in changed.items():
            changes, held.changed = held.changed, {}
            counts[partition] = len(changes)
            prefix = FENCING_EPOCH.pack(held.fencing_epoch)
            values = [None if value is None else prefix + value for value in changes.values()]
            headers = [(FENCING_HEADER, prefix)]
            await output.send(list(changes), values, None, [partition] * len(values), headers=headers)
        await output.flush()
        for partition, held in changed.items():
            end = output.acknowledged[partition]
            foreign = end - held.position - counts[partition]
            if foreign <= 0:
                held.position = max(end, held.position)  # a rebalance meanwhile may have read beyond
                continue
            # A former owner woke up, or we are the former owner, or a retry wrote twice. What came between is read, and
            # what does not count written over, in a recovery, before compaction can take it for the latest.
            log.warning("%s[%d]: %d records came between", self.changelog_topic_name, partition, foreign)
            overtaken.add(partition)
            if self._held.get(partition) is held:  # else a rebalance has been, and with it a recovery
                del self._held[partition]
                self._lost.add(partition)
        if self._lost & overtaken:
            await self.app.consumer.rejoin()
        return overtaken

    def _writer(self) -> Output:
        if self._output is None:
            self._output = Output(self.app, self.changelog_topic_name, self.partitions)
        return self._output

    # -- recovery ---------------------------------------------------------------------------------------------

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Drop what is assigned elsewhere; what stays is confirmed, or read up to date, in on_recovery_completed."""
        if self._recovery is not None:
            self._recovery.cancel()
        mine = {tp.partition for tp in assigned if tp.topic == self.changelog_topic_name}
        kept = {**self._read, **self._held}
        # Changes not acknowledged are of batches that were given up: their partition is read anew.
        self._read = {p: held for p, held in kept.items() if p in mine and not held.changed}
        self._held = {}
        self._lost.clear()

    async def on_stop(self) -> None:
        """Break a recovery off that is under way."""
        if self._recovery is not None:
            self._recovery.cancel()
        await super().on_stop()

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        """Recover every assigned partition; Faust holds the streams back until this returns."""
        generation = self.app.consumer.generation
        partitions = sorted(tp.partition for tp in active_tps)
        self._recovery = asyncio.ensure_future(self._recover(partitions, generation))
        try:
            await self._recovery
        except asyncio.CancelledError:
            log.info("%s: recovery broken off", self.name)
            return
        except OwnershipLost as exc:
            log.warning("%s: %s", self.name, exc)
            await self.app.consumer.rejoin()
            return
        except RihlaError as exc:
            self.app.give_up(exc)
            return
        except Exception as exc:
            await self.app.crash(exc)
            return
        await self.call_recover_callbacks()

    async def _recover(self, partitions: list[int], generation: int) -> None:
        began = time.monotonic()
        if not partitions:
            return
        barriers = await self._write_barriers(partitions)
        behind: dict[int, int] = {}
        for partition in partitions:
            held = self._read.setdefault(partition, PartitionState(self._make()))
            held.fencing_epoch, held.generation = barriers[partition], generation
            if held.position < barriers[partition]:
                behind[partition] = barriers[partition]
        skipped = await self._catch_up(behind) if behind else {}
        for partition in behind:
            self._read[partition].size = sum(map(len, self._read[partition].data.values()))
        if self.check is not None:
            for partition in behind:
                self.check(partition, self.partitions, self._read[partition].data)
        for partition in partitions:
            held = self._read.pop(partition)
            held.position = barriers[partition] + 1
            held.top = barriers[partition]
            held.changed.update((key, held.data.get(key)) for key in skipped.get(partition, ()))
            self._held[partition] = held
        if skipped:
            await self.flush()
        self.recovered_keys = sum(len(held.data) for held in self._held.values())
        self.recovery_seconds = time.monotonic() - began
        log.info(
            "%s: partitions %s recovered, %d keys from %d records in %.1f s",
            self.name, partitions, self.recovered_keys, self.recovered_records, self.recovery_seconds,
        )  # fmt: skip

    async def _write_barriers(self, partitions: list[int]) -> dict[int, int]:
        """Append a barrier to each partition; partition -> the barrier's offset."""
        output = self._writer()
        there = len(await self.app.producer._ensure_producer().partitions_for(self.changelog_topic_name))
        if there != self.partitions:
            raise RecoveryError(f"{self.changelog_topic_name} has {there} partitions, its input {self.partitions}")
        name = f"{socket.gethostname()}:{os.getpid()}".encode()
        await output.send([BARRIER] * len(partitions), [name] * len(partitions), None, partitions)
        await output.flush()
        return {partition: output.acknowledged[partition] - 1 for partition in partitions}

    async def _catch_up(self, barriers: dict[int, int]) -> dict[int, set[bytes]]:
        """Read partitions from where they are up to their barriers; partition -> keys of records that were skipped."""

        def count(records: int) -> None:
            self.recovered_records += records

        return await changelog.read(
            self.app.settings,
            self.changelog_topic_name,
            {partition: (self._read[partition], barrier) for partition, barrier in barriers.items()},
            self.merge,
            count,
            self.app.conf.broker_request_timeout,
        )

    # -- what Faust would do ----------------------------------------------------------------------------------

    def persisted_offset(self, tp: TP) -> int | None:
        """Nothing is persisted on this side of the broker."""
        return None

    def apply_changelog_batch(self, batch: Iterable[Any]) -> None:
        """Faust's recovery has nothing to apply: its consumer reports empty changelogs (streams.kafka.transport)."""
        if list(batch):
            raise RecoveryError(f"{self.name}: Faust read the changelog, which the table reads itself")
