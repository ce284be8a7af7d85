"""The collector under load, on this machine: what it takes a second on one core, and how long answers take at half.

    python -m tests.benchmarks.collect [--seconds 10] [--broker embedded|kafka]

The collector is a process of its own; the broker, and the senders in this process, take what CPU is left, so its own
CPU is what is counted: events per second of its CPU. Bodies are JSON arrays of 100 events of the simulator.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from streams.embedded.broker import BrokerProcess
from streams.embedded.kafka import Kafka
from streams.embedded.ports import HOST, free_ports
from streams.embedded.supervisor import Child, ChildSpec
from streams.embedded.tansu import Tansu
from streams.settings import Settings, environment
from streams.sources.simulate import Options, write
from tests.support.waiting import PATIENCE, until

EVENTS = 100
"""Of one request."""
CONNECTIONS = 8
TOKEN = "a-token-for-benchmarks"
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Load:
    """What came of some seconds of requests. times: seconds from sending to answer, of each; cpu: of the collector."""

    seconds: float = 0.0
    cpu: float = 0.0
    events: int = 0
    refused: int = 0
    times: list[float] = field(default_factory=list)

    def quantile(self, q: float) -> float:
        """Milliseconds within which such a share of the requests was answered."""
        some = sorted(self.times)
        return 1000 * some[min(len(some) - 1, int(q * len(some)))]


def cpu_of(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def load(url: str, bodies: list[bytes], seconds: float, pid: int, rate: float | None = None) -> Load:
    """Send requests for some seconds. rate: events a second; None: the next when one is answered."""
    found = Load()
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    began, cpu = time.perf_counter(), cpu_of(pid)
    number = iter(range(10**9))

    async def sender(http: aiohttp.ClientSession) -> None:
        while time.perf_counter() - began < seconds:
            mine = next(number)
            due = began if rate is None else began + mine * EVENTS / rate
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            sent = time.perf_counter() if rate is None else due  # what waits for a free connection has waited, too
            async with http.post(url, data=bodies[mine % len(bodies)], headers=headers) as answer:
                told = await answer.json()
            if answer.status != 202:
                found.refused += 1
                continue
            found.times.append(time.perf_counter() - sent)
            found.events += told["accepted"]

    async with aiohttp.ClientSession() as http:
        await asyncio.gather(*(sender(http) for _ in range(CONNECTIONS)))
    found.seconds, found.cpu = time.perf_counter() - began, cpu_of(pid) - cpu
    return found


async def measure(process: BrokerProcess, folder: Path, seconds: float) -> dict[str, float]:
    """Start a broker and a collector, and load it: at most, then with half of that."""
    file = folder / "events.jsonl"
    write(Options(customers=1500, seed=5), file)
    lines = file.read_bytes().splitlines()
    bodies = [b"[" + b",".join(lines[at : at + EVENTS]) + b"]" for at in range(0, len(lines) - EVENTS, EVENTS)]
    await process.start()
    port = free_ports(1)[0]
    settings = Settings(
        brokers=process.address, embedded=isinstance(process, Tansu), partitions=2, collect_port=port,
        collect_token=TOKEN,
    )  # fmt: skip
    command = [sys.executable, "-m", "streams.cli", "worker", "collect", "--metrics-port", "0"]
    child = Child(ChildSpec("collect", command, environment(settings)), folder / "collect.log")
    await child.start()
    try:
        await until(child.find_address, PATIENCE, "the collector to listen")
        assert child.pid is not None
        url = f"http://{HOST}:{port}/v1/events"
        await load(url, bodies, 2.0, child.pid)
        most = await load(url, bodies, seconds, child.pid)
        per_core = most.events / most.cpu
        half = await load(url, bodies, seconds, child.pid, rate=per_core / 2)
    finally:
        await child.stop()
        await process.stop()
    return {
        "events_per_second": round(most.events / most.seconds),
        "events_per_cpu_second": round(per_core),
        "p50_ms_at_most": round(most.quantile(0.5), 1),
        "offered_at_half": round(per_core / 2),
        "events_per_second_at_half": round(half.events / half.seconds),
        "p50_ms_at_half": round(half.quantile(0.5), 1),
        "p99_ms_at_half": round(half.quantile(0.99), 1),
        "refused": most.refused + half.refused,
        "load_average": round(os.getloadavg()[0], 1),
    }


def main() -> int:
    """Parse the command line, measure, print a line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--broker", choices=("embedded", "kafka"), default="embedded")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each of the two loads")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rihla-collect-") as temporary:
        folder = Path(temporary)
        process = Tansu(folder / "broker.log") if options.broker == "embedded" else Kafka(folder / "kafka")
        print(json.dumps(asyncio.run(measure(process, folder, options.seconds))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
