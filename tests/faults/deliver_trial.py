"""Deliver killed in mid-flight: every version of every alert arrives, in order, each with one key.

    python -m tests.faults.deliver_trial --runs 10      (on the embedded broker; a line of JSON a run)

Alerts come while the worker is killed several times at moments left to chance, and the receiver fails, asks for pauses
and is away. What the receiver took is compared with what was published.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import json
import random
import sys
import tempfile
import time
from contextlib import AsyncExitStack, ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

from streams.embedded.tansu import Tansu
from streams.kafka.topics import ensure_topics
from streams.settings import Settings
from tests.support.brokers import Broker, until
from tests.support.delivering import alert, deliver, deliveries, in_order, publish, write_routes
from tests.support.receiver import Receiver, receiving
from tests.support.waiting import PATIENCE
from tests.support.workers import producing

KILLS = 3


@dataclass
class Result:
    """What a trial found; `good` when all that was published arrived, in order, and is known to have."""

    alerts: int
    versions: int = 0
    arrived: int = 0
    requests: int = 0
    repeated: int = 0
    out_of_order: int = 0
    keys_wrong: int = 0
    untold: int = 0
    """Versions that cx.deliveries does not call delivered."""
    seconds: float = 0.0
    errors: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Nothing is missing, and nothing came before its predecessor."""
        return self.arrived == self.versions and not (
            self.out_of_order or self.keys_wrong or self.untold or self.errors
        )

    def line(self) -> str:
        """One line of JSON."""
        return json.dumps({"good": self.good, **asdict(self)})


async def trial(settings: Settings, folder: Path, seed: int, alerts: int = 60) -> Result:
    """Run one trial; its log and its routes are left in `folder`."""
    rng, result, began = random.Random(seed), Result(alerts, 3 * alerts), time.monotonic()
    await ensure_topics(settings)

    def answer(number: int) -> tuple[int, dict[str, str]]:
        chance = rng.random()
        return (500, {}) if chance < 0.1 else (429, {"Retry-After": "1"}) if chance < 0.12 else (200, {})

    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(receiving(answer))
        producer = await stack.enter_async_context(producing(settings))
        told = await stack.enter_async_context(deliveries(settings))
        write_routes(folder, receiver.url)
        work = [(number, version) for version in (1, 2, 3) for number in range(alerts)]
        pieces = [work[at : at + len(work) // (KILLS + 1)] for at in range(0, len(work), len(work) // (KILLS + 1))]
        try:
            for piece in pieces:
                with ExitStack() as running:
                    running.enter_context(deliver(settings, folder))
                    rows = [alert(number, version) for number, version in piece]
                    await publish(producer, settings, "alerts", "alert", [row["alert_id"] for row in rows], rows)
                    before = len(receiver.requests)
                    await until(lambda before=before: len(receiver.requests) > before, PATIENCE, "it to send")
                    await asyncio.sleep(rng.uniform(0.0, 0.5))  # then it is killed
            with deliver(settings, folder):
                await until(lambda: _count(receiver) == len(work), PATIENCE, "everything to arrive")
                await until(lambda: _untold(told, work) == 0, PATIENCE, "everything to be known")
        except AssertionError as error:
            result.errors.append(f"{error}: {(folder / 'deliver.log').read_text()[-2000:]}")
        result.untold = _untold(told, work)
    result.arrived, result.requests = _count(receiver), len(receiver.requests)
    keys: dict[tuple[str, int], set[str]] = collections.defaultdict(set)
    for request in receiver.taken:
        keys[request.body["data"]["id"], request.body["data"]["version"]].add(request.key)
    result.repeated = len(receiver.taken) - result.arrived
    result.out_of_order = sum(versions != sorted(versions) for versions in in_order(receiver).values())
    result.keys_wrong = sum(some != {f"alert.{id_}.{version}"} for (id_, version), some in keys.items())
    result.seconds = round(time.monotonic() - began, 1)
    return result


def _count(receiver: Receiver) -> int:
    return sum(map(len, in_order(receiver).values()))


def _untold(told: dict[tuple[str, str, int], dict[str, object]], work: list[tuple[int, int]]) -> int:
    return sum(told.get(("living", f"a{number}", version), {}).get("status") != "delivered" for number, version in work)


async def _trials(runs: int, seed: int, folder: Path) -> list[Result]:
    process = Tansu(folder / "broker.log")
    await process.start()
    results = []
    try:
        for run in range(runs):
            place = folder / f"run-{run}"
            place.mkdir()
            broker = Broker(process.address, True, process)
            results.append(
                await trial(broker.settings(f"d{run}", partitions=2, session_timeout=6.0), place, seed + run)
            )
            print(results[-1].line(), flush=True)
            process.check()
    finally:
        await process.stop()
    return results


def main() -> int:
    """Parse the command line, run, sum up."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rihla-deliver-") as folder:
        results = asyncio.run(_trials(options.runs, options.seed, Path(folder)))
    total = {"runs": len(results), "good": sum(result.good for result in results)}
    total |= {name: sum(getattr(result, name) for result in results) for name in ("versions", "arrived", "repeated")}
    print(json.dumps(total), flush=True)
    return 0 if total["good"] == total["runs"] else 1


if __name__ == "__main__":
    sys.exit(main())
