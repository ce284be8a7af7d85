"""Erasing one person, step by step, while the pipeline goes on working.

1. **refuse**: fingerprints of all names go to the receipt and to the topic that every worker follows.
2. **settle**: wait until every worker has handled what was written before. Then ClickHouse knows everything about the
   person. If that shows another name of theirs, both steps are done again with it.
3. **forget**: identity forgets the names and publishes what that changes for others; when every worker has handled
   that, stitch forgets the states.
4. **bury**: write tombstones for the person's keys to compacted topics. 5. **delete** the rows in ClickHouse, then
search every table for what may remain. 6. **trim** the topics that only our own workers read, and report what other
topics keep, and for how long.

It may be interrupted anywhere and run again: every step is harmless when repeated.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from streams import topology
from streams.erasure.person import Person, find, widened
from streams.erasure.receipt import ANEW, Receipt
from streams.erasure.store import Store
from streams.erasure.topics import DELETABLE, INTERNAL, Kept, Topics
from streams.errors import RihlaError
from streams.kafka import clients
from streams.kafka.acl_check import require
from streams.kafka.observer import Observer
from streams.registries import registry_of
from streams.settings import Settings
from streams.sources.feeder import producing
from streams.topology import ABOUT_PEOPLE

TELL_SECONDS = 3.0
"""Seconds that workers are given to read a new erasure. They follow its topic, and a batch takes less time than
this."""
STALL_SECONDS = 120.0
LOOK_SECONDS = 0.3
_ROUNDS = 5

Say = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """The result of an erasure."""

    receipt: Receipt
    kept: list[Kept] = field(default_factory=list)
    """Topics that still hold records of the person."""
    not_deleted: list[str] = field(default_factory=list)
    """Topics whose records the broker would not delete, and why."""


def forget_stored(client: Any, identifier: str, receipt: Receipt, key: bytes, say: Say) -> Outcome:
    """Erase from ClickHouse only: for an embedded pipeline that is not running, which keeps nothing elsewhere.

    client: of clickhouse-connect, on the database. Raises RihlaError when nobody is known by the identifier.
    """
    person = find(client, identifier)
    receipt.name(person, key)
    receipt.write(client)
    _delete(client, Store(client), person, receipt, say)
    _conclude(client, receipt)
    return Outcome(receipt)


async def forget(
    client: Any,
    settings: Settings,
    addresses: Mapping[str, Iterable[str]],
    identifier: str,
    receipt: Receipt,
    key: bytes,
    say: Say,
    *,
    delete_records: bool = False,
) -> Outcome:
    """Erase from a running pipeline.

    client: of clickhouse-connect, on the database. addresses: worker kind: pages of its processes, as far as known.
    delete_records: delete from the topics that others may read, too.
    Raises RihlaError when nobody is known by the identifier or the workers do not move, KafkaError.
    """
    person = await asyncio.to_thread(find, client, identifier)
    await require(settings, "forget")
    admin = clients.admin(settings)
    async with producing(settings) as producer, Observer(settings, lambda: addresses) as observer:
        await admin.start()
        try:
            topics = Topics(producer, admin, settings, registry_of(settings), observer.ledger.wrote)
            for _ in range(_ROUNDS):
                receipt.name(person, key)
                await asyncio.to_thread(receipt.write, client)
                say(f"refusing {len(person.names)} identifiers from now on ...")
                await topics.announce(receipt.erasures)
                await asyncio.sleep(TELL_SECONDS)
                await settle(observer, settings, say)
                known = await asyncio.to_thread(widened, client, person.names)
                if known.names <= person.names:
                    break
                person = Person(person.names | known.names)
            say("forgetting who was linked with whom ...")
            store = await asyncio.to_thread(Store, client)
            await topics.erase_links(person.names, await asyncio.to_thread(store.links_around, person))
            await settle(observer, settings, say)
            say("forgetting state ...")
            await topics.erase_states(person.names)
            await settle(observer, settings, say)
            await topics.bury(await asyncio.to_thread(store.keys, person))
            await settle(observer, settings, say)
            await asyncio.to_thread(_delete, client, store, person, receipt, say)
            await asyncio.to_thread(_conclude, client, receipt)
            if receipt.later_events == ANEW:
                await topics.announce(receipt.erasures)
            if settings.embedded:  # the embedded broker keeps records until it stops, and deletes none
                return Outcome(receipt, [Kept("every topic", "until the embedded broker stops")])
            trimmed = DELETABLE if delete_records else INTERNAL
            not_deleted = await topics.delete_records(trimmed)
            left = [
                topic for topic in DELETABLE if topic not in trimmed or settings.topic(topic) in _names(not_deleted)
            ]
            return Outcome(receipt, await topics.kept([*left, *ABOUT_PEOPLE]), not_deleted)
        finally:
            await admin.close()


async def settle(observer: Observer, settings: Settings, say: Say) -> None:
    """Return once every worker has handled everything written before this call. Raises RihlaError."""
    for worker in topology.flow():
        await observer.look()
        topics = map(settings.topic, topology.WORKERS_BY_NAME[worker].reads)
        ends = {topic: observer.ledger.known(topic) for topic in topics}
        moved, last = time.monotonic(), -1
        while behind := _behind(observer, worker, ends):
            if behind != last:
                moved, last = time.monotonic(), behind
            elif time.monotonic() - moved > STALL_SECONDS:
                raise RihlaError(
                    f"{worker} has {behind:,} records to go and does not move",
                    "is it running? Start it and repeat the command: it goes on where it was broken off",
                )
            await asyncio.sleep(LOOK_SECONDS)
            await observer.look()


def _behind(observer: Observer, worker: str, ends: Mapping[str, Mapping[int, int]]) -> int:
    """How many records a worker still has to handle to reach these offsets."""
    return sum(
        max(
            end - max(observer.ledger.done(worker, topic).get(partition, 0), observer.ledger.begin(topic, partition)), 0
        )
        for topic, partitions in ends.items()
        for partition, end in partitions.items()
    )


def _delete(client: Any, store: Store, person: Person, receipt: Receipt, say: Say) -> None:
    say("deleting from ClickHouse ...")
    receipt.erased_rows = store.erase(person)
    receipt.remaining = store.search(person)


def _conclude(client: Any, receipt: Receipt) -> None:
    receipt.done_at = datetime.now(UTC)
    if receipt.later_events == ANEW:
        receipt.refused_until = receipt.done_at
    receipt.write(client)


def _names(refused: Iterable[str]) -> set[str]:
    return {line.partition(":")[0] for line in refused}
