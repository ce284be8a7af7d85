"""Recalls: the stored interactions of subjects that stitch had evicted, sent again (see streams.stitch.eviction)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

import polars as pl

from sinks.clickhouse import stored
from sinks.clickhouse.client import connect
from sinks.clickhouse.errors import in_short, is_for_a_person, is_retriable
from streams.kafka.batch_producer import RECALLED, recalled_last
from streams.kafka.ownership import OwnershipLost, still_owner
from streams.kafka.progress import RecordBatch, Records, position_of_group
from streams.model.control import nothing_stored
from streams.spans import Headers, passed_on
from streams.worker.agent import Agent
from streams.worker.io import WorkerIO
from streams.worker.verdict import Verdict

TOPIC = "recalls"
"""The topic of recalls, without prefix."""
POLL = 0.1
"""Seconds between checks whether the sinks have stored the events that a recall must return."""
RETRY = 2.0
"""Seconds before ClickHouse is asked again after it gave no answer."""

log = logging.getLogger(__name__)


class RecallAgent(Agent):
    """Answers recalls. It keeps no state.

    A batch is acked when all events of its subjects are in cx.interactions again. While ClickHouse is away, it waits;
    what ClickHouse refuses for good stops the worker.
    """

    def __init__(self, io: WorkerIO, publishing: asyncio.Lock) -> None:
        """publishing: held while the io's outputs are used, which all agents of the sink share."""
        super().__init__(io, grouping=None)
        self._publishing = publishing

    async def handle(self, batches: list[RecordBatch]) -> Verdict:
        """The events are acknowledged in cx.interactions when it returns. Handles a single batch."""
        (batch,) = batches
        records = Records(batches)
        decoded, refused = self.io.read("recall", records)
        subjects = decoded.frame["subject"].unique(maintain_order=True).to_list()
        if subjects:
            applied = max(decoded.frame["applied"].to_list())
            await self._wait_until_stored(batch, applied)
            await self._answer(subjects, applied, await self._events_of(subjects), _traces(records))
        async with self._publishing:
            await self.io.refuse(refused)
            await self.io.flush()
        return Verdict.of(len(records), refused, erased=len(records) - decoded.frame.height - len(refused))

    async def _wait_until_stored(self, batch: RecordBatch, applied: int) -> None:
        """Return once the sinks have stored the interactions of the batch's partition before the offset `applied`."""
        # A key is in the same partition of both topics; that of interactions may be another sink worker's.
        app, interactions = self.io.app, (self.settings.topic("interactions"), batch.partition)
        while await position_of_group(app, interactions) < applied:
            if not still_owner(app, (batch.topic, batch.partition), batch.generation):
                raise OwnershipLost(f"{batch.topic}[{batch.partition}] may belong to another worker by now")
            await asyncio.sleep(POLL)

    async def _events_of(self, subjects: Sequence[str]) -> pl.DataFrame:
        """The stored interactions of subjects, as sinks.clickhouse.stored orders them."""
        while True:
            try:
                return await asyncio.to_thread(self._read, subjects)
            except Exception as error:
                if not is_retriable(error) and not is_for_a_person(error):
                    raise
                log.warning("recalls wait for ClickHouse: %s", in_short(error))
            await asyncio.sleep(RETRY)

    def _read(self, subjects: Sequence[str]) -> pl.DataFrame:
        client = connect(self.settings.clickhouse_endpoint, self.settings.database)
        try:
            return stored.interactions_of(client, subjects)
        finally:
            client.close()

    async def _answer(
        self, subjects: Sequence[str], applied: int, events: pl.DataFrame, traces: Mapping[bytes, Headers]
    ) -> None:
        """Send the events again, and for each subject without events a message that nothing is stored."""
        last = events["subject"].is_last_distinct()
        # In this order in each partition, so that a subject's last event comes after all its others.
        async with self._publishing:
            for frame, mark in ((events.filter(~last), RECALLED), (events.filter(last), recalled_last(applied))):
                keys = [subject.encode() for subject in frame["subject"].to_list()]
                traced = {at: traces[key] for at, key in enumerate(keys) if key in traces}
                await self.io.publish("interactions", "interaction", frame, keys, marks=[mark], traced=traced)
            without = sorted({*subjects} - {*events["subject"].to_list()})
            answers = [nothing_stored(subject, applied) for subject in without]
            await self.io.publish("parts", "part", answers, [subject.encode() for subject in without])
            await self.io.flush()


def _traces(records: Records) -> dict[bytes, Headers]:
    """By subject, the key of a recall: the headers by which its trace goes on."""
    return {records.keys[at] or b"": headers for at, headers in passed_on(records).items()}
