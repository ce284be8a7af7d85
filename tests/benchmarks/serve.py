"""Customer 360 and the desk under load: how long `GET /v1/customers/{id}` takes at a fixed rate while rows flow into
the view, and, of `--sessions` open desks, how long it takes from an alert until its inbox has been read again.

python -m tests.benchmarks.serve [--rate 500] [--seconds 20] [--rows 5000] [--customers 50000] [--sessions 0] [--store
FOLDER]

One process serves: the API, the desk, the door and the store of `rihla worker serve`, without a broker; rows are
applied as the follower applies them. A session is what the page does: it follows events and reads the inbox of its unit
when there is one. Another asks, each request when it is due and not when the one before has been answered, so that
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
from datetime import datetime
from pathlib import Path
from typing import Any

import uvloop
from aiohttp import ClientSession, CookieJar, TCPConnector

from streams.clock import now_ms
from streams.door import Door
from streams.model.company import built_in
from streams.serve import lookups, tokens
from streams.serve.api import FROM_DESK, Api
from streams.serve.desk.routes import DESK, Desk
from streams.serve.inbox import deadlines_of
from streams.serve.lookups import Lookups
from streams.serve.process import LIMITS, TURN
from streams.serve.sessions import Sessions
from streams.serve.store import Memory, Store, digest, pack, unpack
from streams.serve.view import APPLY, CONTACT
from tests.benchmarks.processes import cpu_seconds
from tests.benchmarks.report import Outcome, tabulate
from tests.support.serving import NOON, alert, customer, interaction, journey

BATCH = 0.1
"""Seconds between two batches of rows."""
RATE, ROWS, CUSTOMERS, SESSIONS = 500, 5000, 50_000, 200
UNITS = 20
GAP = 1.0
"""Seconds between two readings of an inbox, as the page keeps them."""
FILLED = b"!customers"
"""Key of the number of customers that a store has been filled with."""
TOKENS = 100
"""A token of operations may look up 100 customers a second: so many, so that none is refused."""


def main() -> None:
    """Measure, or be the server that is measured."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.serve")
    parser.add_argument("--rate", type=int, default=RATE)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    parser.add_argument("--sessions", type=int, default=0)
    parser.add_argument("--store", type=Path, help="keep the filled view here, and take it from here the next time")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve is not None:
        uvloop.run(_serve(given.serve, given.store or given.serve / "view", given.customers, given.rows))
        return
    print(json.dumps(run(given.rate, given.seconds, given.rows, given.customers, given.sessions, given.store)))


def measure(requests: int) -> Outcome:
    """So many requests at RATE a second with ROWS flowing in; then SESSIONS open desks, for a third of the time."""
    asked = run(RATE, max(requests // RATE, 2), ROWS, CUSTOMERS, 0)
    desks = run(0, max(requests // RATE // 3, 8), ROWS, CUSTOMERS, SESSIONS)
    table = tabulate(["", *asked], [["customers", *map(str, asked.values())]])
    table += "\n" + tabulate(["", *desks], [["desks", *map(str, desks.values())]])
    return Outcome(table, {f"serve_{k}": v for k, v in asked.items()} | {f"desk_{k}": v for k, v in desks.items()})


def run(rate: int, seconds: int, rows: int, customers: int, sessions: int, kept: Path | None = None) -> dict[str, Any]:
    """Start a server, ask it, and return the figures, with the load that the machine had. kept: where its view is."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.benchmarks.serve", "--serve", folder]
        command += ["--customers", str(customers), "--rows", str(rows)]
        command += [] if kept is None else ["--store", str(kept)]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            before = cpu_seconds(server.pid)
            found = asyncio.run(_both(url, rate, seconds, customers, sessions))
            used = round(cpu_seconds(server.pid) - before, 2)
        finally:
            server.terminate()
            server.wait()
    scale = {"rate": rate, "rows_a_second": rows, "customers": customers, "sessions": sessions, "cpu_s": used}
    return found | scale | {"load": [round(one, 1) for one in os.getloadavg()], "cores": os.cpu_count()}


async def _both(url: str, rate: int, seconds: int, customers: int, sessions: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if rate:
        found |= await _ask(url, rate, seconds, customers)
    if sessions:
        found |= await _look(url, sessions, seconds)
    return found


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


def _fill(store: Store, customers: int) -> None:
    """Put so many customers into a store that has fewer; their contacts at once, as the view would keep them."""
    with store.reading() as view:
        known = int(unpack(view.get(FILLED) or pack(0)))
    for start in range(known, customers, 20_000):
        end = min(start + 20_000, customers)
        made = Memory()
        for number in range(start, end):
            state, trip, *contacts = _rows(number, NOON)
            for record, row in (state, trip):
                APPLY[record](made, row)
            said = [{name: row[name] for name in CONTACT if row[name] is not None} for _, row in reversed(contacts)]
            made.put(b"s" + digest(f"customer:C{number:07d}"), pack(said))
        with store.writing() as view:
            for key, value in sorted(made.values.items()):
                view.put(key, value)
            view.put(FILLED, pack(end))
        if (end // 20_000) % 25 == 0:
            print(f"{end:,} customers are in the store", file=sys.stderr, flush=True)


async def _serve(folder: Path, kept: Path, customers: int, rows: int) -> None:
    file = folder / "tokens.toml"
    file.write_text("\n".join(tokens.entry(f"t{n}", "operations", f"t{n}") for n in range(TOKENS)))
    store = Store(kept)
    _fill(store, customers)
    sys.setswitchinterval(TURN)

    async def send(some: Sequence[lookups.Row]) -> None:
        await asyncio.sleep(0)

    looked = Lookups(send)
    sessions, allowed = Sessions(), tokens.load(file)
    api = Api(store, allowed, looked, lambda: 0.1, sessions=sessions)
    desk = Desk(api, store, allowed, sessions, deadlines_of(built_in()))
    door = Door(api.app, LIMITS, linked=(DESK,))
    await looked.start()
    print(f"http://127.0.0.1:{await door.listen('127.0.0.1', 0)}", flush=True)
    chance, at = random.Random(1), 0

    def apply(count: int) -> None:
        with store.writing() as view:
            for one in range(count):
                number = chance.randrange(customers)
                APPLY["interaction"](view, interaction(f"customer:C{number:07d}", f"{at}-{one}", NOON + at))

    def raised(number: int) -> dict[str, Any]:
        name, unit = f"C{chance.randrange(customers):07d}", f"U{number % UNITS}"
        row = alert(name, f"a{number}", unit=unit, raised_at=now_ms(), reason=str(number))
        with store.writing() as view:
            APPLY["alert"](view, row)
        return row

    due = time.monotonic()
    while True:
        at += 1
        await asyncio.to_thread(apply, int(rows * BATCH))
        row = await asyncio.to_thread(raised, at)  # ten a second; one every two seconds for each unit
        desk.changed({"alert": [row]})
        api.changed({"alert": [row]})
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
    return {**_quantiles(took), "statuses": statuses}


async def _look(url: str, sessions: int, seconds: int) -> dict[str, Any]:
    """How old the newest alert of each unit is when its inbox has been read."""
    took: list[float] = []
    over = asyncio.Event()
    following = asyncio.Semaphore(0)

    async def session(number: int) -> None:
        unit, newest = f"U{number % UNITS}", ""
        async with ClientSession(cookie_jar=CookieJar(unsafe=True), connector=TCPConnector(limit=0)) as http:
            ours = {FROM_DESK: "1"}
            async with http.post(f"{url}/desk/session", json={"token": f"t{number % TOKENS}"}, headers=ours) as answer:
                answer.raise_for_status()
            async with http.get(f"{url}/desk/data/events", params={"unit": unit}) as stream:
                read = 0.0
                following.release()
                async for line in stream.content:
                    if over.is_set():
                        return
                    if not line.startswith(b"data:"):
                        continue
                    await asyncio.sleep(max(GAP - (time.monotonic() - read), 0))
                    read = time.monotonic()
                    async with http.get(f"{url}/desk/data/inbox", params={"unit": unit}) as answer:
                        told = await answer.json()
                    first = max(_alerts(told), key=lambda one: str(one["at"]))
                    if newest and first["id"] != newest:
                        at = datetime.fromisoformat(first["at"]).timestamp()
                        took.append(time.time() - at)
                    newest = first["id"]

    working = [asyncio.create_task(session(number)) for number in range(sessions)]
    for _ in working:
        await following.acquire()
    took.clear()
    await asyncio.sleep(seconds)
    over.set()
    done, _ = await asyncio.wait(working, timeout=2 * UNITS * BATCH + GAP)
    for one in working:
        one.cancel()
    for one in done:
        one.result()  # a session that failed is no session
    return {**_quantiles(took), "alerts_read": len(took)}


def _alerts(told: dict[str, Any]) -> list[dict[str, Any]]:
    """The alerts of an inbox, those of folded lines included."""
    return [each for one in told["items"] for each in one.get("members", [one])]


def _quantiles(took: list[float]) -> dict[str, float]:
    """In ms, of seconds. Raises ValueError where there are none."""
    if not took:
        raise ValueError("nothing was answered in that time: give it more seconds, or this machine less to do")
    took.sort()
    return {f"p{part}_ms": round(1000 * took[int(len(took) * part / 100)], 2) for part in (50, 90, 99)}


if __name__ == "__main__":
    main()
