"""Faults under Customer 360: it is read while stitch and serve are killed, stitch rebalances, a server loses its disk
and the broker freezes. It may say how old its answer is, or 503 with Retry-After; it may never say what was not so.

Three processes serve, and whoever asks takes one that answers. tests/faults/served.py judges what was answered.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from schemas.decode import BatchDecoder
from streams.embedded.broker import BrokerProcess
from streams.embedded.ports import HOST, free_ports
from streams.embedded.supervisor import Child, ChildSpec
from streams.kafka import clients
from streams.registries import registry_of
from streams.serve import tokens
from streams.settings import environment
from streams.verify import topics
from tests.faults.account import differences
from tests.faults.served import Published, State, judged
from tests.faults.suite import TRIAL_SECONDS, Outcome
from tests.faults.world import ROOT, World, world
from tests.support.brokers import Broker, until
from tests.support.waiting import PATIENCE

SERVERS = 3
READERS = 4
BEARERS = 12
AT_ONCE = 20
"""Customers of a look-up of several. A look-up is a record that the sink reads, too."""
PAUSE = 0.1
"""Seconds of a reader between two questions."""
LAST = 100
"""Customers whom all are asked for in the end."""
AFTER = 500
"""Answers after the last fault."""
FROZEN = 5.0
"""Seconds for which the broker is frozen: ages grow, and nobody may say a smaller one."""
LONGEST = 5.0
LOOK = aiohttp.ClientTimeout(total=LONGEST)
COLUMNS = (
    *("customer_id", "interactions", "profile", "sentiment_30d", "last_event_at", "version", "withdrawn"),
)  # of cx.customers


class Readers:
    """Ask all processes for customers, and remember what they said."""

    def __init__(self, tried: World, rng: random.Random, published: Published, servers: int = SERVERS) -> None:
        self._tried, self._rng, self._published = tried, rng, published
        self.ports = free_ports(servers)
        self.servers: list[Child] = []
        self.answers: list[tuple[State, float]] = []
        """What was said, and as of when (epoch s)."""
        self.strangers: list[tuple[str, float]] = []
        """Who was said to be nobody, and as of when."""
        self.wrong: list[str] = []
        self.unavailable = self.refused = self.elsewhere = 0
        self.oldest = self.outage = 0.0
        self.over = False
        self._known: dict[tuple[int, str], int] = {}
        self._customers = sorted(
            {
                one["value"]
                for batch in tried.batches
                for ids in batch.frame["ids"].to_list()
                for one in ids
                if one["kind"] == "customer"
            }
        )

    def folder(self, server: int) -> Path:
        """Where a server keeps its view."""
        return self._tried.folder / f"serve-{server}"

    async def start(self) -> None:
        """Start them, and start them again whenever they die."""
        file = self._tried.folder / "tokens.toml"
        file.write_text("\n".join(tokens.entry(f"r{n}", "operations", f"r{n}") for n in range(BEARERS)))
        for number, port in enumerate(self.ports):
            told = {
                **environment(self._tried.settings),
                "PYTHONPATH": str(ROOT),
                "RIHLA_SERVE_TOKENS": str(file),
                "RIHLA_SERVE_HOST": HOST,
                "RIHLA_SERVE_PORT": str(port),
                "RIHLA_SERVE_FOLDER": str(self.folder(number)),
            }
            command = [sys.executable, "-m", "streams.cli", "worker", "serve", "--metrics-port", "0"]
            child = await self._tried.supervisor.start(ChildSpec(f"serve-{number}", command, told))
            self.servers.append(child)
        for child in self.servers:
            await until(child.find_address, PATIENCE, "serve to listen")

    async def read(self) -> None:
        """Ask until it is over."""
        async with aiohttp.ClientSession(timeout=LOOK) as http:
            await asyncio.gather(*(self._reader(http, number) for number in range(READERS)))

    async def _reader(self, http: aiohttp.ClientSession, number: int) -> None:
        first, without = number % SERVERS, time.monotonic()
        for turn in range(number, sys.maxsize, READERS):
            if self.over:
                return
            customers = self._some()
            for _ in range(SERVERS):
                if await self._ask(http, first, customers, turn):
                    without = time.monotonic()
                    break
                self.elsewhere += 1
                first = (first + 1) % SERVERS
            self.outage = max(self.outage, time.monotonic() - without)
            if turn % 3 == 0:
                first = (first + 1) % SERVERS
            await asyncio.sleep(PAUSE)

    def _some(self) -> list[str]:
        """Customers to ask for: most of them such as have been heard of, and any."""
        heard = self._rng.choices([*self._published.known()] or self._customers, k=AT_ONCE - 4)
        return [*{*heard, *self._rng.sample(self._customers, 4)}]

    async def _ask(self, http: aiohttp.ClientSession, server: int, customers: list[str], bearer: int) -> bool:
        """Whether there was an answer that says something of the customers."""
        url = f"http://{HOST}:{self.ports[server]}/v1/lookup"
        headers = {"Authorization": f"Bearer r{bearer % BEARERS}"}
        body = {"identifiers": [f"customer:{one}" for one in customers]}
        try:
            async with http.post(url, json=body, headers=headers) as answer:
                told = await answer.json(content_type=None)
                if answer.status == 503:
                    self.unavailable += 1
                    if not answer.headers.get("Retry-After", "").isdecimal():
                        self.wrong.append("503 without Retry-After")
                    return False
                if answer.status == 429:
                    await asyncio.sleep(1)
                    return False
                if answer.status != 200 or "Age" not in answer.headers:
                    self.wrong.append(f"an answer of {answer.status}, Age {answer.headers.get('Age')}")
                    return False
                self._take(server, told, int(answer.headers["Age"]))
        except (aiohttp.ClientError, TimeoutError):
            self.refused += 1
            return False
        return True

    async def known(self) -> dict[str, int]:
        """Of some customers: the interactions that the first process knows. It is asked until it answers: while it has
        much to read it says 503."""
        some = self._customers[:LAST]
        async with aiohttp.ClientSession(timeout=LOOK) as http:
            for start in range(0, len(some), AT_ONCE):
                asked = partial(self._ask, http, 0, some[start : start + AT_ONCE], 0)
                await until(asked, PATIENCE, "Customer 360 to answer")
        return {customer: count for (server, customer), count in self._known.items() if server == 0}

    async def catch_up(self, stored: Mapping[str, int]) -> None:
        """Return when all say of some customers what is stored, which `rihla verify` has yet to judge."""
        some = sorted(stored.keys() & {*self._customers})[:LAST]
        async with aiohttp.ClientSession(timeout=LOOK) as http:

            async def is_there() -> bool:
                for server in range(SERVERS):
                    behind = [one for one in some if self._known.get((server, one)) != stored[one]]
                    for start in range(0, len(behind), AT_ONCE):
                        await self._ask(http, server, behind[start : start + AT_ONCE], server)
                return all(self._known.get((server, one)) == stored[one] for server in range(SERVERS) for one in some)

            await until(is_there, PATIENCE, "all to say what is stored")

    def _take(self, server: int, told: Mapping[str, Any], age: int) -> None:
        as_of = datetime.fromisoformat(told["as_of"]).timestamp()
        self.oldest = max(self.oldest, age)
        if not -1 <= time.time() - as_of - age <= LONGEST + 2:
            self.wrong.append(f"as_of {told['as_of']} and an Age of {age} s do not agree")
        for one in told["answers"]:
            asked = one["identifier"].removeprefix("customer:")
            if not one["customers"]:
                self.strangers.append((asked, as_of))
            for found in one["customers"]:
                if found["customer_id"] != asked:
                    continue  # somebody whose number is another's identifier: judged by the tables alone
                profile, last = found["profile"], datetime.fromisoformat(found["last_event_at"])
                parts = (profile["name"], profile["sentiment_30d"], round(last.timestamp() * 1000))
                self.answers.append((State(asked, found["interactions"], *parts), as_of))
                self._known[server, asked] = found["interactions"]

    def said(self) -> str:
        """What was seen, in a line."""
        return (
            f"{len(self.answers)} answers, {len(self.strangers)} of nobody yet, {self.unavailable} were 503, "
            f"{self.refused} had no server, {self.elsewhere} asked another; oldest {self.oldest:.0f} s, longest "
            f"without any {self.outage:.1f} s"
        )


@asynccontextmanager
async def observed(tried: World) -> AsyncIterator[Published]:
    """What comes on cx.customers and cx.identities, as it comes."""
    decoder, found = BatchDecoder("customer", registry_of(tried.settings)), Published()
    names, identities = BatchDecoder("identity", registry_of(tried.settings)), tried.settings.topic("identities")
    consumer = clients.consumer(
        tried.settings, tried.settings.topic("customers"), identities, group_id=None, auto_offset_reset="earliest"
    )
    await consumer.start()

    async def look() -> None:
        while True:
            for place, records in (await consumer.getmany(timeout_ms=50)).items():
                now = time.time()
                if place.topic == identities:
                    rows = names.decode([one.value for one in records if one.value is not None]).frame
                    kinds, values, whose = rows["kind"], rows["value"], rows["customer_id"]
                    found.owners |= {
                        (f"{kind}:{value}", owner) for kind, value, owner in zip(kinds, values, whose, strict=True)
                    }
                    continue
                rows = decoder.decode([one.value for one in records if one.value is not None], COLUMNS).frame
                for row in rows.iter_rows(named=True):
                    found.take(row, now)

    looking = asyncio.create_task(look())
    try:
        yield found
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        await consumer.stop()


class ServeFault:
    """Customer 360 is read while workers die, serve dies and its standby takes over, stitch rebalances, a server's view
    is lost and the broker freezes."""

    name = "serve-read-under-faults"

    def run(self, seed: int, broker: Broker) -> Outcome:
        """See Fault.run."""
        return asyncio.run(self._run(seed, broker))

    async def _run(self, seed: int, broker: Broker) -> Outcome:
        rng = random.Random(seed)
        async with world(broker.address, seed) as tried, asyncio.timeout(TRIAL_SECONDS), observed(tried) as published:
            await tried.start_all()
            readers = Readers(tried, rng, published)
            await readers.start()
            await tried.reading()
            reading = asyncio.create_task(readers.read())
            await self._disturbed(tried, readers, rng, broker)
            enough = len(readers.answers) + AFTER
            await until(lambda: len(readers.answers) >= enough or reading.done(), PATIENCE, "answers after the faults")
            readers.over = True  # each look-up is a record that the sink reads: nothing settles while somebody asks
            await reading
            await tried.settled()
            log = await topics.read(tried.settings)
            rows = await asyncio.to_thread(tried.client.query, "SELECT customer_id, interactions FROM customers")
            await readers.catch_up(dict(rows.result_rows))
            owners = published.owners
            faults = [fault for one, as_of in readers.answers if (fault := published.fault(one, as_of)) is not None]
            faults += [fault for one, as_of in readers.strangers if (fault := published.nobody(one, as_of)) is not None]
            seen = {one for one, _ in readers.answers}
            found = await asyncio.to_thread(judged, seen, log.interactions, owners)
            print(
                f"{readers.said()}; each compared with {published.rows} published rows; {found.recomputed} of "
                f"{found.states} different states recomputed, of {found.sets} sets of events",
                file=sys.stderr,
            )
            wrong = [*readers.wrong, *faults, *found.wrong]
            if not readers.refused or not readers.unavailable or not readers.oldest or not found.recomputed:
                wrong.append("no server was away, no 503 or age was met, or nothing judged: not all has been tried")
            return Outcome(tried.records, [*wrong, *await differences(tried)])

    async def _disturbed(self, tried: World, readers: Readers, rng: random.Random, broker: Broker) -> None:
        feeding = asyncio.create_task(tried.feed(pause=0.6))
        for turn in range(SERVERS):
            await asyncio.sleep(rng.uniform(1.0, 2.0))
            tried.kill(tried.workers["stitch"][0])
            await asyncio.sleep(rng.uniform(1.0, 2.0))
            tried.kill(readers.servers[turn])
            if turn == SERVERS - 1:  # this one has lost its disk, too: it fills its view anew
                shutil.rmtree(readers.folder(turn), ignore_errors=True)
            (guest,) = await tried.start("stitch", supervised=False)
            await until(guest.find_address, PATIENCE, "another stitch")
            await asyncio.sleep(rng.uniform(0.0, 2.0))
            await guest.stop()
        await feeding
        await self._freeze(broker)

    async def _freeze(self, broker: Broker) -> None:
        """The broker says nothing for a while: what is known gets older, and says so."""
        assert isinstance(broker.process, BrokerProcess)
        pid = broker.process.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(FROZEN)
        finally:
            os.kill(pid, signal.SIGCONT)


FAULTS = (ServeFault(),)
