"""`rihla replay` is killed again and again: every letter gets in, and no event counts twice.

The letters are of good events, whose cause is mended: they stand in ClickHouse as if they had been refused. While they
are replayed the workers run; what is sent twice, by a replay that was killed before it could note what it had sent,
must be a duplicate like any other.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from datetime import UTC, datetime

from schemas.encode import BatchEncoder
from streams.dead_letters.resend import CHUNK
from streams.dead_letters.store import NAME
from streams.model.subjects import keys_of, subjects
from streams.registries import registry_of
from streams.settings import environment
from streams.topology import channel_topic
from tests.faults.account import counted_once, read_topic
from tests.faults.suite import TRIAL_SECONDS, Outcome
from tests.faults.world import ROOT, World, world
from tests.support.brokers import Broker

KILLS = 4
RATE = 400
"""Letters a second: slow enough to be killed in the middle. Sent and noted together are as many."""
SECONDS = (3.0, 9.0)
"""After which a replay is killed: some while it still looks at what there is."""


class ReplayKilled:
    """A replay is killed several times, and then let finish."""

    name = "replay-killed"

    def run(self, seed: int, broker: Broker) -> Outcome:
        """See Fault.run."""
        return asyncio.run(self._run(seed, broker))

    async def _run(self, seed: int, broker: Broker) -> Outcome:
        rng = random.Random(seed)
        async with world(broker.address, seed) as tried, asyncio.timeout(TRIAL_SECONDS):
            letters = await asyncio.to_thread(_write, tried)
            await tried.start_all()
            await tried.reading()
            killed = 0
            for _ in range(KILLS):
                killed += await _replay(tried, rng.uniform(*SECONDS)) == -signal.SIGKILL
            ended = await _replay(tried, None)
            await tried.settled()
            tried.records = sum([len(await read_topic(tried, topic)) for topic in _topics(tried)])
            wrong = await counted_once(tried)
            noted = int(tried.client.command("SELECT uniqExact(offset) FROM replays_store"))
            if ended or noted != letters:
                wrong.append(f"the last replay ended with {ended}; {noted} of {letters} letters are noted as sent")
            if tried.records > letters + killed * min(CHUNK, RATE):
                wrong.append(f"{tried.records} records of {letters} letters, after {killed} kills")
            if not killed:
                wrong.append("no replay was killed: nothing has been tried")
            twice = tried.records - letters
            print(f"{killed} of {KILLS} replays killed; {twice} of {letters} letters sent twice", file=sys.stderr)
            return Outcome(tried.records, wrong)


def _topics(tried: World) -> list[str]:
    return sorted({tried.settings.topic(channel_topic(batch.channel)) for batch in tried.batches})


def _write(tried: World) -> int:
    """Make letters of all events; how many."""
    now, at = datetime.now(UTC), 0
    columns = [*NAME[:-1], "key", "payload", "reason", "detail", "failed_at", "attempts", "version"]
    for batch in tried.batches:
        topic = tried.settings.topic(channel_topic(batch.channel))
        values = BatchEncoder(batch.channel, registry_of(tried.settings)).encode(batch.frame)
        rows = []
        for key, value in zip(keys_of(subjects(batch.frame)), values, strict=True):
            rows.append([topic, at % 4, 1_000_000 + at, 0, key, value, "undecodable", "", now, 1, "0"])
            at += 1
        tried.client.insert("dead_letters_store", rows, column_names=columns)
    return int(tried.client.command("SELECT uniqExact(topic, key, payload) FROM dead_letters"))


async def _replay(tried: World, kill_after: float | None) -> int:
    """The status of `rihla replay`, killed after some seconds."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "streams.cli", "replay", "--rate", f"{RATE}/s"),
        env={**environment(tried.settings), "PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        return await asyncio.wait_for(process.wait(), kill_after)
    except TimeoutError:
        process.kill()
        return await process.wait()


FAULTS = (ReplayKilled(),)
