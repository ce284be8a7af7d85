"""Fuzzing at length: readers of payloads and HTTP servers against a mutated corpus (tests/faults/corpus), and whole
events through the whole pipeline (tests/faults/whole_events.py).

    python -m tests.faults.fuzz decoder --seed 1 --seconds 60
    python -m tests.faults.fuzz --list

What should be found goes into the corpus or, with the mending, into tests/faults/test_fuzz_*.py. `make faults` runs
every target for RIHLA_FUZZ_SECONDS (20).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from streams.embedded.clickhouse.access import Tokens
from streams.embedded.clickhouse.engine import Engine
from streams.embedded.clickhouse.http_interface import serve as serve_clickhouse
from streams.worker.page import serve as serve_page
from tests.faults import events_fuzz
from tests.faults.http_fuzz import HTTP_WORDS, check_requests, exceptions
from tests.faults.mutations import corpus, mutate
from tests.faults.readers_fuzz import READERS
from tests.faults.suite import Outcome
from tests.support.brokers import Broker
from tests.support.clickhouse import TOKENS
from tests.support.waiting import HUNG

SECONDS = float(os.environ.get("RIHLA_FUZZ_SECONDS", "20"))
AT_ONCE = 12
MOST = 5  # findings after which a target is given up


@dataclass(frozen=True)
class Fuzz:
    """One target; a run is a process of its own, for ClickHouse's engine is one a process."""

    target: str

    @property
    def name(self) -> str:
        """Among the faults."""
        return f"fuzz-{self.target}"

    def run(self, seed: int, broker: Broker) -> Outcome:
        """Fuzz for SECONDS; `events` of the outcome are payloads. The broker is left alone."""
        command = [sys.executable, "-m", "tests.faults.fuzz", self.target, "--seed", str(seed)]
        done = subprocess.run(
            [*command, "--seconds", str(SECONDS)], capture_output=True, text=True, timeout=SECONDS + HUNG, check=False
        )
        try:
            found = json.loads(done.stdout.splitlines()[-1])
        except (IndexError, ValueError):  # the process died: that is a finding, too
            return Outcome(0, [f"ended with {done.returncode}: {done.stderr[-2000:]}"])
        return Outcome(found["payloads"], found["findings"])


def read_for(name: str, rng: Random, seconds: float) -> tuple[int, list[str]]:
    """Payloads tried on a reader, and what escaped."""
    folder, words, check = READERS[name]
    seeds, findings, tried = corpus(folder), list[str](), 0
    until = time.monotonic() + seconds
    while time.monotonic() < until and len(findings) < MOST:
        payload = mutate(rng.choice(seeds), rng, seeds, words)
        tried += 1
        try:
            check(payload)
        except Exception as error:
            findings.append(f"{error!r} of {payload!r}")
    return tried, findings


async def ask_for(target: str, rng: Random, seconds: float) -> tuple[int, list[str]]:
    """Requests tried on a server, and what it did wrong."""
    serving, alive = SERVERS[target]
    seeds, findings, tried = corpus(target), list[str](), 0
    until = time.monotonic() + seconds
    async with serving() as url:
        while time.monotonic() < until and len(findings) < MOST:
            some = [mutate(rng.choice(seeds), rng, seeds, HTTP_WORDS) for _ in range(AT_ONCE)]
            tried += AT_ONCE
            try:
                with exceptions() as logged:
                    await check_requests(url, alive, some)
                findings += logged
            except (AssertionError, OSError) as error:
                findings.append(str(error))
    return tried, findings


@asynccontextmanager
async def _clickhouse() -> AsyncIterator[str]:
    with tempfile.TemporaryDirectory(prefix="rihla-fuzz-") as folder, Engine(Path(folder) / "engine") as engine:
        engine.query("CREATE DATABASE fuzz")
        engine.query("CREATE TABLE fuzz.t (a UInt64, s String, d DateTime64(3, 'UTC')) ENGINE = MergeTree ORDER BY a")
        served = await serve_clickhouse(engine, Tokens(TOKENS))
        try:
            yield served.url
        finally:
            await served.close()


@asynccontextmanager
async def _page() -> AsyncIterator[str]:
    page = await serve_page("enrich", 0, lambda: {"inputs": {"cx.stay": {0: 1}}}, lambda: (False, "not yet"))
    try:
        yield page.url
    finally:
        await page.stop()


SERVERS: dict[str, tuple[Callable[[], AbstractAsyncContextManager[str]], str]] = {
    "clickhouse": (_clickhouse, "/ping"),
    "page": (_page, "/healthz"),
}
"""Target, and folder of its corpus: how it is served, and what it must always answer."""

EVENTS = "events"
"""The target that is the whole pipeline."""
TARGETS = (*READERS, *SERVERS, EVENTS)
FAULTS = tuple(Fuzz(target) for target in TARGETS)


def main() -> int:
    """Fuzz one target; payloads and findings as a line of JSON. Exit status 1 if there is a finding."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", nargs="?", choices=TARGETS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--list", action="store_true", help="say which targets there are")
    chosen = parser.parse_args()
    if chosen.list or chosen.target is None:
        print("\n".join(TARGETS))
        return 0
    if chosen.target == EVENTS:
        found = events_fuzz.run(chosen.seed, chosen.seconds)
        print(json.dumps({"target": EVENTS, **found}))
        return 1 if found["findings"] else 0
    rng = Random(chosen.seed)
    if chosen.target in READERS:
        payloads, findings = read_for(chosen.target, rng, chosen.seconds)
    else:
        payloads, findings = asyncio.run(ask_for(chosen.target, rng, chosen.seconds))
    print(json.dumps({"target": chosen.target, "payloads": payloads, "findings": findings}))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
