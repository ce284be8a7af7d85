"""One production worker as a process: its Faust app, its agent, its HTTP page."""

from __future__ import annotations

import asyncio
import gc
import importlib
import logging
import os
import time
from dataclasses import replace
from typing import Any

from aiokafka.errors import KafkaError

from streams import metrics, topology
from streams.errors import RihlaError
from streams.kafka import layout, topic_checks
from streams.kafka.acl_check import AclError, require
from streams.kafka.app import build, ensure_topics, run_worker
from streams.kafka.refusals import BrokerRefusedError
from streams.kafka.topics import TopicDeniedError, TopicError, ensure_changelogs, layout_of
from streams.logs import configure_logging
from streams.settings import Settings
from streams.variables import misspelt, sentence
from streams.worker import page, release
from streams.worker.health import Health
from streams.worker.io import WorkerIO

EXPORT_EVERY = 2.0
"""Seconds between looks at positions and lags."""
LAYOUT_EVERY = 10.0
"""Seconds between looks at the numbers of partitions, which anybody may change while the worker runs."""

GC_THRESHOLDS = (500_000, 50, 100)
"""A batch makes some hundred thousand objects, which reference counting frees. With Python's own thresholds the cycle
collector walks through them again and again, which takes a third of stitch's time."""

log = logging.getLogger(__name__)


class Page:
    """The worker's HTTP page as a service beside the app (see streams.worker.page)."""

    def __init__(self, app: Any, io: WorkerIO, host: str, port: int) -> None:
        self._app, self._io, self._host, self._port = app, io, host, port
        self._page: page.WorkerPage | None = None
        self._exporting: asyncio.Task[None] | None = None
        self._health = Health(app)
        self._recovered = 0
        self._looked = time.monotonic()

    async def start(self) -> None:
        """Listen, say where, and begin to export positions."""
        self._page = await page.serve(
            self._io.worker,
            self._port,
            self._io.progress,
            self._health.ready,
            host=self._host,
            last_progress=self._health.last_progress,
        )
        log.info("listening %s", self._page.url)
        self._exporting = asyncio.ensure_future(self._export())

    async def stop(self) -> None:
        """Stop both."""
        if self._exporting is not None:
            self._exporting.cancel()
        if self._page is not None:
            await self._page.stop()

    async def _export(self) -> None:
        while True:
            await self._health.look()
            self._io.export_offsets()
            await self._io.tell_missed()
            for table in self._app.tables.values():
                metrics.RECOVERY_SECONDS.set(table.recovery_seconds)
                metrics.RECOVERY_KEYS.inc(table.recovered_records - self._recovered)
                self._recovered = table.recovered_records
            await self._check_layout()
            await asyncio.sleep(EXPORT_EVERY)

    async def _check_layout(self) -> None:
        """Stop the worker when topics no longer fit each other (see streams.kafka.layout)."""
        if not self._app.started or time.monotonic() - self._looked < LAYOUT_EVERY:
            return
        self._looked = time.monotonic()
        # All topics, since to ask about one that is missing may make it.
        cluster = await self._app.producer._ensure_producer().client.fetch_all_metadata()
        partitions = {topic: len(cluster.partitions_for_topic(topic) or ()) for topic in cluster.topics()}
        wrong = layout.misfit(partitions, self._io.settings) or layout.changed(partitions, self._io.settings)
        if wrong is not None:
            self._app.give_up(wrong)


async def _misfit(settings: Settings) -> layout.LayoutError | None:
    partitions = await layout_of(settings)
    wrong = layout.misfit(partitions, settings)
    if wrong is None and not settings.embedded:  # whose topics are new with each start
        wrong = await topic_checks.strays(settings, partitions)
    return wrong


async def prepare(worker: str, settings: Settings) -> dict[str, int]:
    """Check the worker's rights, make the topics that are missing, and join the releases that work on them.

    Returns partitions by full topic name.
    """
    await require(settings, worker)
    partitions = await ensure_topics(settings)
    await require(settings, worker)  # of topics that were not there before, nobody could tell
    await release.join(settings, worker)
    return partitions


def run(worker: str, settings: Settings, metrics_host: str, metrics_port: int) -> int:
    """Run a worker until SIGTERM or SIGINT.

    Returns the process's exit code: 0 after a signal, 1 after a crash. Raises RihlaError when it cannot start.
    """
    configure_logging(worker, settings.log_format)
    for name, nearest in misspelt(os.environ).items():
        log.warning("%s", sentence(name, nearest))
    try:
        partitions = asyncio.run(prepare(worker, settings))
        wrong = asyncio.run(_misfit(settings))
    except (BrokerRefusedError, AclError, TopicDeniedError, layout.LayoutError, release.ReleaseError):
        raise
    except (KafkaError, TopicError) as error:
        raise RihlaError(
            f"no broker to work with at {settings.brokers}: {error}", "see RIHLA_BROKERS, or run `rihla doctor`"
        ) from error
    if wrong is not None:
        raise wrong
    there = partitions[settings.topic("interactions")]
    if there != settings.partitions:
        log.info("topics have %d partitions, whatever RIHLA_PARTITIONS=%d says", there, settings.partitions)
        settings = replace(settings, partitions=there)
    app = build(settings, worker, declare=False)
    io: WorkerIO = importlib.import_module(topology.WORKERS_BY_NAME[worker].module).create(app, settings)

    @app.on_partitions_assigned.connect  # type: ignore[untyped-decorator]  # Faust is untyped
    async def assigned(app: Any, assigned: Any, **kwargs: Any) -> None:
        metrics.REBALANCES.inc()

    asyncio.run(
        ensure_changelogs(settings, {table.changelog_topic_name: table.partitions for table in app.tables.values()})
    )
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    return run_worker(app, *io.followers(), Page(app, io, metrics_host, metrics_port))
