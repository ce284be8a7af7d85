"""A worker's Faust app, made from the settings, and the loop that runs it until a signal or an error ends it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import faust
from faust.tables import manager

from streams.errors import RihlaError
from streams.kafka import clients, transport
from streams.kafka.batch_producer import BATCH_BYTES, REQUEST_BYTES
from streams.kafka.topics import ensure_topics
from streams.settings import Settings
from streams.topology import COMPACTED

__all__ = ["App", "build", "ensure_topics", "run_worker"]

QUEUED_BATCHES = 8  # per agent: enough to decode one while the next is fetched
FETCH_BYTES = 4 << 20  # per partition
METADATA_AGE_MS = 30_000  # a topic or partition that is new is noticed so late
COMMIT_EVERY = 1.0  # seconds
EMBEDDED_SESSION = 10.0  # seconds
EMBEDDED_REBALANCE = 6.0
REBALANCE = 60.0
REQUEST = 90.0
REQUEST_BEYOND_SESSION = 30.0  # Faust refuses to start where a session outlasts a request
STOP_WITHIN = 60.0  # seconds for a graceful stop
STOP_CRASHED_WITHIN = 10.0  # after a crash nothing is left to finish, and the group waits for this worker's partitions

Prepare = Callable[[Iterable[Iterable[bytes | None]]], Awaitable[bool]]

log = logging.getLogger(__name__)


class TableManager(manager.TableManager):  # type: ignore[misc]  # Faust is untyped
    """Faust's, without the second that it waits for tables to be declared: ours are before the app starts."""

    logger = logging.getLogger("faust.tables")  # as App.logger

    async def on_start(self) -> None:
        await self._update_channels()
        await self.recovery.start()


class App(faust.App):  # type: ignore[misc]  # Faust is untyped
    """A Faust app that leaves no folders behind and knows what the transport and the tables need to know."""

    logger = logging.getLogger("faust.app")  # what Faust's base class logs keeps its name
    settings: Settings
    embedded: bool
    worker: str
    compacted_topics: frozenset[str]
    prepare: Prepare | None = None
    """Awaited with the values of batches before they are handled, where there is one: Lookup.prepare."""
    given_up: RihlaError | None
    must_end: asyncio.Event

    def give_up(self, reason: RihlaError) -> None:
        """End the worker, in order, for a reason that a person must mend: no crash, and no traceback."""
        self.given_up = reason
        self.must_end.set()

    def _create_directories(self) -> None:
        """Nothing is kept on disk."""


def build(settings: Settings, worker: str, *, declare: bool = True) -> App:
    """The app of a worker ("enrich", "identity", "stitch", "sink"): group `<prefix>-<worker>`, batches, bytes.

    declare: let Faust make changelogs that are missing, which needs the right to, even where they are there.
    Agents and tables are added by the caller; the topics must exist (ensure_topics).
    """
    session = min(settings.session_timeout, EMBEDDED_SESSION) if settings.embedded else settings.session_timeout
    app = App(
        settings.group(worker),
        broker=[f"{transport.SCHEME}://{address}" for address in settings.broker_list],
        broker_credentials=clients.credentials(settings),
        store="memory://",
        TableManager=TableManager,
        autodiscover=False,
        key_serializer="raw",
        value_serializer="raw",
        topic_partitions=settings.partitions,
        topic_replication_factor=settings.replication,
        topic_disable_leader=True,
        topic_allow_declare=declare,
        table_standby_replicas=0,
        web_enabled=False,
        worker_redirect_stdouts=False,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=FETCH_BYTES,
        consumer_metadata_max_age_ms=METADATA_AGE_MS,
        broker_max_poll_records=settings.max_poll_records,
        broker_max_poll_interval=3600.0,  # recovery of a large table counts as a pause between polls
        broker_commit_interval=COMMIT_EVERY,
        broker_session_timeout=session,
        broker_request_timeout=max(REQUEST, session + REQUEST_BEYOND_SESSION),
        broker_heartbeat_interval=session / 10,
        broker_rebalance_timeout=EMBEDDED_REBALANCE if settings.embedded else REBALANCE,
        producer_acks=-1,
        producer_linger_ms=0,
        producer_max_batch_size=BATCH_BYTES,
        producer_max_request_size=REQUEST_BYTES,
        producer_compression_type=None if settings.compression == "none" else settings.compression,
        stream_buffer_maxsize=QUEUED_BATCHES,
        stream_wait_empty=True,  # a batch in progress ends before its partition is given up
    )
    app.settings = settings
    app.worker = worker
    app.embedded = settings.embedded
    app.worker = worker
    app.given_up, app.must_end = None, asyncio.Event()
    app.compacted_topics = frozenset(settings.topic(name) for name in COMPACTED)
    return app


def run_worker(app: App, *services: Any) -> int:
    """Run an app, with any further mode services, until SIGTERM or SIGINT; the process's exit code.

    A stop is graceful: batches in progress end, and what is acked is committed. 0 after a signal; 1 after a crash, and
    when something would not stop.
    """
    if sys.platform != "win32":
        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())  # Faust makes loops for its threads, too
    code, stopped = asyncio.run(_run(app, services))
    others = [thread for thread in threading.enumerate() if thread is not threading.main_thread() and not thread.daemon]
    if others or not stopped:
        # They would keep the process: Faust's consumer thread, or one that waits for an answer of ClickHouse.
        logging.shutdown()
        os._exit(code if stopped else 1)
    return code


async def _run(app: App, services: tuple[Any, ...]) -> tuple[int, bool]:
    """Exit code, and whether everything has stopped."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    app.in_worker = True
    app.finalize()
    for service in services:
        await service.start()
    starting = asyncio.ensure_future(app.start())
    stopping = asyncio.ensure_future(stop.wait())
    crashing = asyncio.ensure_future(app._crashed.wait())
    giving_up = asyncio.ensure_future(app.must_end.wait())
    try:
        await asyncio.wait({starting, stopping, crashing, giving_up}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done() and not starting.exception():
            await asyncio.wait({stopping, crashing, giving_up}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        crashing.cancel()
        giving_up.cancel()
        reason = (
            app.given_up
            or app.crash_reason
            or (starting.exception() if starting.done() and not starting.cancelled() else None)
        )
        within = STOP_WITHIN if reason is None else STOP_CRASHED_WITHIN
        stopped = await _stop(app, starting, services, within, told=isinstance(reason, RihlaError))
    if reason is not None:
        from streams.kafka.acl_check import explained

        reason = await explained(app.settings, app.worker, reason)
        if isinstance(reason, RihlaError):
            log.critical("worker stopped: %s", reason)
            log.critical("what to do: %s", reason.hint or "see the log above")
        else:
            log.critical("worker stopped: %s: %s", type(reason).__name__, reason)
    return int(reason is not None), stopped


async def _stop(app: App, starting: asyncio.Future[Any], services: tuple[Any, ...], within: float, told: bool) -> bool:
    """Stop everything, within a limit: a worker that cannot stop must still end. False: it did not stop.

    told: a sentence for people says why the worker stops. An error while stopping goes to the debug log.
    """
    stopped = False
    try:
        await asyncio.wait_for(app.stop(), within)
        stopped = True
    except TimeoutError:
        log.error("worker did not stop within %.0f s", within)
    except Exception:
        log.log(logging.DEBUG if told else logging.ERROR, "worker did not stop cleanly", exc_info=True)
    starting.cancel()
    with contextlib.suppress(asyncio.CancelledError, Exception):
        await starting
    for service in reversed(services):
        await service.stop()
    return stopped
