"""Memory and speed of the identity graph: `python tests/benchmarks/identity_memory.py [IDENTIFIERS]`.

A made-up population in which each customer has a customer number (or, every third, only a loyalty number), a hashed
e-mail, a device UUID, and some of them a hashed phone, a guest profile and a second device: one link an identifier.
Each has a booking that they lead, half of which are mentioned by events that name nobody. Everything that the process
grows by is counted (resident memory before and after) and divided by the identifiers alone, so links and bookings are
paid for by them; the strings that the links are made of are not kept.
"""

from __future__ import annotations

import gc
import hashlib
import os
import random
import resource
import sys
import time
import uuid
from collections.abc import Iterator
from itertools import islice

from streams.identity.graph import Graph, Link
from streams.model.identifiers import names_booking

BATCH = 4_000
IDENTIFIERS_A_CUSTOMER = 3.9


def resident_bytes() -> int:
    """This process's resident memory now."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def population(seed: int = 1) -> Iterator[list[Link]]:
    """Customer after customer the links that their events make."""
    rng = random.Random(seed)

    def hashed() -> str:
        return hashlib.sha256(rng.randbytes(16)).hexdigest()

    number = 0
    while True:
        number += 1
        at = 1_700_000_000_000 + number * 1_000
        head = f"customer:{10_000_000 + number}" if number % 3 else f"loyalty:AB{10_000_000 + number}"
        email = f"email_sha256:{hashed()}"
        device = f"device:{uuid.UUID(bytes=rng.randbytes(16), version=4)}"
        links = [(head, email, at), (head, device, at), (email, device, at + 500)]
        if rng.random() < 0.4:
            links.append((head, f"phone_sha256:{hashed()}", at + 1_000))
        if rng.random() < 0.3:
            links.append((head, f"guest_profile:{rng.randrange(10**8)}", at + 2_000))
        if rng.random() < 0.2:
            links.append((email, f"device:{uuid.UUID(bytes=rng.randbytes(16), version=4)}", at + 3_000))
        booking = f"booking_ref:{rng.randrange(36**6):06X}"
        links.append((head, booking, at))
        if rng.random() < 0.5:
            links.append((booking, booking, at))
        yield links


def batches(customers: int) -> Iterator[list[Link]]:
    """The links of so many customers, in batches."""
    batch: list[Link] = []
    for links in islice(population(), customers):
        batch += links
        if len(batch) >= BATCH:
            yield batch
            batch = []
    yield batch


def main(identifiers: int) -> None:
    """Print what a graph of so many identifiers takes."""
    graph = Graph()
    gc.collect()
    before = resident_bytes()
    links = 0
    applying = slowest = 0.0
    for batch in batches(round(identifiers / IDENTIFIERS_A_CUSTOMER)):
        started = time.process_time()
        graph.apply(batch)
        elapsed = time.process_time() - started
        applying += elapsed
        slowest = max(slowest, elapsed)
        links += len(batch)
    gc.collect()
    grown = resident_bytes() - before
    started = time.process_time()
    last = next(population(seed=2))
    for _ in range(1_000):
        graph.apply(last)
    known = (time.process_time() - started) / 1_000 / len(last)
    people = sum(not names_booking(change.identifier) for change in graph.identities())
    print(
        f"{people:,} identifiers, {len(graph) - people:,} bookings, {graph.link_count:,} links, {grown / 1e6:,.0f} MB"
    )
    print(f"{grown / people:.1f} bytes an identifier, {1e9 / (grown / people) / 1e6:.1f} million a GB")
    print(f"{links / applying:,.0f} new links a CPU second, slowest batch of {BATCH:,}: {slowest * 1e3:.0f} ms")
    print(f"{known * 1e6:.1f} us a link already known")
    print(f"peak of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:,.0f} MB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000_000)
