"""`rihla run`: feeds files to the whole pipeline, and accounts for every event in them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from sinks.clickhouse.resolved import Resolver
from streams.embedded.accounting import Account, Accounting, event_keys
from streams.embedded.memory import TreeMemory
from streams.embedded.pipeline import Pipeline
from streams.embedded.plan import Plan
from streams.enrich.clean import as_stored
from streams.enrich.judge import Judge
from streams.kafka.drain import Lag, wait_until_drained
from streams.kafka.observer import Observer
from streams.registries import registry_of
from streams.sources.adapters import open_source
from streams.sources.events import EventBatch, SourceError
from streams.sources.feeder import Fed, Feeder, each_file
from streams.sources.spelling import Unknown

MAX_RESTARTS = 5
"""Deaths of a worker in a row after which the run fails: the worker is broken."""


@dataclass
class Progress:
    """Progress of a run, for display. Changed in place."""

    stage: str = "starting"
    fed: int = 0
    restored: int = 0
    lags: list[Lag] = field(default_factory=list)
    first_done: float | None = None
    """When the first record was seen to be processed (time.monotonic): the workers have joined their groups by then."""

    def restore(self, events: int) -> None:
        """Note that state is being rebuilt, and from how many events so far."""
        self.stage, self.restored = "restoring", events


@dataclass(frozen=True)
class Summary:
    """What a run did."""

    account: Account
    bad_lines: dict[str, int]
    """Lines of the files that were no events, by reason; each is a dead letter."""
    restored: int
    """Events of the database from which state was rebuilt at the start."""
    customers: int
    journeys: dict[str, int]
    """Journeys by status."""
    restarts: dict[str, int]
    """Workers that died and were started again: how often."""
    seconds: float
    """From the first event fed to the last one stored."""
    joining_seconds: float
    """How much of that went by before a first record was processed: workers start and join their groups."""
    total_seconds: float
    """With starting and stopping."""
    peak_memory: int
    """Bytes (PSS) of all processes together, at their highest; 0 where that cannot be measured."""
    memory_at_peak: dict[str, int]
    unknown: Unknown = field(default_factory=Unknown)
    """Touchpoints that the catalogue does not know."""
    unread: Counter[str] = field(default_factory=Counter)
    """Optional fields that could not be read, by name; they are attributes of their events."""
    broken: Sequence[str] = ()
    """A sentence on each file that could not be read to its end."""

    @property
    def records(self) -> int:
        """Lines read: events and lines that were none."""
        return self.account.events + sum(self.bad_lines.values())

    @property
    def dead_letters(self) -> dict[str, int]:
        """Dead letters by reason, of bad lines and of events refused."""
        reasons = [*self.bad_lines, *self.account.refused]
        return {
            reason: self.bad_lines.get(reason, 0) + self.account.refused.get(reason, 0)
            for reason in sorted(set(reasons))
        }

    @property
    def complete(self) -> bool:
        """Whether every event is accounted for."""
        return self.account.lost == 0 and self.account.duplicates >= 0


async def run_files(
    plan: Plan,
    files: Sequence[str],
    adapter: str | None,
    progress: Progress,
    say: Callable[[str], None],
    mapping: str | None = None,
    source: str | None = None,
) -> Summary:
    """Start the pipeline, feed the files, wait until all is stored, stop.

    adapter, mapping, source: how the files are read, as for `open_source`.

    Raises SourceError for a file that cannot be read (before anything is started where it is missing), RihlaError and
    what the pipeline's parts raise.
    """
    sources = [open_source(file, adapter, mapping=mapping, source=source) for file in files]
    return await run_sources(plan, sources, progress, say)


async def run_sources(
    plan: Plan, sources: Sequence[Iterator[EventBatch]], progress: Progress, say: Callable[[str], None]
) -> Summary:
    """The same with the batches of sources, one after the other."""
    began = time.monotonic()
    with TreeMemory() as memory:
        async with Pipeline(plan, "run", say, progress.restore) as pipeline:
            accounting = Accounting(pipeline.client, pipeline.settings, registry_of(pipeline.settings))
            await asyncio.to_thread(accounting.open)
            try:
                feeding = time.monotonic()
                broken: list[str] = []
                fed = await feed_and_wait(pipeline, each_file(sources, broken), accounting, progress)
                fed.broken = broken
                if broken and not fed.total:
                    raise SourceError("; ".join(broken))
                seconds = time.monotonic() - feeding
                await asyncio.to_thread(_resolve, pipeline)
                progress.stage = "counting"
                account = await asyncio.to_thread(accounting.account)
                customers, journeys = await asyncio.to_thread(_counts, pipeline.client)
            finally:
                await asyncio.to_thread(accounting.close)
            restarts = dict(pipeline.supervisor.restarts)
            progress.stage = "stopping"
    return Summary(
        account,
        fed.bad,
        pipeline.restored.events,
        customers,
        journeys,
        restarts,
        seconds,
        0.0 if progress.first_done is None else progress.first_done - feeding,
        time.monotonic() - began,
        memory.peak,
        memory.at_peak,
        fed.unknown,
        fed.unread,
        fed.broken,
    )


def _resolve(pipeline: Pipeline) -> None:
    """Have the customers and journeys resolved that the sink has not come to."""
    Resolver(pipeline.client, pipeline.settings.database).settle()


async def feed_and_wait(
    pipeline: Pipeline, batches: Iterator[EventBatch], accounting: Accounting, progress: Progress
) -> Fed:
    """What was fed, once all is stored."""
    feeder = Feeder(
        pipeline.producer,
        pipeline.settings,
        registry_of(pipeline.settings),
        Judge(accounting.naming.nobody),
        lambda events: _erased(pipeline, events),
    )

    def fed(events: pl.DataFrame | None, records: int) -> None:
        progress.fed += records
        if events is not None:
            allowed = pipeline.erased.events(events)
            kept = as_stored(
                events if allowed is None else allowed[0], accounting.naming.nobody, accounting.naming.scopes
            )
            allowed = pipeline.erased.events(kept)  # in the spelling of then, and in the normal one
            kept = kept if allowed is None else allowed[0]
            accounting.feed(event_keys(kept, accounting.naming))
            accounting.feed_erased(events.height - kept.height)

    progress.stage = "feeding"
    async with Observer(pipeline.settings, pipeline.addresses) as observer:
        observer.ledger.wrote(pipeline.restored.acknowledged)

        async def look() -> bool:
            pipeline.check()
            observer.ledger.wrote(feeder.acknowledged)
            complete = await observer.look()
            progress.lags = observer.ledger.lags()
            if progress.first_done is None and any(lag.done for lag in progress.lags):
                progress.first_done = time.monotonic()
            return complete

        watching = asyncio.create_task(_watch(look))
        try:
            await feeder.feed(batches, fed=fed, check=pipeline.check)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        progress.stage = "storing"
        await wait_until_drained(observer.ledger, look, looks=pipeline.looks)
    return feeder.fed


def _erased(pipeline: Pipeline, events: pl.DataFrame) -> pl.Series:
    """Which events are about somebody who was erased."""
    allowed = pipeline.erased.events(events)
    if allowed is None:
        return pl.repeat(False, events.height, dtype=pl.Boolean, eager=True)
    return ~allowed[1]


async def _watch(look: Callable[[], Any]) -> None:
    """Keep the ledger up to date while the files are fed, so that it has seen what a dying worker had done."""
    while True:
        await look()
        await asyncio.sleep(1.0)


def _counts(client: Any) -> tuple[int, dict[str, int]]:
    """Customers, and journeys by status, as analysts see them."""
    customers = int(client.command("SELECT count() FROM customers"))
    journeys = client.query("SELECT status, count() FROM journeys GROUP BY status ORDER BY status").result_rows
    return customers, {str(status): int(number) for status, number in journeys}
