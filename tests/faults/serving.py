"""Faults under Customer 360: it is read while stitch and serve are killed and stitch rebalances. It may say how old its
answer is, or 503 with Retry-After; it may never say what was not so.

Two processes serve, and whoever asks takes the one that answers. What was answered is judged afterwards by what `rihla
verify` recomputes: of a customer with n interactions, from the first n of theirs in the topic and from nothing else.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Mapping
from typing import Any

import aiohttp
import polars as pl

from streams.embedded.broker import HOST, free_ports
from streams.embedded.supervisor import Child, ChildSpec
from streams.serve import tokens
from streams.settings import environment
from streams.verify import topics
from streams.verify.recompute import recompute
from tests.faults.account import differences
from tests.faults.suite import TRIAL_SECONDS, Outcome
from tests.faults.world import ROOT, World, world
from tests.support.brokers import Broker, until
from tests.support.waiting import PATIENCE

READERS = 4
BEARERS = 4
PAUSE = 0.02
"""Seconds of a reader between two questions: below what the role operations may look up."""
LAST = 100
"""Customers whom both are asked for in the end."""
AFTER = 500
"""Answers after the last fault."""
LOOK = aiohttp.ClientTimeout(total=5)
CLOSE = 1e-6
"""How far two sums of the same scores may lie apart."""

Seen = tuple[str, int, str, float | None, str]
"""customer_id, interactions, profile, sentiment_30d, last_event_at: what was answered."""


class Readers:
    """Ask the processes, two by default, for customers, and remember what they said."""

    def __init__(self, tried: World, rng: random.Random, servers: int = 2) -> None:
        self._tried, self._rng = tried, rng
        self.ports = free_ports(servers)
        self.servers: list[Child] = []
        self.seen: set[Seen] = set()
        self.wrong: list[str] = []
        self.answers = self.unavailable = self.refused = self.elsewhere = self.unknown = 0
        self.oldest = 0
        self.outage = 0.0
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

    async def start(self) -> None:
        """Start them, and start them again whenever they die."""
        file = self._tried.folder / "tokens.toml"
        file.write_text("\n".join(tokens.entry(f"r{n}", "operations", f"r{n}") for n in range(BEARERS)))
        for number, port in enumerate(self.ports, 1):
            told = {
                **environment(self._tried.settings),
                "PYTHONPATH": str(ROOT),
                "RIHLA_SERVE_TOKENS": str(file),
                "RIHLA_SERVE_HOST": HOST,
                "RIHLA_SERVE_PORT": str(port),
                "RIHLA_SERVE_FOLDER": str(self._tried.folder / f"serve-{number}"),
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
        first, without = number % 2, time.monotonic()
        while not self.over:
            customer = self._rng.choice(self._customers)
            answered = await self._ask(http, first, customer, number)
            if not answered:
                self.elsewhere += 1
                first = 1 - first
                answered = await self._ask(http, first, customer, number)
            now = time.monotonic()
            if answered:
                without = now
            self.outage = max(self.outage, now - without)
            await asyncio.sleep(PAUSE)

    async def _ask(self, http: aiohttp.ClientSession, server: int, customer: str, bearer: int) -> bool:
        """Whether there was an answer that says something of the customer."""
        url = f"http://{HOST}:{self.ports[server]}/v1/customers/customer:{customer}"
        headers = {"Authorization": f"Bearer r{bearer % BEARERS}"}
        try:
            async with http.get(url, headers=headers) as answer:
                told = await answer.json(content_type=None)
                if answer.status == 503:
                    self.unavailable += 1
                    if "Retry-After" not in answer.headers:
                        self.wrong.append("503 without Retry-After")
                    return False
                self._take(server, customer, answer.status, answer.headers, told)
        except (aiohttp.ClientError, TimeoutError):
            self.refused += 1
            return False
        return True

    async def known(self) -> dict[str, int]:
        """Of some customers: the interactions that the first process knows now."""
        async with aiohttp.ClientSession(timeout=LOOK) as http:
            for number, customer in enumerate(self._customers[:LAST]):
                await self._ask(http, 0, customer, number)
                await asyncio.sleep(PAUSE)
        return {customer: count for (server, customer), count in self._known.items() if server == 0}

    async def catch_up(self, stored: Mapping[str, int]) -> None:
        """Return when both say of some customers what is stored, which `rihla verify` has yet to judge."""
        some = [(server, one) for one in sorted(stored.keys() & {*self._customers})[:LAST] for server in (0, 1)]
        async with aiohttp.ClientSession(timeout=LOOK) as http:

            async def is_there() -> bool:
                for number, (server, one) in enumerate(some):
                    if self._known.get((server, one)) != stored[one]:
                        await self._ask(http, server, one, number)
                return all(self._known.get(key) == stored[key[1]] for key in some)

            await until(is_there, PATIENCE, "both to say what is stored")

    def _take(
        self, server: int, customer: str, status: int, headers: Mapping[str, str], told: Mapping[str, Any]
    ) -> None:
        known = self._known.get((server, customer), 0)
        if status == 404 and not known:
            self.unknown += 1
            return
        if status != 200 or "Age" not in headers:
            self.wrong.append(f"{customer}: {status} where {known} interactions were known")
            return
        self.answers += 1
        self.oldest = max(self.oldest, int(headers["Age"]))
        if told["customer_id"] != customer:
            return  # somebody whose number is another's identifier: judged by the tables alone
        if told["interactions"] < known:
            self.wrong.append(f"{customer}: {told['interactions']} interactions after {known}")
        self._known[server, customer] = told["interactions"]
        profile = told["profile"]
        self.seen.add(
            (customer, told["interactions"], profile["name"], profile["sentiment_30d"], told["last_event_at"])
        )

    def said(self) -> str:
        """What was seen, in a line."""
        return (
            f"{self.answers} answers, {self.unknown} of nobody yet, {self.unavailable} were 503, {self.refused} had no "
            f"server, {self.elsewhere} asked the other one; oldest {self.oldest} s, longest without any "
            f"{self.outage:.1f} s"
        )


def judged(seen: set[Seen], log: pl.DataFrame) -> tuple[int, list[str]]:
    """How many answers of different content could be judged, and what was wrong. log: the topic, in order.

    A customer all of whose events have one subject is on one partition, so the state after n interactions is that of
    the first n. Each such state is given an identifier of its own, and all are recomputed at once.
    """
    subject = "customer:" + pl.col("customer_id")
    log = log.unique(["subject", "event_id"], keep="first", maintain_order=True)
    asked = pl.DataFrame([(one[0], one[1]) for one in seen], schema=["customer_id", "n"], orient="row").unique()
    counted = log.with_columns(at=pl.int_range(1, pl.len() + 1).over("subject"))
    states = asked.with_columns(subject=subject).join(counted, on="subject").filter(pl.col("at") <= pl.col("n"))
    alone = states.filter(pl.col("ids").list.len() == 1, pl.col("ids").list.first().struct.field("kind") == "customer")
    whole = (
        states.group_by("customer_id", "n")
        .len()
        .join(alone.group_by("customer_id", "n").len("own"), on=["customer_id", "n"])
    )
    fits = whole.filter(pl.col("len") == pl.col("own"), pl.col("len") == pl.col("n"))
    name = pl.format("{}#{}", "customer_id", "n")
    renamed = alone.join(fits, on=["customer_id", "n"], how="semi").with_columns(
        subject=pl.format("customer:{}", name),
        ids=pl.concat_list(pl.struct(kind=pl.lit("customer"), value=name)),
        booking_ref=pl.format("{}#{}#{}", pl.col("booking_ref"), "customer_id", "n"),
    )
    expected = {
        row["customer_id"]: row for row in recompute(renamed.select(log.columns)).customers.iter_rows(named=True)
    }
    wrong = []
    found = 0
    for customer, n, profile, score, _ in sorted(seen, key=str):
        row = expected.get(f"{customer}#{n}")
        if row is None:
            continue
        found += 1
        same = row["sentiment_30d"] is None if score is None else abs((row["sentiment_30d"] or 0.0) - score) < CLOSE
        if row["interactions"] != n or row["profile"] != profile or not same:
            wrong.append(
                f"{customer} with {n} interactions: {profile} {score}, must be {row['profile']} {row['sentiment_30d']}"
            )
    return found, wrong


class ServeFault:
    """Customer 360 is read while workers die, serve dies and its standby takes over, and stitch rebalances."""

    name = "serve-read-under-faults"

    def run(self, seed: int, broker: Broker) -> Outcome:
        """See Fault.run."""
        return asyncio.run(self._run(seed, broker))

    async def _run(self, seed: int, broker: Broker) -> Outcome:
        rng = random.Random(seed)
        async with world(broker.address, seed) as tried, asyncio.timeout(TRIAL_SECONDS):
            await tried.start_all()
            readers = Readers(tried, rng)
            await readers.start()
            await tried.reading()
            reading = asyncio.create_task(readers.read())
            await self._disturbed(tried, readers, rng)
            enough = readers.answers + AFTER
            await until(lambda: readers.answers >= enough or reading.done(), PATIENCE, "answers after the faults")
            readers.over = True  # each look-up is a record that the sink reads: nothing settles while somebody asks
            await reading
            await tried.settled()
            log = await topics.read(tried.settings)
            rows = await asyncio.to_thread(tried.client.query, "SELECT customer_id, interactions FROM customers")
            await readers.catch_up(dict(rows.result_rows))
            found, wrong = await asyncio.to_thread(judged, readers.seen, log.interactions)
            print(f"{readers.said()}; {found} of {len(readers.seen)} different answers recomputed", file=sys.stderr)
            if not readers.refused or not found:
                wrong.append("nothing was disturbed, or nothing judged: nothing has been tried")
            return Outcome(tried.records, [*wrong, *readers.wrong, *await differences(tried)])

    async def _disturbed(self, tried: World, readers: Readers, rng: random.Random) -> None:
        feeding = asyncio.create_task(tried.feed(pause=0.6))
        for turn in range(3):
            await asyncio.sleep(rng.uniform(1.0, 2.0))
            tried.kill(tried.workers["stitch"][0])
            await asyncio.sleep(rng.uniform(1.0, 2.0))
            tried.kill(readers.servers[turn % 2])
            (guest,) = await tried.start("stitch", supervised=False)
            await until(guest.find_address, PATIENCE, "another stitch")
            await asyncio.sleep(rng.uniform(0.0, 2.0))
            await guest.stop()
        await feeding


FAULTS = (ServeFault(),)
