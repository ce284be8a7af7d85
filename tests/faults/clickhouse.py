"""Faults of ClickHouse and of the way to it: while events flow, inserts are refused, delayed, cut, lost and repeated.

    python -m tests.faults.clickhouse NAME [--seed N] [--broker tansu|HOST:PORT] [--customers N] [--folder DIR]

Each trial is a process of its own (the engine is one a process): the pipeline of `rihla run`, its sink worker behind
tests.faults.clickhouse_proxy. The data-disk trials fill the disk of the data folder, which is then one of its own, in
memory: a mount that only the trial sees (Linux, where users may have name spaces). Afterwards each event must be in
exactly one place, no row twice in any exact view, and `rihla verify` must find no difference.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sinks.clickhouse.tables import TABLES
from streams.embedded.accounting import Account, Accounting
from streams.embedded.pipeline import Pipeline
from streams.embedded.plan import TANSU, Plan
from streams.embedded.run import Progress, feed_and_wait
from streams.embedded.supervisor import ChildSpec
from streams.registries import registry_of
from streams.sources import jsonl
from streams.sources.events import EventBatch
from streams.sources.simulate import Options, write
from streams.verify import next_actions
from tests.faults.clickhouse_proxy import ERRORS, KINDS, REFUSED, Proxy, Trouble
from tests.faults.suite import Outcome
from tests.support.brokers import Broker
from tests.support.waiting import HUNG

ANSWER_WITHIN = 5  # seconds that the sink waits for an answer
CUSTOMERS = 200
PIECES = 8  # in which the events are fed
DISK_MIB, BLOCK, INODES = 512, 4096, 20_000
OWN_DISK = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
            f'mount -t tmpfs -o size={DISK_MIB}m,nr_inodes={INODES} rihla "$0" && exec "$@" --folder "$0"')  # fmt: skip
"""Runs, given a folder and a command, the command with a disk of its own in the folder."""


@dataclass(frozen=True)
class ClickHouseFault:
    """One kind of trouble between the sink and ClickHouse, or several at random."""

    name: str
    trouble: Trouble
    fills: str | None = None
    """What of the data folder's disk is used up meanwhile: blocks or inodes."""

    def run(self, seed: int, broker: Broker) -> Outcome:
        """One trial, in a process of its own."""
        return self.run_at(seed, TANSU if broker.embedded else broker.address)

    def run_at(self, seed: int, broker: str, customers: int = CUSTOMERS) -> Outcome:
        """The same, by the broker's address, or `tansu`."""
        command = [sys.executable, "-m", "tests.faults.clickhouse", self.name, "--seed", str(seed)]
        environment = os.environ | {
            "RIHLA_PREFIX": f"{self.name}-{seed}-{os.getpid()}",
            "RIHLA_SESSION_TIMEOUT": "8",
        }
        command += ["--broker", broker, "--customers", str(customers)]
        with tempfile.TemporaryDirectory(prefix="rihla-fault-disk-") as folder:
            done = subprocess.run(
                [*OWN_DISK, folder, *command] if self.fills else command,
                env=environment, capture_output=True, text=True, timeout=HUNG, check=False,
            )  # fmt: skip
        try:
            found = json.loads(done.stdout.splitlines()[-1])
        except (IndexError, ValueError):
            raise AssertionError(f"the trial ended with {done.returncode}: {done.stderr[-3000:]}") from None
        return Outcome(found["events"], found["differences"])


FAULTS = (
    ClickHouseFault("clickhouse-refuses", Trouble(("refuse",), 1, 8.0)),
    ClickHouseFault("clickhouse-slow", Trouble(("slow",), 4, 8.0)),
    ClickHouseFault("clickhouse-cut", Trouble(("cut-before", "cut-within"), 6, 4.0)),
    ClickHouseFault("clickhouse-stored-unheard", Trouble(("cut-after", "error-after"), 6, 4.0)),
    ClickHouseFault("clickhouse-stored-timeout", Trouble(("hang-after",), 3, 8.0)),
    ClickHouseFault("clickhouse-stored-crash", Trouble(("crash-after",), 3, 1.0)),
    *(ClickHouseFault(f"clickhouse-{kind}", Trouble((kind,), 6, 4.0)) for kind in ERRORS),
    ClickHouseFault("data-disk-full", Trouble((REFUSED,), 8, 6.0), fills="blocks"),
    ClickHouseFault("data-disk-without-inodes", Trouble((REFUSED,), 8, 6.0), fills="inodes"),
    ClickHouseFault(
        "clickhouse-anything", Trouble(tuple(kind for kind in KINDS if kind != "refuse"), 8, 6.0, share=0.5)
    ),
)


class Ballast:
    """Files that take what is left of a disk: its blocks, or its inodes."""

    def __init__(self, folder: Path, what: str) -> None:
        self._folder, self._what, self._size = folder / "ballast", what, 0

    def fill(self) -> None:
        """Leave none free."""
        self._folder.mkdir(exist_ok=True)
        try:
            if self._what == "inodes":
                while True:
                    (self._folder / str(self._size)).touch()
                    self._size += 1
            self._take(DISK_MIB << 20)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise

    def _take(self, piece: int) -> None:
        with (self._folder / "blocks").open("ab") as file:
            while True:
                try:
                    os.posix_fallocate(file.fileno(), self._size, piece)
                    self._size += piece
                except OSError:
                    if piece <= BLOCK:
                        raise
                    piece //= 2

    def clear(self) -> None:
        """Make room again."""
        shutil.rmtree(self._folder, ignore_errors=True)


class BehindProxy(Pipeline):
    """The pipeline with its sink workers behind a proxy."""

    proxy: Proxy

    def _spec(self, kind: str, name: str) -> ChildSpec:
        spec = super()._spec(kind, name)
        if kind != "sink":
            return spec
        here, there = (urlsplit(url).netloc for url in (self.url, self.proxy.url))
        url = f"{self.settings.clickhouse.replace(here, there)}&send_receive_timeout={ANSWER_WITHIN}"
        return replace(spec, environment={**spec.environment, "RIHLA_CLICKHOUSE": url})

    async def _start_workers(self) -> None:
        self.proxy = Proxy(self.url)
        await self.proxy.start()
        self._stack.push_async_callback(self.proxy.stop)
        await super()._start_workers()

    def kill_sink(self) -> None:
        """End a sink worker at once; its supervisor starts it again."""
        for child in self._workers["sink"]:
            if child.pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child.pid, signal.SIGKILL)


async def trial(data: Path, events: Path, trouble: Trouble, broker: str) -> tuple[Account, dict[str, int], list[str]]:
    """Feed the events with the trouble in their midst; the account, the bad lines by reason, what was found wrong."""
    async with BehindProxy(Plan(data, broker), "fault", lambda text: print(text, file=sys.stderr)) as pipeline:
        trouble.on_crash = pipeline.kill_sink
        accounting = Accounting(pipeline.client, pipeline.settings, registry_of(pipeline.settings))
        await asyncio.to_thread(accounting.open)
        loop = asyncio.get_running_loop()

        def batches() -> Iterator[EventBatch]:
            for number, batch in enumerate(_pieces(events)):
                if number == PIECES // 3:
                    loop.call_soon_threadsafe(pipeline.proxy.begin, trouble)
                yield batch

        try:
            bad_lines = (await feed_and_wait(pipeline, batches(), accounting, Progress())).bad
            account = await asyncio.to_thread(accounting.account)
        finally:
            await asyncio.to_thread(accounting.close)
        wrong = await asyncio.to_thread(_twice, pipeline.client)
        if trouble.hit.total() < trouble.inserts:
            wrong.append(f"the fault hardly happened: {dict(trouble.hit)} of {pipeline.proxy.seen} inserts")
    print(f"hit {dict(trouble.hit)} of {pipeline.proxy.seen} inserts", file=sys.stderr)
    return account, bad_lines, wrong


def _pieces(events: Path) -> Iterator[EventBatch]:
    lines = sum(1 for _ in events.open("rb"))
    return jsonl.read(str(events), batch_size=max(1, lines // PIECES))


def _twice(client: Any) -> list[str]:
    """A sentence for each exact view that shows a key more than once."""
    wrong = []
    for table in TABLES.values():
        key = next_actions.KEY if table.view == next_actions.TABLE else table.key  # its view has a row each
        sql = f"SELECT count(), uniqExact({', '.join(key)}) FROM {table.view}"
        rows, keys = client.query(sql).result_rows[0]
        if rows != keys:
            wrong.append(f"{table.view} has {rows} rows of {keys} keys")
    return wrong


def _unbalanced(summary: dict[str, Any], account: Account, bad_lines: dict[str, int]) -> list[str]:
    """A sentence for each figure that is not the simulator's."""
    letters = sum(bad_lines.values()) + sum(account.refused.values())
    found = {
        "events stored": (account.stored, summary["interactions"]),
        "duplicates": (account.duplicates, summary["duplicates"]),
        "dead letters": (letters, summary["bad"]),
        "lost": (account.lost, 0),
        "read": (account.stored + account.duplicates + letters, summary["events"]),
    }
    return [f"{name}: {is_} instead of {should}" for name, (is_, should) in found.items() if is_ != should]


def _verified(data: Path) -> list[str]:
    """What `rihla verify` finds."""
    done = subprocess.run(
        [sys.executable, "-m", "streams.cli", "verify", "--data", str(data)],
        capture_output=True, text=True, timeout=HUNG, check=False,
    )  # fmt: skip
    return [] if done.returncode == 0 else [f"verify: {(done.stdout or done.stderr)[-500:]}"]


def main() -> int:
    """One trial; its outcome as a line of JSON. Exit status 1 if something differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fault", choices=[fault.name for fault in FAULTS], metavar="NAME")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--broker", default=TANSU)
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    parser.add_argument("--folder", type=Path, help="of the data; filled up in the data-disk trials")
    chosen = parser.parse_args()
    fault = next(fault for fault in FAULTS if fault.name == chosen.fault)
    trouble = replace(fault.trouble, seed=chosen.seed, hit=Counter(), enough=asyncio.Event())
    with tempfile.TemporaryDirectory(prefix="rihla-fault-") as own:
        folder = chosen.folder or Path(own)
        if fault.fills:
            ballast = Ballast(folder, fault.fills)
            trouble.before, trouble.on_end = ballast.fill, ballast.clear
        data, events = folder / "data", Path(own) / "events.jsonl"
        options = Options(customers=chosen.customers, seed=chosen.seed, duplicates=0.05, disorder=0.5, bad=0.02)
        summary = write(options, events)
        account, bad_lines, wrong = asyncio.run(trial(data, events, trouble, chosen.broker))
        differences = [*wrong, *_unbalanced(summary, account, bad_lines), *_verified(data)]
    print(json.dumps({"fault": chosen.fault, "events": summary["events"], "differences": differences}))
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
