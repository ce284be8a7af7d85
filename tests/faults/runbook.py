"""The pages of docs/runbook/, followed word by word: what a person would type is run, and `rihla verify` judges.

    python -m tests.faults --only runbook-kafka-lost --runs 1      # the transcript goes to stderr

A page's blocks of `sh` are what is typed. Three words stand for what an orchestrator does (docs/runbook/README.md): `stop`
and `start` take names of workers, and `settled` waits until nothing lags. All other lines go to one bash a block,
with Kafka's own tools and `rihla` on its path and the settings of the workers in its environment.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import shlex
import shutil
import stat
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from streams.embedded.kafka import Kafka, ensure_jars
from streams.settings import environment
from tests.faults.account import counted_once
from tests.faults.suite import TRIAL_SECONDS, Outcome
from tests.faults.world import KINDS, ROOT, World, world
from tests.support.brokers import Broker

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


@dataclass
class Scene:
    """A pipeline, and whoever follows a page: `said` is the transcript."""

    world: World
    kafka: Kafka
    folder: Path
    said: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def say(self, line: str) -> None:
        self.said.append(line)
        print(line, file=sys.stderr, flush=True)

    async def follow(self, page: str) -> None:
        """Type everything that a page says."""
        for block in blocks(page):
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
            env={**os.environ, **environment(self.world.settings), "PATH": path, "COLUMNS": "120"},
            cwd=self.folder, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        out, _ = await process.communicate()
        for line in lines:
            self.say(f"$ {line}")
        self.say(out.decode("utf-8", "replace").rstrip())
        if process.returncode:
            self.wrong.append(f"status {process.returncode} of: {lines}")

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


Before = Callable[[Scene, random.Random], Awaitable[None]]
"""Sets the scene: workers run, events flow, and what the page is about happens."""


class Followed:
    """A page of the runbook."""

    def __init__(self, page: str, before: Before) -> None:
        self.name = f"runbook-{page}"
        self._page, self._before = page, before

    def run(self, seed: int, broker: Broker) -> Outcome:
        """See Fault.run; each run has a broker of its own."""
        return asyncio.run(self._run(seed))

    async def _run(self, seed: int) -> Outcome:
        async with AsyncExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rihla-runbook-")))
            put_tools(folder / "bin")
            kafka = Kafka(folder / "kafka")
            await kafka.start()
            stack.push_async_callback(kafka.stop)
            made = await stack.enter_async_context(world(kafka.address, seed, prefix="cx", database="cx"))
            async with asyncio.timeout(TRIAL_SECONDS):
                scene = Scene(made, kafka, folder)
                await start_all(scene)
                await self._before(scene, random.Random(seed))
                await scene.follow(self._page)
                await made.feed()
                await made.settled()
                return Outcome(made.records, scene.wrong + await counted_once(made))


async def start_all(scene: Scene) -> None:
    """One worker of each kind."""
    for kind in KINDS:
        await scene.world.start(kind, supervised=False)
    await scene.world.reading()


async def some_stored(scene: Scene, rng: random.Random) -> None:
    """Some events are stored."""
    await scene.world.feed(0.6)
    await scene.world.settled()


async def clickhouse_lost(scene: Scene, rng: random.Random) -> None:
    """Events flow, and the database is gone."""
    await some_stored(scene, rng)
    await asyncio.to_thread(scene.world.client.command, "DROP DATABASE cx SYNC")
    await scene.world.feed(0.8)


async def kafka_lost(scene: Scene, rng: random.Random) -> None:
    """Every topic is gone, and what the consumer groups have committed; workers stop with an error, or are killed."""
    await some_stored(scene, rng)
    for child in scene.world.children():
        scene.world.kill(child)
    await scene.kafka.stop()
    shutil.rmtree(scene.folder / "kafka" / "data")
    await scene.kafka.start()


FAULTS = (
    Followed("reprocess", some_stored),
    Followed("clickhouse-lost", clickhouse_lost),
    Followed("kafka-lost", kafka_lost),
)
