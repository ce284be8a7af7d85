"""A worker for fault tests: counts events by key in a table, writes one record out for each, and tells how far it is.

    python -m tests.faults.counting_worker NAME FOLDER      (settings from RIHLA_*)

The state of a key is (last offset applied, events counted); every event must be counted once, whatever happens to the
workers. FOLDER/NAME.json says, every 0.2 s and at the end, which partitions it holds, how far each is acked, and what
it has counted.
RIHLA_TEST_PAUSE is a pause, in seconds, between changing the table and writing it down: the time in which to be killed.
"""

from __future__ import annotations

import asyncio
import json
import os
import struct
import sys
from pathlib import Path
from typing import Any

from streams.kafka import progress
from streams.kafka.app import App, build, run_worker
from streams.kafka.batch_producer import Output
from streams.kafka.changelog_table import BatchTable
from streams.kafka.progress import RecordBatch
from streams.logs import configure_logging
from streams.settings import Settings
from streams.worker import batching

STATE = struct.Struct(">qq")
NOTHING = STATE.pack(-1, 0)
REPORT_EVERY = 0.2
INPUT, OUTPUT = "booking", "interactions"


class Counting:
    """The worker's app, table, output and handler."""

    def __init__(self, settings: Settings, name: str, folder: Path, pause: float) -> None:
        self.settings = settings
        self.report_file = folder / f"{name}.json"
        self.pause = pause
        self.app: App = build(settings, "count")
        self.table = BatchTable(self.app, "state", settings.partitions)
        self.output = Output(self.app, settings.topic(OUTPUT))
        self.batches = 0

        @self.app.agent(self.app.topic(settings.topic(INPUT)))
        async def count(stream: Any) -> None:
            await batching.consume(stream, self.handle)

        @self.app.task
        async def report() -> None:
            while not self.app.should_stop:
                self.report()
                await asyncio.sleep(REPORT_EVERY)

    async def handle(self, batch: RecordBatch) -> None:
        """Count a batch; what it causes is durable when this returns, outputs first: a replay repeats them."""
        partition, offsets = batch.partition, {}
        for key, offset in zip(batch.keys, batch.offsets, strict=True):
            offsets.setdefault(key, []).append(offset)
        for key, seen in offsets.items():
            applied, count = STATE.unpack(self.table.get(partition, key) or NOTHING)
            new = [offset for offset in seen if offset > applied]
            if new:
                self.table.put(partition, key, STATE.pack(new[-1], count + len(new)))
        names = [b"%d:%d" % (partition, offset) for offset in batch.offsets]
        await self.output.send(batch.keys, names)
        await self.output.flush()
        await asyncio.sleep(self.pause)
        await self.table.flush()
        self.batches += 1

    def report(self, final: bool = False) -> None:
        """Write down how far this worker is."""
        table = self.table
        state = {
            "final": final,
            "batches": self.batches,
            "held": sorted(table.partitions_held),
            "positions": {str(partition): offset for (_, partition), offset in progress.positions(self.app).items()},
            "recovered": [table.recovered_keys, table.recovered_records, table.recovery_seconds],
            "counts": {
                str(partition): {key.decode(): STATE.unpack(value)[1] for key, value in table.items(partition)}
                for partition in table.partitions_held
            },
        }
        temporary = self.report_file.with_suffix(".new")
        temporary.write_text(json.dumps(state))
        temporary.replace(self.report_file)


def main() -> int:
    """Run until told to stop."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    configure_logging()
    counting = Counting(Settings.from_env(), name, folder, float(os.environ.get("RIHLA_TEST_PAUSE", "0")))

    @counting.app.on_before_shutdown.connect
    async def last(*_: Any, **__: Any) -> None:
        counting.report(final=True)

    return run_worker(counting.app)


if __name__ == "__main__":
    sys.exit(main())
