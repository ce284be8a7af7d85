"""The whole pipeline on one machine: broker, database and every kind of worker, under one parent process.

The parent owns the database's engine and answers its HTTP interface; the broker and the workers are its children, the
same `rihla worker` as in production. What ClickHouse holds is the memory of the pipeline: where the broker has none
(the embedded one never has), the topics are filled from it at the start, and state is rebuilt in a new epoch.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaProducer

from sinks.clickhouse.client import connect
from streams.clock import now_ms
from streams.embedded.broker import BrokerProcess
from streams.embedded.clickhouse.access import DATABASE, OWNER
from streams.embedded.clickhouse.database import Database
from streams.embedded.datadir import DataDirectory, History
from streams.embedded.kafka import Kafka
from streams.embedded.keys import address_of, read_token, token_file
from streams.embedded.plan import KAFKA, TANSU, Plan, is_sole, partitions_for
from streams.embedded.ports import HOST, USUAL_PORT, port_of_service, usual_or_free
from streams.embedded.prepared import prepared
from streams.embedded.supervisor import Child, ChildSpec, Supervisor
from streams.embedded.tansu import Tansu
from streams.embedded.written import has_stored, hold_nothing
from streams.erasure import receipt
from streams.erasure.erased import Erased
from streams.erasure.key import VARIABLE, from_environment, key_variables, of_folder
from streams.erasure.topics import announce
from streams.errors import RihlaError
from streams.kafka.topics import ensure_topics
from streams.model import company
from streams.registries import registry_of
from streams.restore import events as restore
from streams.restore.rewrite import Rewritten, is_due, rewrite
from streams.serve.tokens import entry
from streams.settings import ENVIRONMENT_PREFIX, Settings, environment, own_services, published
from streams.sources.feeder import producing

COLLECTOR, SERVER = "collect", "serve"


class Pipeline:
    """`async with Pipeline(plan, "run", say) as pipeline:` everything runs inside the block, nothing after it.

    say: called with a sentence for people at each step. on_restored: called with the number of events sent so far to
    rebuild state.
    """

    def __init__(
        self,
        plan: Plan,
        command: str,
        say: Callable[[str], None],
        on_restored: Callable[[int], None] = lambda events: None,
    ) -> None:
        self._plan, self._command, self._say, self._on_restored = plan, command, say, on_restored
        self._stack = AsyncExitStack()
        self._broker: BrokerProcess | None = None
        self._workers: dict[str, list[Child]] = {}
        self.directory = DataDirectory(plan.data)
        self.restored = restore.Restored()
        """What the topics were filled with at the start."""
        self.rewritten: Rewritten | None = None
        """What became of the stored interactions, where another model than the one that made them holds now."""
        self.settings: Settings
        self.supervisor: Supervisor
        self.client: Any
        """A clickhouse-connect client on the database."""
        self.producer: AIOKafkaProducer
        self.erased: Erased
        """Who had been erased when the pipeline started."""
        self._erasure_key = ""
        self.collector: str | None = None
        """Where the collector answers; None where it does not run."""
        self.collect_token: Path | None = None
        """File of its token; None where the settings say it."""
        self.server: str | None = None
        """Where Customer 360 answers; None where it does not run."""
        self.serve_token: Path | None = None
        """File of a token for it; None where the settings name a file of tokens."""

    async def __aenter__(self) -> Self:
        """Start everything. The workers may still be joining their groups, and what was restored may be under way.

        Raises RihlaError, and what the parts raise.
        """
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def url(self) -> str:
        """Where the database answers: its address, without user or token."""
        return address_of(self.settings.clickhouse)

    def check(self) -> None:
        """Raises RihlaError when the broker has died, or a worker too often."""
        if self._broker is not None:
            self._broker.check()
        self.supervisor.check()

    def addresses(self) -> dict[str, list[str]]:
        """By kind of worker, the addresses of the pages of its processes, as far as these have logged where they
        listen.
        """
        return {
            kind: [address for child in children if (address := child.find_address()) is not None]
            for kind, children in self._workers.items()
        }

    def looks(self) -> int:
        """Number of equal looks after which nothing is under way: two, and more when a worker has died, because its
        last writes may not be known yet (see drain).
        """
        return 6 if self.supervisor.restarts else 2

    def publish(self) -> None:
        """Write the addresses as they are now into the data folder, for other commands."""
        self.directory.publish(
            clickhouse=self.url,
            brokers=self.settings.brokers,
            settings=published(self.settings),
            workers={
                child.spec.name: address
                for children in self._workers.values()
                for child in children
                if (address := child.find_address()) is not None
            },
        )

    async def _start(self) -> None:
        plan = self._plan
        self._stack.enter_context(self.directory.own(self._command))
        if self.directory.tightened:
            self._say(f"{self.directory.path} was open to other users of this machine; now it is yours alone (0700)")
        await self._prepare_workers()
        broker, database = await asyncio.gather(
            self._start_broker(), asyncio.to_thread(self._start_database), return_exceptions=True
        )
        if isinstance(broker, BaseException):
            raise broker
        if isinstance(database, BaseException):
            raise database
        self.settings = Settings.from_env(
            own_services(os.environ, broker=plan.broker in (TANSU, KAFKA)),
            brokers=broker,
            clickhouse=database.url_of(OWNER),
            embedded=plan.broker == TANSU,
            metrics_port=0,
            partitions=partitions_for(plan, os.environ),
        )
        await asyncio.to_thread(database.migrate, self.settings.database)
        self.client = await asyncio.to_thread(connect, self.settings.clickhouse, self.settings.database)
        self._stack.callback(self.client.close)
        partitions = await ensure_topics(self.settings)
        there = partitions[self.settings.topic("interactions")]
        if there != self.settings.partitions:
            if ENVIRONMENT_PREFIX + "PARTITIONS" in os.environ:
                self._say(f"topics have {there} partitions, whatever RIHLA_PARTITIONS={self.settings.partitions} says")
            self.settings = replace(self.settings, partitions=there)
        self.producer = await self._stack.enter_async_context(producing(self.settings))
        fresh = await hold_nothing(self.settings, partitions)
        await self._rewrite(fresh)
        to_restore = await self._continue_history(fresh)
        await self._refuse_the_erased(fresh)
        await self._start_workers()
        if to_restore:
            await self._restore()
        if plan.collects:
            await self._start_collector()
        if plan.serves:
            await self._start_server()

    async def _start_broker(self) -> str:
        plan = self._plan
        if plan.broker not in (TANSU, KAFKA):
            return plan.broker
        port = usual_or_free(USUAL_PORT) if plan.broker_port is None else plan.broker_port or None
        if plan.broker == KAFKA:
            self._broker = Kafka(self.directory.kafka, port=port)
        else:
            self._broker = Tansu(self.directory.logs / "broker.log", port=port)
        await self._broker.start()
        self._stack.push_async_callback(self._broker.stop)
        return self._broker.address

    def _start_database(self) -> Database:
        about = os.environ.get(f"{ENVIRONMENT_PREFIX}DATABASE") or DATABASE
        return self._stack.enter_context(
            Database(self.directory.clickhouse, self.directory.keys, self._plan.http_port, about)
        )

    async def _continue_history(self, fresh: bool) -> bool:
        """Choose the epoch; whether the topics must be filled with what the database holds, since the broker has not.

        fresh: the topics hold nothing.
        """
        before = self.directory.history()
        stored = await asyncio.to_thread(restore.largest_epoch, self.client)
        if before is not None and before.broker != self._plan.broker and not fresh and stored is not None:
            raise RihlaError(
                f"{self.directory.path} was last written through the broker {before.broker}, and the topics of "
                f"{self._plan.broker} do not know of that",
                f"use --broker {before.broker}, or let the state be rebuilt: empty those topics"
                + (f" (remove {self.directory.kafka})" if self._plan.broker == KAFKA else ""),
            )
        if not fresh and stored is None and await has_stored(self.settings):
            raise RihlaError(
                f"the workers have stored the topics of {self._plan.broker} before, but not in {self.directory.path}",
                "name the folder that they were stored in, or start over with other topics: RIHLA_PREFIX=cx2",
            )
        last = max(-1 if stored is None else stored, -1 if before is None else before.epoch)
        epoch = last + 1 if fresh else max(last, 0)
        self.settings = replace(self.settings, epoch=epoch)
        to_restore = stored is not None and (fresh or (before is not None and not before.restored))
        self.directory.remember(History(self._plan.broker, epoch, restored=not to_restore))
        return to_restore

    async def _rewrite(self, fresh: bool) -> None:
        """Make the stored interactions anew where another model holds than the one that made them. What follows from
        them is rebuilt afterwards, as at each start on fresh topics.
        """
        due = await asyncio.to_thread(is_due, self.client, company.load(self.settings.model))
        if not fresh:
            if self._plan.rebuild:
                raise RihlaError(
                    f"the topics of {self._plan.broker} hold records, from which the old state would come back",
                    "let `rihla up` read what waits in them, then empty them"
                    + (f" (remove {self.directory.kafka})" if self._plan.broker == KAFKA else "")
                    + ", and call this again",
                )
            if due:
                self._say("the model has changed: what comes from now on follows it, history does not (rihla rebuild)")
        elif due or self._plan.rebuild:
            self._say("making stored interactions anew by the model ...")
            settings, registry = self.settings, registry_of(self.settings)
            progress = self._on_restored
            self.rewritten = await asyncio.to_thread(rewrite, self.client, settings, registry, now_ms(), progress)

    async def _refuse_the_erased(self, fresh: bool) -> None:
        """Publish, before the workers start, who was erased; the log of a broker that keeps it (not fresh) holds that
        already.
        """
        self._erasure_key = of_folder(self.directory.path)
        self.erased = Erased(from_environment({VARIABLE: self._erasure_key}))
        erasures = await asyncio.to_thread(receipt.stored, self.client)
        self.erased.add(erasures)
        if fresh and erasures:
            await announce(self.producer, self.settings, registry_of(self.settings), erasures)

    async def _restore(self) -> None:
        self.restored = await restore.restore(
            self.client, self.producer, self.settings, registry_of(self.settings), self._on_restored
        )
        self.directory.remember(History(self._plan.broker, self.settings.epoch))

    async def _prepare_workers(self) -> None:
        """Start the workers' processes, which import what they need while broker and database start."""
        self.supervisor = Supervisor(self.directory.logs, self._say, self._plan.max_restarts)
        self._stack.push_async_callback(self.supervisor.stop)
        for kind in self._plan.kinds:
            for name in self._plan.processes(kind):
                await self.supervisor.prepare(ChildSpec(name, _command(kind), awaits=True))

    async def _start_workers(self) -> None:
        self._stack.push_async_callback(self.supervisor.stop)  # before what they work with stops
        for kind in self._plan.kinds:
            self._workers[kind] = [
                await self.supervisor.start(self._spec(kind, name)) for name in self._plan.processes(kind)
            ]

    async def _start_collector(self) -> None:
        """Start it once what was stored is in the topics again. Its port stays the same when it is started again."""
        port = port_of_service(self._plan.collect_port, self.settings.collect_port)
        self.settings = replace(self.settings, collect_host=HOST, collect_port=port)
        variables = {}
        if self.settings.collect_token is None:
            self.collect_token = token_file(self.directory.keys, COLLECTOR)
            variables = {f"{ENVIRONMENT_PREFIX}COLLECT_TOKEN_FILE": str(self.collect_token)}
        await self._start_service(COLLECTOR, variables)
        self.collector = f"http://{HOST}:{port}"

    async def _start_server(self) -> None:
        """Start Customer 360; callers need its token. Topics of the embedded broker are new, so its view is, too."""
        port = port_of_service(self._plan.serve_port, self.settings.serve_port)
        folder = self.directory.path / SERVER
        if self._plan.broker == TANSU:
            shutil.rmtree(folder, ignore_errors=True)
        self.settings = replace(self.settings, serve_host=HOST, serve_port=port, serve_folder=str(folder))
        if self.settings.serve_tokens is None:
            self.serve_token = token_file(self.directory.keys, SERVER)
            allowed = self.directory.keys / f"{SERVER}.toml"
            allowed.write_text(entry("rihla up", "operations", read_token(self.serve_token)), "utf-8")
            self.settings = replace(self.settings, serve_tokens=str(allowed))
        await self._start_service(SERVER, {})
        self.server = f"http://{HOST}:{port}"

    async def _start_service(self, name: str, variables: Mapping[str, str]) -> None:
        """Start a process at the edge. variables: environment variables beyond those of the settings."""
        spec = self._spec(name, name)
        spec = replace(spec, environment={**spec.environment, **variables})
        self._workers[name] = [await self.supervisor.start(spec)]

    def _spec(self, kind: str, name: str) -> ChildSpec:
        settings = replace(self.settings, sole=is_sole(self._plan, kind))
        variables = {**environment(settings), **key_variables(self._erasure_key)}
        return ChildSpec(name, _command(kind), variables, awaits=True)


def _command(kind: str) -> list[str]:
    return prepared(kind, "--metrics-port", "0")
