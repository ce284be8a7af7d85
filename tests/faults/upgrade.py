"""An upgrade: the last release and this commit share a cluster while one kind of worker after the other is replaced.

The last release is the newest tag that is an ancestor of this commit. Its sources are unpacked beside the trial, and
its workers run from there, uncompiled, with the libraries that are installed here.
"""

from __future__ import annotations

import asyncio
import io
import json
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
from tests.faults.world import KINDS, ROOT, World, page, sample, world
from tests.support.brokers import Broker, until
from tests.support.registries import serving
from tests.support.waiting import PATIENCE

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
READS = """
import json
from streams.topology import WORKERS
print(json.dumps({worker.name: worker.reads for worker in WORKERS}))
"""
UNKNOWN = "next_actions"
"""A table that no release knows yet: what `verify` expects of it a worker of a release does not publish, or store."""
ADDED = ("customers", "consents")
"""The same, of a column."""


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
        self._new_reads, reads = dict(self.reads), json.loads(await asyncio.to_thread(self._run, ["-c", READS], env))
        self._old_reads = {kind: reads[kind] for kind in KINDS}
        self.reads = dict(self._old_reads)

    def _run(self, command: Sequence[str], env: Mapping[str, str]) -> str:
        done = subprocess.run([sys.executable, *command], env={**os.environ, **env}, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"the old release ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    async def settled(self, looks: int = 3, stall_seconds: float = 90.0) -> None:
        """Also: what an older version has left unsaid is said."""
        await super().settled(looks, stall_seconds)
        await until(self._caught_up, PATIENCE, "stitch to look at every state")
        await super().settled(looks, stall_seconds)

    async def resolved(self) -> None:
        """Also while the old release runs, whose sink makes no passes: by `rihla migrate`, as docs/release.md says."""
        if self.reads["sink"] == self._old_reads["sink"]:
            await asyncio.to_thread(self.migrate)
        await super().resolved()

    async def _caught_up(self) -> bool:
        pages = [await page(f"{address}/metrics") for address in self.addresses()["stitch"]]
        return all(text is not None and not sample(text, "rihla_states_to_catch_up") for text in pages)

    async def replace(self, kind: str, extra: Mapping[str, str]) -> None:
        """Replace the workers of a kind one by one by those of this environment; return when all have partitions."""
        self.reads[kind] = (self._old_reads if extra else self._new_reads)[kind]
        for child in [child for child in self.workers[kind] if child.pid is not None]:
            await child.stop()
            await self.start(kind, supervised=False, **extra)
        await self.reading(kind)


class Upgrade:
    """The kinds are replaced in an order, while events flow.

    registry: whether the schemas are in a registry, from which the old release learns those of the new one; only then
    may a kind be replaced before those that read what it writes. back: whether all are replaced by the old release
    again, in the same order, as after a deploy that turns out bad, and then once more by this commit.
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
            upto, wrong = 0.2, list[str]()
            for extra in ({}, made.old, {}) if self._back else ({},):
                for kind in self._order:
                    upto += 0.06
                    feeding = asyncio.create_task(made.feed(upto, pause=0.2))
                    await made.replace(kind, extra)
                    await feeding
                if extra:
                    await made.settled()
                    wrong += await _rolled_back(made)
            await made.feed()
            await made.settled()
            return Outcome(made.records, wrong + await differences(made))


async def _rolled_back(made: World) -> list[str]:
    """What `verify` finds while the old release runs, but for what it does not know: next actions stay as they were
    when its sink came, and customers are without consents; and preferences have what it LEAKS."""
    rows = await asyncio.to_thread(_differing, made)
    leaks = {("customers", "preferences")} if released() == LEAKS else set[tuple[str, str]]()
    left = [row for row in rows if row[0] != UNKNOWN and (row[0], row[2]) not in {ADDED, *leaks}]
    stale = sum(row[0] == UNKNOWN for row in rows)
    print(f"rolled back to {released()}: {stale} values of {UNKNOWN} are behind", file=sys.stderr)
    return [f"rolled back, verify: {row}" for row in left]


def _differing(made: World) -> list[tuple[Any, ...]]:
    return verify(made.client, lambda: asyncio.run(topics.read(made.settings))).differences.rows()


FAULTS = (
    Upgrade("upgrade", IN_ORDER, registry=False),
    Upgrade("upgrade-other-order", IN_ORDER[::-1], registry=True),
    Upgrade("upgrade-rolled-back", IN_ORDER, registry=True, back=True),
)
