"""`rihla worker serve`: the view, its followers and its HTTP interface in one process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from aiokafka.errors import KafkaError

from schemas.encode import BatchEncoder
from schemas.registry import HttpRegistry, Registry
from streams import metrics
from streams.door import Door, Limits
from streams.erasure import follow as erasures
from streams.erasure import key
from streams.erasure.erased import Erased
from streams.errors import RihlaError
from streams.kafka import clients
from streams.kafka.batch_producer import BatchProducer
from streams.logs import configure_logging
from streams.loop.keys import SigningKeyError, keys_of
from streams.loop.links import PATH
from streams.model.company import load as load_model
from streams.registries import registry_of
from streams.series import begin
from streams.serve import openid
from streams.serve.answering import Answers
from streams.serve.api import EVERY_ROUTE, STATUSES, Api
from streams.serve.desk import routes
from streams.serve.desk.figures import Figures, from_clickhouse
from streams.serve.desk.pipeline import Pipeline, from_kafka
from streams.serve.desk.routes import DESK, Desk
from streams.serve.follow import Changed, Follower
from streams.serve.inbox import deadlines_of
from streams.serve.links import Links
from streams.serve.lookups import Lookups, Row
from streams.serve.openid import Accounts
from streams.serve.sessions import Sessions
from streams.serve.store import Store
from streams.serve.tokens import Tokens, load
from streams.settings import Settings, SettingsError
from streams.topology import SERVICES_BY_NAME
from streams.worker import page
from streams.worker.kept_schemas import KeptSchemas
from streams.worker.process import prepare

if TYPE_CHECKING:
    from streams.serve.openid_provider import Provider

WORKER = "serve"
LOOKUPS = "lookups"
LIMITS = Limits(connections=1000, line=16 << 10, header=8 << 10)
EXPORT_EVERY = 1.0
TURN = 0.0005
"""Seconds for which the thread that applies rows may keep the interpreter while an answer waits for it. With Python's
own 5 ms an answer that reads and writes sockets, and asks for the interpreter each time, takes tens of them.
"""

KNOWN = {"route": (*EVERY_ROUTE, *routes.ROUTES), "status": STATUSES}

log = logging.getLogger(__name__)


def run(settings: Settings, metrics_host: str, metrics_port: int) -> int:
    """Serve until SIGTERM or SIGINT; the exit status: 0 after a signal, 1 after a crash.

    Raises RihlaError when it cannot start.
    """
    configure_logging(WORKER, settings.log_format)
    if settings.serve_tokens is None and settings.serve_openid is None:
        raise SettingsError("serve_tokens is not set: nobody could ask", "RIHLA_SERVE_TOKENS=FILE; see docs/serve.md")
    import uvloop

    sys.setswitchinterval(TURN)
    try:
        return uvloop.run(_Process(settings, metrics_host, metrics_port).run())
    except KafkaError as error:
        raise RihlaError(
            f"no broker to work with at {settings.brokers}: {error}", "see RIHLA_BROKERS, or run `rihla doctor`"
        ) from error


def _company(path: Path) -> tuple[Provider, Accounts]:
    """How company accounts sign in. Raises OpenIdError, and SettingsError where the extra is missing."""
    client = openid.load(path)
    try:
        from streams.serve.openid_provider import Provider
    except ImportError as error:
        raise SettingsError("RIHLA_SERVE_OPENID needs the extra openid", "pip install 'rihla[openid]'") from error
    return Provider(client), Accounts(client.config)


class _Process:
    def __init__(self, settings: Settings, metrics_host: str, metrics_port: int) -> None:
        self._settings, self._page_at = settings, (metrics_host, metrics_port)
        self._failure: BaseException | None = None
        self._stop = asyncio.Event()

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        settings = self._settings
        allowed = Tokens({}) if settings.serve_tokens is None else load(Path(settings.serve_tokens))
        company = None if settings.serve_openid is None else _company(Path(settings.serve_openid))
        begin(settings, SERVICES_BY_NAME[WORKER], KNOWN)
        await prepare(WORKER, settings)
        async with contextlib.AsyncExitStack() as stack:
            store = Store(Path(settings.serve_folder))
            stack.callback(store.close)
            registry = registry_of(settings)
            if isinstance(registry, HttpRegistry):
                await _started(stack, KeptSchemas(registry, settings, self._failed))
            erased = Erased(key.from_environment())
            await _started(stack, erasures.Follower(erased, settings, registry, self._failed))
            producer = clients.producer(settings)
            await producer.start()
            stack.push_async_callback(producer.stop)
            output = BatchProducer(producer, settings.topic(LOOKUPS))
            lookups = Lookups(_sender(output, settings, registry))
            await _started(stack, lookups)
            follower = Follower(settings, registry, store, erased, lambda rows: changed(rows), self._failed)
            sessions = Sessions()
            answers = Answers(producer, settings, registry)
            model = load_model(settings.model, settings.alert_rules)
            links = _links(settings, store, answers)
            api = Api(store, allowed, lookups, follower.age, links, sessions, model)
            ask = from_clickhouse(settings.clickhouse_endpoint, settings.database)
            lags = Pipeline(from_kafka(settings), ask, follower.age, f"{settings.prefix}.", model.hash)
            figures, address = Figures(ask), settings.public_url
            desk = Desk(
                api, store, allowed, sessions, deadlines_of(model), figures, lags, answers.record, address, company
            )

            def changed(rows: Changed) -> None:
                desk.changed(rows)
                api.changed(rows)

            await _started(stack, follower)
            await self._serve(stack, api, follower, lambda: {output.topic: output.acknowledged, **answers.acknowledged})
            await self._stop.wait()
            log.info("stopping")
        if self._failure is not None:
            log.error("stopped by %s: %s", type(self._failure).__name__, self._failure)
        return 0 if self._failure is None else 1

    async def _serve(
        self, stack: contextlib.AsyncExitStack, api: Api, follower: Follower, outputs: Callable[[], Any]
    ) -> None:
        settings = self._settings
        outside = urlsplit(settings.public_url or "").hostname
        door = Door(api.app, LIMITS, {*settings.name_list, *([outside] if outside else [])}, (PATH, DESK))
        stack.push_async_callback(door.close)
        try:
            port = await door.listen(settings.serve_host, settings.serve_port)
        except OSError as error:
            raise RihlaError(
                f"nothing can listen on {settings.serve_host}:{settings.serve_port}: {error.strerror}",
                "choose another address: RIHLA_SERVE_HOST, RIHLA_SERVE_PORT",
            ) from error
        log.info("serving http://%s:%d, the desk at /desk", settings.serve_host, port)
        shown = await page.serve(
            WORKER,
            self._page_at[1],
            lambda: {
                "inputs": follower.positions(),
                "outputs": outputs(),
                "counters": metrics.counters(),
            },
            lambda: _ready(follower),
            host=self._page_at[0],
        )
        stack.push_async_callback(shown.stop)
        log.info("listening %s", shown.url)
        exporting = asyncio.ensure_future(_export(follower))
        stack.callback(exporting.cancel)

    async def _failed(self, error: BaseException) -> None:
        self._failure = self._failure or error
        self._stop.set()


async def _started(stack: contextlib.AsyncExitStack, service: Any) -> None:
    stack.push_async_callback(service.stop)
    await service.start()


def _links(settings: Settings, store: Store, answers: Answers) -> Links | None:
    """The pages behind the links in messages; None if no keys are set. Raises SettingsError."""
    if settings.link_keys is None:
        return None
    try:
        return Links(store, keys_of(settings.link_keys), answers.record)
    except SigningKeyError as error:
        raise SettingsError(f"link_keys {error}", "openssl rand -base64 32 makes one") from None


def _ready(follower: Follower) -> tuple[bool, str]:
    age = follower.age()
    return (False, "the view is being filled") if math.isinf(age) else (True, f"the view is {age:.1f} s old")


def _sender(output: BatchProducer, settings: Settings, registry: Registry) -> Any:
    encoder = BatchEncoder("lookup", registry, settings.wire)

    async def send(rows: Sequence[Row]) -> None:
        await output.send([row[5].encode() for row in rows], encoder.encode(list(rows)))
        await output.flush()

    return send


async def _export(follower: Follower) -> None:
    said = 0
    while True:
        metrics.SERVE_AGE_SECONDS.set(follower.age())
        metrics.SERVE_RECORDS.inc(follower.records - said)
        said = follower.records
        await asyncio.sleep(EXPORT_EVERY)
