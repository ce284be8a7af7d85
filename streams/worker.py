"""One production worker as a process: its Faust app, its agent, its HTTP page."""

from __future__ import annotations

import asyncio
import gc
import importlib
import logging
from typing import Any

from aiokafka.errors import KafkaError

from streams import metrics, topology, web
from streams.app import build, configure_logging, ensure_topics, run_worker
from streams.edge import Edge
from streams.errors import RihlaError
from streams.health import Health
from streams.settings import Settings
from streams.topics import TopicError, ensure_changelogs

EXPORT_EVERY = 2.0
"""Seconds between looks at positions and lags."""

GC_THRESHOLDS = (500_000, 50, 100)
"""A batch makes some hundred thousand objects that die by reference count: with Python's own thresholds the cycle
collector walks through them again and again, for a third of stitch's time."""

log = logging.getLogger(__name__)


class Page:
    """The worker's HTTP page as a service beside the app (see streams.web)."""

    def __init__(self, app: Any, edge: Edge, host: str, port: int) -> None:
        self._app, self._edge, self._host, self._port = app, edge, host, port
        self._page: web.WorkerPage | None = None
        self._exporting: asyncio.Task[None] | None = None
        self._health = Health(app)
        self._recovered = 0

    async def start(self) -> None:
        """Listen, say where, and begin to export positions."""
        self._page = await web.serve(
            self._edge.worker,
            self._port,
            self._edge.progress,
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
            self._edge.export_offsets()
            for table in self._app.tables.values():
                metrics.RECOVERY_SECONDS.set(table.recovery_seconds)
                metrics.RECOVERY_KEYS.inc(table.recovered_records - self._recovered)
                self._recovered = table.recovered_records
            await asyncio.sleep(EXPORT_EVERY)


def run(worker: str, settings: Settings, metrics_host: str, metrics_port: int) -> int:
    """Run a worker until SIGTERM or SIGINT.

    Returns the process's exit code: 0 after a signal, 1 after a crash. Raises RihlaError when it cannot start.
    """
    configure_logging()
    try:
        asyncio.run(ensure_topics(settings))
    except (KafkaError, TopicError) as error:
        raise RihlaError(
            f"no broker to work with at {settings.brokers}: {error}", "see RIHLA_BROKERS, or run `rihla doctor`"
        ) from error
    app = build(settings, worker)
    edge: Edge = importlib.import_module(topology.WORKERS_BY_NAME[worker].module).create(app, settings)

    @app.on_partitions_assigned.connect  # type: ignore[untyped-decorator]  # Faust is untyped
    async def assigned(app: Any, assigned: Any, **kwargs: Any) -> None:
        metrics.REBALANCES.inc()

    asyncio.run(
        ensure_changelogs(settings, {table.changelog_topic_name: table.partitions for table in app.tables.values()})
    )
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    return run_worker(app, edge.follower(), Page(app, edge, metrics_host, metrics_port))
