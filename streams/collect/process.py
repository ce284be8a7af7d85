"""The collector as a process: a producer, the HTTP interface, and the page that every worker has."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import uvloop
from aiokafka.errors import KafkaError

from streams import metrics
from streams.collect.app import RESULTS, ROUTES, STATUSES, Collector
from streams.collect.configuration import Access, access_of
from streams.collect.hooks import Hooks
from streams.collect.intake import Intake
from streams.collect.server import Server
from streams.collect.surveys import Answered, Follower
from streams.collect.writer import WORKER, Writer
from streams.errors import RihlaError
from streams.guest.links import PATH
from streams.kafka.acl_check import AclError
from streams.kafka.refusals import BrokerRefusedError
from streams.kafka.topics import TopicDeniedError, TopicError
from streams.logs import configure_logging
from streams.loop.keys import SigningKeyError, keys_of
from streams.model import company
from streams.registries import registry_of
from streams.series import begin
from streams.settings import Settings, SettingsError
from streams.sources.feeder import producing
from streams.topology import SERVICES_BY_NAME
from streams.tracing import tracing_of
from streams.variables import misspelt, sentence
from streams.worker import page
from streams.worker.process import prepare

KNOWN = {"route": ROUTES, "status": STATUSES, "result": RESULTS}

log = logging.getLogger(__name__)


def run(settings: Settings, metrics_host: str, metrics_port: int) -> int:
    """Collect until SIGTERM or SIGINT.

    Returns the process's exit code, 0. Raises RihlaError when it cannot start.
    """
    configure_logging(WORKER, settings.log_format)
    for name, nearest in misspelt(os.environ).items():
        log.warning("%s", sentence(name, nearest))
    try:
        uvloop.run(serve(settings, metrics_host, metrics_port))
    except (BrokerRefusedError, AclError, TopicDeniedError):
        raise
    except (KafkaError, TopicError) as error:
        raise RihlaError(
            f"no broker to work with at {settings.brokers}: {error}", "see RIHLA_BROKERS, or run `rihla doctor`"
        ) from error
    return 0


async def serve(settings: Settings, metrics_host: str, metrics_port: int) -> None:
    """Collect until SIGTERM or SIGINT. Raises RihlaError and aiokafka's errors when it cannot start."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    access = access_of(settings)
    begin(settings, SERVICES_BY_NAME[WORKER], KNOWN)
    await prepare(WORKER, settings)
    async with collecting(settings, access) as (port, writer):
        about = await page.serve(
            WORKER,
            metrics_port,
            lambda: {"outputs": writer.acknowledged, "counters": metrics.counters()},
            writer.ready,
            host=metrics_host,
            last_progress=writer.last_progress,
        )
        log.info("listening %s", about.url)
        log.info("collecting http://%s:%d", settings.collect_host, port)
        try:
            await stop.wait()
        finally:
            await about.stop()


@asynccontextmanager
async def collecting(settings: Settings, access: Access) -> AsyncIterator[tuple[int, Writer]]:
    """The HTTP interface, on the port that is yielded, with its writer; at the end, requests under way are answered.

    The topics must exist. Raises RihlaError and aiokafka's errors when it cannot start.
    """
    model = company.load(settings.model)
    registry, nobody = registry_of(settings), model.nobody(settings.nobody_values)
    async with producing(settings) as producer:
        writer = Writer(producer, settings)
        intake, hooks = Intake(registry, settings.wire, nobody, model), Hooks(registry, settings.wire, nobody)
        keys = _link_keys(settings)
        outside = urlsplit(settings.survey_url or "").hostname
        names = {*settings.name_list, *([outside] if outside else [])}
        answered = Answered()
        follower = Follower(answered, settings, registry) if keys else None
        tracing = tracing_of(settings, WORKER)
        server = Server(Collector(access, intake, hooks, writer, keys, answered, tracing).app, names, (PATH,))
        await writer.start()
        if follower is not None:
            await follower.start()
        try:
            yield await server.listen(settings.collect_host, settings.collect_port), writer
        finally:
            await server.close()
            if follower is not None:
                await follower.stop()
            await writer.stop()
            if tracing is not None:
                await tracing.stop()


def _link_keys(settings: Settings) -> list[bytes]:
    """The keys of guests' links; none where they are not set. Raises SettingsError."""
    try:
        return [] if settings.link_keys is None else keys_of(settings.link_keys)
    except SigningKeyError as error:
        raise SettingsError(f"link_keys {error}", "openssl rand -base64 32 makes one") from None
