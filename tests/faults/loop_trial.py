"""The closed loop under fire: deliver, stitch and the receiver itself killed at random, and no version is missed.

    python -m tests.faults.loop_trial --kills 50      (on the embedded broker; one line of JSON)

Guests complain without pause, and their complaints are answered and resolved. Meanwhile one of the three processes is
killed with SIGKILL, started again, and the next one killed at a moment left to chance once something has arrived since.
The receiver writes down what it takes before it answers. In the end that is compared with the topic of alerts: each
version of each alert has arrived, under one key, after the versions before it, and each alert is closed.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import polars as pl

from schemas.encode import BatchEncoder
from schemas.records import polars_schema
from schemas.registry import LocalRegistry
from streams.clock import now_ms
from streams.embedded.ports import free_ports
from streams.embedded.tansu import Tansu
from streams.embedded.tether import tethered
from streams.kafka.topics import ensure_topics
from streams.settings import Settings
from tests.support.brokers import Broker, until
from tests.support.delivering import following, working, write_routes
from tests.support.waiting import PATIENCE
from tests.support.workers import producing

PAUSE = 0.5
"""Seconds between two complaints."""
STAY = polars_schema("stay")
STEPS = ("stay.complaint_made", "stay.complaint_answered", "stay.complaint_resolved")
TEXT = "أمي أغمي عليها في الغرفة ولم يأت أحد"
RECEIVER = """
import json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
taken = open(sys.argv[2], "ab", buffering=0)
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        said = [self.headers["Idempotency-Key"], body["data"]["id"], body["data"]["version"], body["type"]]
        taken.write(json.dumps(said).encode() + b"\\n")
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *args):
        pass
class Server(ThreadingHTTPServer):
    def handle_error(self, *args):  # a sender that was killed
        pass
Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@dataclass
class Result:
    """What a trial found; `good` when nothing is missing, and nothing came twice under two keys or out of order."""

    kills: dict[str, int] = field(default_factory=dict)
    complaints: int = 0
    versions: int = 0
    """In the topic of alerts, each counted once."""
    missed: int = 0
    repeated: int = 0
    keys_wrong: int = 0
    out_of_order: int = 0
    not_closed: int = 0
    """Complaints whose alert the receiver does not know to be closed."""
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """See the class."""
        return self.versions > 0 and not (self.missed or self.keys_wrong or self.out_of_order or self.not_closed)

    def line(self) -> str:
        """One line of JSON."""
        return json.dumps({"good": self.good, **asdict(self)})


@contextlib.contextmanager
def _receiver(port: int, file: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A receiver as a process of its own; killed at the end."""
    process = subprocess.Popen(tethered([sys.executable, "-c", RECEIVER, str(port), str(file)]))
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _taken(file: Path) -> list[tuple[str, str, int, str]]:
    """What the receiver wrote down: key, alert, version, type. A line that is cut off was not answered."""
    lines = file.read_bytes().split(b"\n")[:-1] if file.exists() else []
    return [tuple(json.loads(line)) for line in lines]


async def _complain(producer: Any, settings: Settings, stop: asyncio.Event) -> int:
    """Send complaints until told to stop, each answered, then resolved, some complaints later; how many."""
    encoder, number = BatchEncoder("stay", LocalRegistry()), 0

    async def send(guest: int, step: int) -> None:
        row = {
            **dict.fromkeys(STAY),
            "event_id": str(UUID(int=guest * len(STEPS) + step, version=4)),
            "occurred_at": now_ms(),
            "ids": [{"kind": "customer", "value": f"G{guest}"}],
            "booking_ref": f"R{guest}",
            "touchpoint": STEPS[step],
            "medium": "chat",
            "unit": "HTL-MAKKAH",
            "case_id": f"C{guest}",
            "text": TEXT if step == 0 else None,
            "attributes": [],
        }
        (value,) = encoder.encode(pl.DataFrame([row], schema=STAY))
        await producer.send_and_wait(settings.topic("stay"), value)

    while not stop.is_set():
        for step in range(len(STEPS)):
            if number >= step * 4:
                await send(number - step * 4, step)
        number += 1
        await asyncio.sleep(PAUSE)
    for step in range(1, len(STEPS)):
        for guest in range(max(number - step * 4, 0), number):
            await send(guest, step)
    return number


async def trial(settings: Settings, folder: Path, seed: int, kills: int) -> Result:
    """Run one trial; logs and what was taken are left in `folder`. Raises AssertionError where it stands still."""
    rng, began, result = random.Random(seed), time.monotonic(), Result()
    await ensure_topics(settings)
    (port,), file = free_ports(1), folder / "taken.jsonl"
    write_routes(folder, f"http://127.0.0.1:{port}/hook")

    def started(kind: str) -> ExitStack:
        stack = ExitStack()
        stack.enter_context(_receiver(port, file) if kind == "receiver" else working(kind, settings, folder))
        return stack

    counted: collections.Counter[str] = collections.Counter()
    kinds, stop = ("deliver", "stitch", "receiver"), asyncio.Event()
    with ExitStack() as every:
        running = {kind: started(kind) for kind in ("enrich", *kinds)}
        every.callback(lambda: [stack.close() for stack in running.values()])
        published: list[dict[str, Any]] = []
        async with producing(settings) as producer, following(settings, "alerts", "alert", published.append):
            complaining = asyncio.ensure_future(_complain(producer, settings, stop))
            for number in range(kills):
                before = len(_taken(file))
                await until(lambda before=before: len(_taken(file)) > before, PATIENCE, "something to arrive")
                await asyncio.sleep(rng.uniform(0.0, 0.5))
                kind = rng.choice(kinds)
                running[kind].close()  # SIGKILL
                counted[kind] += 1
                running[kind] = started(kind)
                print(f"{number + 1} {kind}", file=sys.stderr, flush=True)
            stop.set()
            result.complaints = await complaining

            def wanted() -> set[tuple[str, int]]:
                return {(row["alert_id"], row["version"]) for row in published}

            def told(type_: str = "") -> set[tuple[str, int]]:
                return {(id_, version) for _, id_, version, what in _taken(file) if type_ in ("", what)}

            with contextlib.suppress(AssertionError):  # what is missing then is the result
                await until(
                    lambda: len({id_ for id_, _ in told("alert.closed")}) >= result.complaints and wanted() <= told(),
                    PATIENCE,
                    "everything to arrive",
                )
            result.versions, result.missed = len(wanted()), len(wanted() - told())
            result.not_closed = result.complaints - len({id_ for id_, _ in told("alert.closed")})
    taken = _taken(file)
    keys: dict[tuple[str, int], set[str]] = collections.defaultdict(set)
    order: dict[str, list[int]] = collections.defaultdict(list)
    for key, id_, version, _ in taken:
        keys[id_, version].add(key)
        if version not in order[id_]:
            order[id_].append(version)
    result.kills, result.repeated = dict(counted), len(taken) - len(keys)
    result.keys_wrong = sum(some != {f"alert.{id_}.{version}"} for (id_, version), some in keys.items())
    result.out_of_order = sum(versions != sorted(versions) for versions in order.values())
    result.seconds = round(time.monotonic() - began, 1)
    return result


async def _on_a_broker(folder: Path, seed: int, kills: int) -> Result:
    process = Tansu(folder / "broker.log")
    await process.start()
    try:
        settings = Broker(process.address, True, process).settings("loop", partitions=2, session_timeout=6.0)
        return await trial(settings, folder, seed, kills)
    finally:
        await process.stop()


def main() -> int:
    """Parse the command line, run, print the result as a line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="keep logs here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rihla-loop-") as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        result = asyncio.run(_on_a_broker(folder, options.seed, options.kills))
    print(result.line(), flush=True)
    return 0 if result.good else 1


if __name__ == "__main__":
    sys.exit(main())
