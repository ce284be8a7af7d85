"""The events that are measured: simulated travellers, always the same ones."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random

import orjson

from schemas.registry import LocalRegistry
from streams.sources import jsonl
from streams.sources.adapters import open_source
from streams.sources.events import EventBatch
from streams.sources.simulate import Options, simulate, texts

EVENTS_A_CUSTOMER = 6
"""A simulated customer has a little more: there are always enough."""
MORE_TEXTS = 0.04
"""Of simulated travellers' events 4 in 100 have a text; here as many again get one, so that 8 have, as in life."""
BATCH = 2_000
"""Events a batch: a poll of 8000 records over four partitions."""
REGISTRY = LocalRegistry()


def lines(events: int, seed: int = 1) -> Iterator[bytes]:
    """So many simulated events as JSON Lines, without line ends."""
    options = Options(customers=max(1, events // EVENTS_A_CUSTOMER), seed=seed)
    languages = sorted({language for language, _, _ in texts.sentences()})
    aspects = sorted({aspect for _, polarity, aspect in texts.sentences() if polarity == "positive"})
    for event in islice(simulate(options), events):
        random = Random(event["event_id"])  # an event that comes twice says the same twice
        if "text" not in event and random.random() < MORE_TEXTS:
            polarity = random.choice(("positive", "negative"))
            event["text"] = texts.write(random, random.choice(languages), polarity, *random.sample(aspects, 2))
        yield orjson.dumps(event)


def write(events: int, file: Path) -> int:
    """So many simulated events into a file; how many different ones, as some come twice."""
    different = set()
    with file.open("wb") as out:
        for line in lines(events):
            out.write(line + b"\n")
            different.add(orjson.loads(line)["event_id"])
    return len(different)


def batches(events: int, hotel: Path | None = None, seed: int = 1) -> list[EventBatch]:
    """So many events in batches of one channel each: simulated, or from a file for the adapter hotel-bookings."""
    if hotel is None:
        every = lines(events, seed)
        # Four channels share a chunk, as they share a poll.
        chunks = iter(lambda: (1, list(islice(every, 4 * BATCH))), (1, []))
        found: Iterator[EventBatch] = jsonl.parse(chunks, "<simulation>")
    else:
        found = open_source(str(hotel), "hotel-bookings")
    taken: list[EventBatch] = []
    for batch in found:
        for start in range(0, batch.frame.height, BATCH):
            if events <= 0:
                return taken
            part = batch.frame[start : start + min(BATCH, events)]
            events -= part.height
            taken.append(EventBatch(batch.channel, part))
    return taken
