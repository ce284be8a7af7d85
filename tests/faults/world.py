"""One trial's world: topics and a database of its own, four kinds of worker, a stream of events, and the account.

The workers are production's, with the hooks of tests.faults.worker; a supervisor starts those again that die, as
`rihla up` or an orchestrator does. ClickHouse's engine runs in this process, one for all trials.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import itertools
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from aiokafka.errors import KafkaError

from schemas.encode import BatchEncoder
from sinks.clickhouse.client import connect
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.resolved import Resolver
from streams.embedded.clickhouse.access import OWNER
from streams.embedded.clickhouse.database import Database
from streams.embedded.supervisor import Child, ChildSpec, Supervisor
from streams.kafka.batch_producer import BatchProducer
from streams.kafka.drain import wait_until_drained
from streams.kafka.observer import Observer
from streams.kafka.topics import ensure_topics
from streams.model.subjects import keys_of, subjects
from streams.registries import registry_of
from streams.settings import Settings, environment
from streams.sources.adapters import open_source
from streams.sources.events import EventBatch
from streams.sources.feeder import producing
from streams.sources.simulate import Options, write
from streams.topology import REQUIRED, WORKERS_BY_NAME, channel_topic
from tests.faults import broken, failpoints
from tests.support.brokers import until
from tests.support.waiting import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
KINDS = REQUIRED
SESSION = 6.0  # seconds
BATCH = 500  # records at most: many batches, so that a fault falls among them
CUSTOMERS = 700  # in a trial's stream, with some eight events each
CHUNK = 250  # events fed at a time

_numbers = itertools.count(1)


@functools.cache
def database() -> Database:
    """The engine of this process, started at first use, gone with the process."""
    folder = Path(tempfile.mkdtemp(prefix="rihla-faults-clickhouse-"))
    started = Database(folder / "clickhouse", folder / "keys").__enter__()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(started.__exit__, None, None, None)
    return started


class World:
    """Made by `world()`; everything stops when its block ends."""

    def __init__(self, folder: Path, settings: Settings, options: Options, extra: Mapping[str, str]) -> None:
        self.folder, self.settings, self._extra = folder, settings, dict(extra)
        self.seed = options.seed
        self.truth = folder / "truth.jsonl"
        write(options, folder / "events.jsonl", self.truth)
        self.batches = _chunks(folder / "events.jsonl")
        self.deaths: list[str] = []
        """Workers that ended without being told to by the trial."""
        self.supervisor = Supervisor(folder / "logs", self._died)
        self.workers: dict[str, list[Child]] = {kind: [] for kind in KINDS}
        self._told: set[int] = set()
        self._fed = 0
        self.records = 0
        """Sent so far."""
        self.reads: dict[str, Sequence[str]] = {kind: WORKERS_BY_NAME[kind].reads for kind in KINDS}
        """Names of the topics that the workers of a kind read."""
        self.poison: dict[bytes, str] = {}
        """Values that are no events: the reason for which they must be refused."""

    async def open(self, stack: AsyncExitStack) -> None:
        """Make topics and tables, and connect."""
        await self.lay_out()
        self.client = await asyncio.to_thread(connect, self.settings.clickhouse, self.settings.database)
        stack.callback(self.client.close)
        self.producer = await stack.enter_async_context(producing(self.settings))
        stack.push_async_callback(self._stop)

    async def lay_out(self) -> None:
        """Make topics and tables."""
        await ensure_topics(self.settings)
        await asyncio.to_thread(self.migrate)

    def migrate(self) -> None:
        """Bring the tables to this version's schema."""
        with closing(connect(self.settings.clickhouse, None)) as client:
            migrate(client, self.settings.database)

    async def _stop(self) -> None:
        for child in self.children():
            if child.pid is not None:
                os.kill(child.pid, signal.SIGCONT)
        await self.supervisor.stop()
        await asyncio.gather(*(child.stop() for child in self.children()))
        await asyncio.to_thread(self.client.command, f"DROP DATABASE IF EXISTS {self.settings.database} SYNC")

    # -- workers ------------------------------------------------------------------------------------------------

    async def start(self, kind: str, count: int = 1, *, supervised: bool = True, **extra: str) -> list[Child]:
        """Start workers of a kind; extra: more environment of theirs. Who is not supervised stays dead when it dies."""
        started = []
        for _ in range(count):
            name = f"{kind}-{len(self.workers[kind]) + 1}"
            spec = ChildSpec(
                name,
                [sys.executable, "-m", "tests.faults.worker", kind, "--metrics-port", "0"],
                {**environment(self.settings), "PYTHONPATH": str(ROOT), **self._extra, **extra},
            )
            if supervised:
                child = await self.supervisor.start(spec)
            else:
                child = Child(spec, self.folder / "logs" / f"{name}.log")
                child.log.parent.mkdir(exist_ok=True)
                await child.start()
            self.workers[kind].append(child)
            started.append(child)
        return started

    async def start_all(self, workers: Mapping[str, int] | None = None) -> None:
        """Start one worker of each kind, or as many as `workers` says."""
        await asyncio.gather(*(self.start(kind, (workers or {}).get(kind, 1)) for kind in KINDS))

    def failpoint(self, point: str, hit: int, action: str) -> dict[str, str]:
        """Environment that arms a failpoint (see tests.faults.failpoints)."""
        done = self.folder / f"failpoint-{next(_numbers)}"
        return {failpoints.POINT: f"{point}:{hit}:{action}", failpoints.DONE: str(done)}

    def children(self) -> list[Child]:
        """Every worker ever started."""
        return [child for children in self.workers.values() for child in children]

    def kill(self, child: Child, signum: int = signal.SIGKILL) -> None:
        """Send a worker a signal, if it runs; its death is then no surprise."""
        if child.pid is not None:
            self._told.add(child.pid)
            os.kill(child.pid, signum)

    async def reading(self, *kinds: str) -> None:
        """Return when every running worker of these kinds (all of them by default) has partitions."""

        async def joined() -> bool:
            return all([await self._joined(child) for kind in kinds or KINDS for child in self.workers[kind]
                        if child.pid is not None])  # fmt: skip

        await until(joined, PATIENCE, f"{', '.join(kinds or KINDS)} to have partitions")

    async def _joined(self, child: Child) -> bool:
        address = child.find_address()
        if address is None:
            return False
        answer = await page(f"{address}/metrics")
        return answer is not None and sample(answer, "rihla_ready") == 1.0

    def _died(self, said: str) -> None:
        if "SIGKILL" not in said:
            self.deaths.append(said)

    # -- events -------------------------------------------------------------------------------------------------

    async def feed(self, upto: float = 1.0, pause: float = 0.05, timestamp: int | None = None) -> None:
        """Send the events up to a share of all.

        pause: seconds after each chunk. timestamp: of the records, epoch milliseconds; None: now.
        """
        end = round(len(self.batches) * upto)
        for batch in self.batches[self._fed : end]:
            values = BatchEncoder(batch.channel, registry_of(self.settings)).encode(batch.frame)
            await self.send(batch.channel, keys_of(subjects(batch.frame)), values, timestamp)
            await asyncio.sleep(pause)
        self._fed = max(self._fed, end)

    async def send(
        self, channel: str, keys: Sequence[bytes | None], values: Sequence[bytes | None], timestamp: int | None = None
    ) -> None:
        """Send records to a channel's topic; returns when they are acknowledged. While the broker is away they are sent
        again and again, as a source does that must not lose any: some may then be in the topic twice."""

        async def sent() -> bool:
            output = BatchProducer(self.producer, self.settings.topic(channel_topic(channel)))
            try:
                await output.send(keys, values, timestamp)
                await output.flush()
            except KafkaError:  # aiokafka has tried for a while, and given up
                return False
            return True

        await until(sent, PATIENCE, "the broker to take records")
        self.records += len(values)

    async def settled(self, looks: int = 3, stall_seconds: float = 90.0) -> None:
        """Return when every worker's group has processed all there is, and the sink has resolved customers and
        journeys. Raises Stalled."""
        async with Observer(self.settings, self.addresses, self.reads) as observer:
            await wait_until_drained(observer.ledger, observer.look, looks=lambda: looks, stall_seconds=stall_seconds)
        await self.resolved()

    async def resolved(self) -> None:
        """Return when the sink has resolved customers and journeys of what is stored."""
        resolver = Resolver(self.client, self.settings.database)

        async def no_mark_is_left() -> bool:
            return not await asyncio.to_thread(resolver.marks)

        await until(no_mark_is_left, PATIENCE, "the sink to resolve customers and journeys")

    async def stored(self, count: int) -> None:
        """Return when so many interactions are in ClickHouse."""

        async def there() -> bool:
            found = await asyncio.to_thread(self.client.command, "SELECT count() FROM interactions_store")
            return int(found) >= count

        await until(there, PATIENCE, f"{count} interactions to be stored")

    def addresses(self) -> dict[str, list[str]]:
        """Kind: where its running workers answer."""
        return {
            kind: [found for child in children if child.pid is not None and (found := child.find_address())]
            for kind, children in self.workers.items()
        }


def _chunks(events: Path) -> list[EventBatch]:
    """The file in small batches."""
    return [
        EventBatch(batch.channel, part)
        for batch in open_source(str(events))
        for part in batch.frame.iter_slices(CHUNK)
    ]  # fmt: skip


async def page(url: str) -> str | None:
    """The text of a worker's page, None where it does not answer."""
    import aiohttp

    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http, http.get(url) as response:
            return await response.text()
    except (aiohttp.ClientError, TimeoutError):
        return None


def sample(text: str, name: str, **labels: str) -> float:
    """The sum of a metric's samples that have some labels."""
    from prometheus_client.parser import text_string_to_metric_families

    return sum(
        found.value
        for family in text_string_to_metric_families(text)
        for found in family.samples
        if found.name == name and labels.items() <= found.labels.items()
    )


@asynccontextmanager
async def world(
    address: str,
    seed: int,
    *,
    extra: Mapping[str, str] | None = None,
    clickhouse: str | None = None,
    make: Callable[[Path, Settings, Options, Mapping[str, str]], World] = World,
    ends: date | None = None,
    **settings: Any,
) -> AsyncIterator[World]:
    """A world on a broker. extra: environment of every worker. clickhouse: its URL; else an engine of our own. make:
    makes it, of the same arguments as World. ends: the last day of the stream, where it is not one of long ago."""
    prefix = f"f{os.getpid()}-{next(_numbers)}"
    options = Options(customers=CUSTOMERS, seed=seed, duplicates=0.1, disorder=0.3, late=0.05)
    if ends is not None:
        options = replace(options, start=ends - timedelta(days=options.days - 1))
    with tempfile.TemporaryDirectory(prefix="rihla-fault-", ignore_cleanup_errors=True) as folder:
        chosen = Settings(
            brokers=address,
            prefix=prefix,
            clickhouse=clickhouse or database().url_of(OWNER),
            database=prefix.replace("-", "_"),
            metrics_port=0,
            session_timeout=SESSION,
            max_poll_records=BATCH,
        )
        broken_by = {name: value for name in (broken.VARIABLE,) if (value := os.environ.get(name))}
        async with AsyncExitStack() as stack:
            made = make(Path(folder), replace(chosen, **settings), options, {**broken_by, **(extra or {})})
            await made.open(stack)
            yield made
