"""Customer 360 under load: how long `GET /v1/customers/{id}` takes at a fixed rate while rows flow into the view.

python -m tests.benchmarks.serve [--rate 500] [--seconds 20] [--rows 5000] [--customers 50000]

One process serves: the API, the door and the store of `rihla worker serve`, without a broker; rows are applied as the
follower applies them. Another asks, each request when it is due and not when the one before has been answered, so that
a server that falls behind is seen to. What comes last is a line of JSON, with the load of the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, TCPConnector

from streams.door import Door
from streams.serve import lookups, tokens
from streams.serve.api import Api
from streams.serve.lookups import Lookups
from streams.serve.store import Store
from streams.serve.view import APPLY
from tests.support.serving import NOON, customer, interaction, journey

BATCH = 0.1
"""Seconds between two batches of rows."""
TOKENS = 100
"""A token of operations may look up 100 customers a second: so many, so that none is refused."""


def main() -> None:
    """Measure, or be the server that is measured."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.serve")
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--customers", type=int, default=50_000)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve is not None:
        asyncio.run(_serve(given.serve, given.customers, given.rows))
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.benchmarks.serve", "--serve", folder]
        command += ["--customers", str(given.customers), "--rows", str(given.rows)]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            print(
                json.dumps(
                    asyncio.run(_ask(url, given.rate, given.seconds, given.customers)) | vars(given) | {"serve": ""}
                )
            )
        finally:
            server.terminate()
            server.wait()


def _rows(number: int, at: int) -> list[tuple[str, dict[str, Any]]]:
    """What is known of a customer: state, a journey, five contacts."""
    name = f"C{number:07d}"
    contacts = [
        (
            "interaction",
            interaction(f"customer:{name}", f"{number}-{one}", at + one, score=0.2, text="The room was clean."),
        )
        for one in range(5)
    ]
    return [("customer", customer(name)), ("journey", journey(name, f"B{number}")), *contacts]


async def _serve(folder: Path, customers: int, rows: int) -> None:
    file = folder / "tokens.toml"
    file.write_text("\n".join(tokens.entry(f"t{n}", "operations", f"t{n}") for n in range(TOKENS)))
    store = Store(folder / "view")
    for start in range(0, customers, 2000):
        with store.writing() as view:
            for number in range(start, min(start + 2000, customers)):
                for record, row in _rows(number, NOON):
                    APPLY[record](view, row)

    async def send(some: Sequence[lookups.Row]) -> None:
        await asyncio.sleep(0)

    looked = Lookups(send)
    api = Api(store, tokens.load(file), looked, lambda: 0.1)
    door = Door(api.app)
    await looked.start()
    print(f"http://127.0.0.1:{await door.listen('127.0.0.1', 0)}", flush=True)
    chance, at = random.Random(1), 0

    def apply(count: int) -> None:
        with store.writing() as view:
            for one in range(count):
                number = chance.randrange(customers)
                APPLY["interaction"](view, interaction(f"customer:C{number:07d}", f"{at}-{one}", NOON + at))

    due = time.monotonic()
    while True:
        at += 1
        await asyncio.to_thread(apply, int(rows * BATCH))
        due += BATCH
        await asyncio.sleep(max(due - time.monotonic(), 0))


async def _ask(url: str, rate: int, seconds: int, customers: int) -> dict[str, Any]:
    chance = random.Random(2)
    took: list[float] = []
    statuses: dict[int, int] = {}
    async with ClientSession(connector=TCPConnector(limit=0)) as session:

        async def one(number: int, due: float) -> None:
            headers = {"Authorization": f"Bearer t{number % TOKENS}"}
            async with session.get(f"{url}/v1/customers/C{chance.randrange(customers):07d}", headers=headers) as answer:
                await answer.read()
                statuses[answer.status] = statuses.get(answer.status, 0) + 1
            took.append(time.perf_counter() - due)

        waiting: set[asyncio.Task[None]] = set()
        began = time.perf_counter()
        for number in range(rate * seconds):
            due = began + number / rate
            await asyncio.sleep(max(due - time.perf_counter(), 0))
            task = asyncio.create_task(one(number, due))
            waiting.add(task)
            task.add_done_callback(waiting.discard)
        await asyncio.gather(*waiting)
    took.sort()
    marks = {f"p{part}_ms": round(1000 * took[int(len(took) * part / 100)], 2) for part in (50, 90, 99)}
    return {**marks, "statuses": statuses, "load": [round(one, 1) for one in os.getloadavg()], "cores": os.cpu_count()}


if __name__ == "__main__":
    main()
