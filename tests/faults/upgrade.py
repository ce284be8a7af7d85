"""An upgrade: the last release and this commit share a cluster while one kind of worker after the other is replaced.

The last release is the newest tag that is an ancestor of this commit. Its sources are unpacked beside the trial, and
its workers run from there, uncompiled, with the libraries that are installed here.
"""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from streams.settings import Settings, environment
from streams.sources.simulate import Options
from streams.verify import topics
from streams.verify.verify import verify
from tests.faults.account import differences
from tests.faults.suite import TRIAL_SECONDS, Outcome
from tests.faults.world import ROOT, World, world
from tests.support.brokers import Broker
from tests.support.registries import serving

IN_ORDER = ("sink", "stitch", "identity", "enrich")
"""Kinds of worker in the order in which docs/release.md has them replaced: nobody reads what it does not know."""
PACKAGES = ("streams", "schemas", "sinks", "tests")
LEAKS = "v0.1.0"
"""A release that publishes, among a customer's preferences, what later ones keep there for themselves (`.answered`)."""
TOPICS = """
import asyncio
from streams.kafka.app import ensure_topics
from streams.settings import Settings
asyncio.run(ensure_topics(Settings.from_env()))
"""


def released() -> str:
    """The tag of the last release. Raises RuntimeError where this repository has none."""
    done = _git("describe", "--tags", "--abbrev=0", "--match", "v[0-9]*", check=False)
    if done.returncode:
        raise RuntimeError("no release is tagged here: fetch the tags (git fetch --tags), or see docs/release.md")
    return done.stdout.decode().strip()


def unpack(tag: str, folder: Path) -> None:
    """Put the packages of a release into a folder."""
    with tarfile.open(fileobj=io.BytesIO(_git("archive", tag, *PACKAGES).stdout)) as archive:
        archive.extractall(folder, filter="data")


def _git(*words: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, check=check)


class Upgraded(World):
    """A world whose topics and tables the old release has made."""

    def __init__(self, old: Path, folder: Path, settings: Settings, options: Options, extra: Mapping[str, str]) -> None:
        """old: the release's packages."""
        super().__init__(folder, settings, options, extra)
        self.old = {"PYTHONPATH": str(old), "PYTHONSAFEPATH": "1"}
        """Environment in which Python takes the old release's modules."""

    async def lay_out(self) -> None:
        """As the old release does."""
        env = {**environment(self.settings), **self.old}
        for command in (["-c", TOPICS], ["-m", "streams.cli", "migrate"]):
            await asyncio.to_thread(self._run, command, env)

    def _run(self, command: Sequence[str], env: Mapping[str, str]) -> None:
        done = subprocess.run([sys.executable, *command], env={**os.environ, **env}, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"the old release ended with {done.returncode}: {done.stdout}{done.stderr}")

    async def replace(self, kind: str, extra: Mapping[str, str]) -> None:
        """Replace the workers of a kind one by one by those of this environment; return when all have partitions."""
        for child in [child for child in self.workers[kind] if child.pid is not None]:
            await child.stop()
            await self.start(kind, supervised=False, **extra)
        await self.reading(kind)


class Upgrade:
    """The kinds are replaced in an order, while events flow.

    registry: whether the schemas are in a registry, from which the old release learns those of the new one; only then
    may a kind be replaced before those that read what it writes. back: whether all are replaced by the old release
    again, in the same order, as after a deploy that turns out bad.
    """

    def __init__(self, name: str, order: Sequence[str], *, registry: bool, back: bool = False) -> None:
        self.name = name
        self._order, self._registry, self._back = order, registry, back

    def run(self, seed: int, broker: Broker) -> Outcome:
        """See Fault.run."""
        with ExitStack() as stack:
            old = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rihla-released-")))
            unpack(released(), old)
            settings = {}
            if self._registry:
                settings = {"registry": stack.enter_context(serving()).url, "wire": "confluent"}
            return asyncio.run(self._run(seed, broker, old, settings))

    async def _run(self, seed: int, broker: Broker, old: Path, settings: Mapping[str, str]) -> Outcome:
        def make(*arguments: Any) -> Upgraded:
            return Upgraded(old, *arguments)

        async with world(broker.address, seed, make=make, **settings) as made, asyncio.timeout(TRIAL_SECONDS):
            assert isinstance(made, Upgraded)
            for kind in IN_ORDER:
                await made.start(kind, 2 if self._registry and kind == "stitch" else 1, supervised=False, **made.old)
            await made.reading()
            await made.feed(0.2)
            await asyncio.to_thread(made.migrate)
            upto = 0.2
            for extra in ({}, made.old) if self._back else ({},):
                for kind in self._order:
                    upto += 0.08
                    feeding = asyncio.create_task(made.feed(upto, pause=0.2))
                    await made.replace(kind, extra)
                    await feeding
            await made.feed()
            await made.settled()
            found = await differences(made)
            if self._back and released() == LEAKS:
                found = await asyncio.to_thread(_without_leaks, made, found)
            return Outcome(made.records, found)


def _without_leaks(made: World, found: list[str]) -> list[str]:
    """What differs, but for preferences of customers (see LEAKS)."""
    rows = verify(made.client, lambda: asyncio.run(topics.read(made.settings))).differences.rows()
    left = [row for row in rows if (row[0], row[2]) != ("customers", "preferences")]
    return [line for line in found if not line.startswith("verify: ")] + [f"verify: {row}" for row in left]


FAULTS = (
    Upgrade("upgrade", IN_ORDER, registry=False),
    Upgrade("upgrade-other-order", IN_ORDER[::-1], registry=True),
    Upgrade("upgrade-rolled-back", IN_ORDER, registry=True, back=True),
)
