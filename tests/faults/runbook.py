"""The pages of docs/runbook/, followed word by word: what a person would type is run, and `rihla verify` judges.

    python -m tests.faults --only runbook-kafka-lost --runs 1      # the transcript goes to stderr

A page's blocks of `sh` are what is typed. Three words stand for what an orchestrator does (docs/runbook/README.md):
`stop` and `start` take names of workers, and `settled` waits until nothing lags. All other lines go to one bash a
block, with Kafka's own tools and `rihla` on its path and the settings of the workers in its environment.
`--customers` makes more events, `--letters` more dead letters, than a trial has by itself.
"""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from streams.embedded.clickhouse.access import OWNER
from streams.embedded.kafka import Kafka, ensure_jars
from streams.kafka import clients
from streams.kafka.acls import PIPELINE, acls
from streams.settings import Settings, environment
from streams.topology import TOPICS
from tests.faults import broken
from tests.faults import world as world_module
from tests.faults.account import counted_once, read_topic
from tests.faults.away import cut_off, let_in
from tests.faults.proxy import Proxy, proxy
from tests.faults.suite import TRIAL_SECONDS, Outcome, OwnBrokerFault
from tests.faults.upgrade import released, unpack
from tests.faults.world import KINDS, ROOT, World, database, world
from tests.support.registries import serving
from tests.support.secured import PLAIN, Secured, SecuredKafka, password

PAGES = ROOT / "docs" / "runbook"
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
TOOLS = {
    "kafka-topics.sh": "org.apache.kafka.tools.TopicCommand",
    "kafka-configs.sh": "kafka.admin.ConfigCommand",
    "kafka-consumer-groups.sh": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-get-offsets.sh": "org.apache.kafka.tools.GetOffsetShell",
}


def blocks(page: str) -> list[str]:
    """What a page has people type."""
    return BLOCK.findall((PAGES / f"{page}.md").read_text("utf-8"))


def put_tools(folder: Path) -> None:
    """Kafka's command line tools, as a distribution of Kafka has them."""
    folder.mkdir()
    for name, main in TOOLS.items():
        file = folder / name
        file.write_text(f'#!/bin/sh\nexec java -Xmx128m -cp "{ensure_jars()}/*" {main} "$@" 2>/dev/null\n')
        file.chmod(file.stat().st_mode | stat.S_IXUSR)


LONG = 10.0
"""Seconds from which on the transcript says how long something took."""

Before = Callable[["Scene"], Awaitable[None]]
"""What happens in a scene before something is typed."""


@dataclass
class Scene:
    """A pipeline, and the person who follows a page. said: the transcript."""

    world: World
    kafka: Kafka
    way: Proxy
    folder: Path
    said: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    flowing: asyncio.Task[None] | None = None
    told: Mapping[str, str] = field(default_factory=dict)
    """Variables of the workers, and of what is typed, beside those of the world's settings."""

    def say(self, line: str) -> None:
        self.said.append(line)
        print(line, file=sys.stderr, flush=True)

    async def follow(self, page: str, meanwhile: Mapping[int, Before]) -> None:
        """Type everything that a page says. meanwhile: what happens before a block, by the block's number, from 0."""
        for number, block in enumerate(blocks(page)):
            if number in meanwhile:
                await meanwhile[number](self)
            typed: list[str] = []
            for line in block.splitlines():
                if re.match(r"(\w+=\S+ )*(stop|start|settled)\b", line):
                    await self._type(typed)
                    typed = []
                    self.say(f"$ {line}")
                    await self._orchestrate(line)
                else:
                    typed.append(line)
            await self._type(typed)

    async def _type(self, lines: list[str]) -> None:
        if not any(line.strip() and not line.startswith("#") for line in lines):
            return
        path = f"{Path(sys.executable).parent}:{self.folder / 'bin'}:{os.environ['PATH']}"
        process = await asyncio.create_subprocess_exec(
            *("bash", "-eu", "-o", "pipefail", "-c", "\n".join(lines)),
            env={**os.environ, **environment(self.world.settings), **self.variables(), "PATH": path, "COLUMNS": "120"},
            cwd=self.folder, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        began = time.monotonic()
        out, _ = await process.communicate()
        for line in lines:
            self.say(f"$ {line}")
        self.say(out.decode("utf-8", "replace").rstrip())
        if (seconds := time.monotonic() - began) > LONG:
            self.say(f"# {seconds:.0f} s")
        if process.returncode:
            self.wrong.append(f"status {process.returncode} of: {lines}")

    def variables(self) -> dict[str, str]:
        """The address of ClickHouse as a server has it, with user and password, so that curl understands it, too."""
        url = urlsplit(self.world.settings.clickhouse)
        token = Path(parse_qs(url.query)["password_file"][0]).read_text().strip()
        return {**self.told, "RIHLA_CLICKHOUSE": f"http://{url.username}:{token}@{url.hostname}:{url.port}"}

    async def _orchestrate(self, line: str) -> None:
        words = shlex.split(line.partition("#")[0])
        variables = dict(word.split("=", 1) for word in words if "=" in word)
        verb, *kinds = [word for word in words if "=" not in word]
        if verb == "stop":
            await asyncio.gather(*(child.stop() for kind in kinds for child in self.world.workers[kind]))
        elif verb == "start":
            for kind in kinds:
                await self.world.start(kind, supervised=False, **variables)
            await self.world.reading(*kinds)
        else:
            await self.world.settled()


class Followed(OwnBrokerFault):
    """A page of the runbook; each run has a way to ClickHouse that can be closed.

    before: sets the scene: workers run, events flow, and what the page is about happens. meanwhile: see Scene.follow.
    registry: whether the schemas are in a registry, from which an older release learns those of this one.
    settings: of the world, where they are not those of every trial.
    """

    def __init__(
        self,
        page: str,
        before: Before,
        meanwhile: Mapping[int, Before] | None = None,
        *,
        registry: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__(f"runbook-{page}")
        self._page, self._before, self._meanwhile, self._settings = page, before, meanwhile or {}, settings
        self._registry = registry

    def _kafka(self, folder: Path) -> Kafka:
        return Kafka(folder)

    async def _let_in(self, kafka: Kafka, folder: Path) -> dict[str, str]:
        """Variables by which workers, and what is typed, are let in by a running broker."""
        return {}

    async def _run(self, seed: int) -> Outcome:
        async with AsyncExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rihla-runbook-")))
            put_tools(folder / "bin")
            kafka = self._kafka(folder / "kafka")
            await kafka.start()
            stack.push_async_callback(kafka.stop)
            told = await self._let_in(kafka, folder)
            url = urlsplit(database().url_of(OWNER))
            assert url.port is not None
            way = await stack.enter_async_context(proxy(url.port))
            clickhouse = url._replace(netloc=url.netloc.replace(f":{url.port}", f":{way.port}")).geturl()
            settings = self._settings
            if self._registry:
                settings = {**settings, "registry": stack.enter_context(serving()).url, "wire": "confluent"}
            made = await stack.enter_async_context(
                world(kafka.address, seed, extra=told, prefix="cx", database="cx", clickhouse=clickhouse, **settings)
            )
            async with asyncio.timeout(TRIAL_SECONDS + LETTERS / 500 + world_module.CUSTOMERS / 50):
                scene = Scene(made, kafka, way, folder, told=told)
                await self._before(scene)
                await scene.follow(self._page, self._meanwhile)
                await made.feed()
                await made.settled()
                return Outcome(made.records, scene.wrong + await counted_once(made))


class FollowedSecured(Followed):
    """The same on a broker that asks for a password: all workers are one user, who has the rights that they need."""

    def _kafka(self, folder: Path) -> Kafka:
        return SecuredKafka(folder)

    async def _let_in(self, kafka: Kafka, folder: Path) -> dict[str, str]:
        assert isinstance(kafka, SecuredKafka)
        await Secured(kafka)._grant(PIPELINE, acls(Settings(prefix="cx"), PIPELINE))
        secret = folder / "password"
        secret.write_text(password(PIPELINE))
        secret.chmod(stat.S_IRUSR | stat.S_IWUSR)
        (folder / "admin.properties").write_text(
            "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n"
            f'sasl.jaas.config={PLAIN} username="admin" password="admin";\n'
        )
        return {
            "RIHLA_BROKERS": kafka.at("SASL_PLAINTEXT"),
            "RIHLA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
            "RIHLA_SASL_MECHANISM": "SCRAM-SHA-512",
            "RIHLA_SASL_USERNAME": PIPELINE,
            "RIHLA_SASL_PASSWORD_FILE": str(secret),
        }


async def some_stored(scene: Scene) -> None:
    """One worker of each kind runs, and has stored some events."""
    await start(scene)
    await scene.world.feed(0.6)
    await scene.world.settled()


async def start(scene: Scene, **variables: str) -> None:
    """One worker of each kind; variables: of stitch, in its environment."""
    for kind in KINDS:
        await scene.world.start(kind, supervised=False, **(variables if kind == "stitch" else {}))
    await scene.world.reading()


async def lose_tables(scene: Scene) -> None:
    """The database is gone; events flow."""
    await asyncio.to_thread(scene.world.client.command, "DROP DATABASE cx SYNC")
    await scene.world.feed(0.8)


async def lose_tables_and_log(scene: Scene) -> None:
    """Retention has deleted what the backup holds from every topic whose records it deletes; then the database is gone,
    and events flow. What comes back of before comes from the backup alone."""
    settings = scene.world.settings
    stored = [topic for topic in TOPICS if topic.stored is not None and not topic.compacted]
    admin = clients.admin(settings)
    await admin.start()
    try:
        there = [await scene.world.producer.partitions_for(settings.topic(topic.name)) for topic in stored]
        every = {
            TopicPartition(settings.topic(topic.name), partition): RecordsToDelete(-1)  # -1: all that are there now
            for topic, partitions in zip(stored, there, strict=True)
            for partition in partitions
        }
        await admin.delete_records(every)
    finally:
        await admin.close()
    left = await read_topic(scene.world, settings.topic("interactions"))
    if left:
        scene.wrong.append(f"{len(left)} records are left in the topic interactions")
    scene.say(f"# deleted from Kafka: all records of {', '.join(topic.name for topic in stored)}")
    await lose_tables(scene)


async def clickhouse_lost(scene: Scene) -> None:
    """What was stored is lost."""
    await some_stored(scene)
    await lose_tables(scene)


async def kafka_lost(scene: Scene) -> None:
    """Every topic is gone, and all that groups have committed; workers are killed."""
    await some_stored(scene)
    for child in scene.world.children():
        scene.world.kill(child)
    await scene.kafka.stop()
    shutil.rmtree(scene.folder / "kafka" / "data")
    await scene.kafka.start()


async def poisoned(scene: Scene) -> None:
    """A stitch that counts duplicates as events has written states and rows."""
    await start(scene, **{broken.VARIABLE: "no-dedup"})
    await scene.world.feed(0.6)
    await scene.world.settled()


LETTERS = 20_000
"""Records that nobody can decode in the page of dead letters."""
ATTEMPT = 100
"""Letters that the page sends at first."""


async def garbage(scene: Scene) -> None:
    """A source sends what no schema decodes: LETTERS records of 200 bytes."""
    await some_stored(scene)
    for _ in range(LETTERS // 1000):
        await scene.world.send("stay", [None] * 1000, [os.urandom(200) for _ in range(1000)])
    await scene.world.settled()


async def came_back(scene: Scene) -> None:
    """As the cause stayed as it was, each letter was sent once and came back once: LETTERS of one attempt, as many of
    two. Those of the ATTEMPT were sent again with all others, so that they have a third."""
    found = await asyncio.to_thread(
        scene.world.client.query, "SELECT attempts, count() FROM dead_letters GROUP BY ALL ORDER BY ALL"
    )
    scene.say(f"# attempts and letters: {found.result_rows}")
    if found.result_rows != (must := [(1, LETTERS), (2, LETTERS), (3, ATTEMPT)]):
        scene.wrong.append(f"attempts and letters: {found.result_rows}, not {must}")


async def old_and_new(scene: Scene) -> None:
    """A sink of the last release beside one of this commit, each with some partitions; some events are stored."""
    old = scene.folder / "released"
    old.mkdir()
    unpack(released(), old)
    await start(scene)
    await scene.world.start("sink", supervised=False, PYTHONPATH=str(old), PYTHONSAFEPATH="1")
    await scene.world.reading("sink")
    await scene.world.feed(0.4)
    await scene.world.settled()


async def flow(scene: Scene) -> None:
    """Events come in from now on, slowly, so that many inserts fall into what is typed."""
    scene.flowing = asyncio.create_task(scene.world.feed(0.9, pause=2.0))


async def flown(scene: Scene) -> None:
    """Enough of them have come."""
    assert scene.flowing is not None
    scene.say(f"# events came in meanwhile: {'to the end' if scene.flowing.done() else 'still'}")
    await scene.flowing


FAULTS = (
    Followed("backup", some_stored, {1: lose_tables_and_log}),
    Followed("reprocess", some_stored),
    Followed("clickhouse-lost", clickhouse_lost),
    Followed("kafka-lost", kafka_lost),
    Followed("clickhouse-away", cut_off, {1: let_in}, ends=date.today(), max_poll_records=Settings().max_poll_records),
    Followed("partitions", some_stored),
    Followed("dead-letters", garbage, {3: came_back}, max_poll_records=Settings().max_poll_records),
    Followed("poisoned-deploy", poisoned),
    Followed("unit-renamed", some_stored),
    FollowedSecured("credential", some_stored, {0: flow, 1: flown}),
    Followed("table-rebuilt", old_and_new, {0: flow, 2: flown}, registry=True),
)
