"""From what happened to what arrives: duplicates, disorder, lateness and bad events."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from streams.sources.simulate.options import DAY_MS, Options

_HOUR_MS = 3_600_000
_TOO_LONG = 66_000
"""Characters: more than the 64 KiB that a text may have."""

Event = dict[str, Any]


@dataclass(slots=True)
class Shares:
    """How many of a share are due: exact over the whole stream, whatever the sizes of its blocks."""

    share: float
    owed: float = 0.0

    def due(self, count: int) -> int:
        """How many of a number of coming events."""
        self.owed += self.share * count
        whole = int(self.owed + 1e-9)
        self.owed -= whole
        return whole


@dataclass(slots=True)
class Stream:
    """Puts the events of blocks in the order of arrival. Counts what it adds."""

    options: Options
    random: Random = field(init=False)
    duplicates: int = 0
    late: int = 0
    bad: dict[str, int] = field(default_factory=dict)
    _waiting: list[tuple[float, int, Event]] = field(default_factory=list)
    _added: int = 0
    _shares: dict[str, Shares] = field(init=False)

    def __post_init__(self) -> None:
        self.random = Random(f"rihla {self.options.seed} stream")
        self._shares = {name: Shares(getattr(self.options, name)) for name in ("duplicates", "late", "bad")}

    def add(self, events: list[Event]) -> None:
        """Take in all good events of a block."""
        if not events:
            return
        random, disorder = self.random, self.options.disorder
        times = [event["occurred_at"] for event in events]
        first, last = min(times), max(times)
        arrivals = [(1 - disorder) * at + disorder * random.uniform(first, last) for at in times]
        late = self._shares["late"].due(len(events))
        self.late += late
        for n in random.sample(range(len(events)), late):
            arrivals[n] += random.uniform(1, 60) * DAY_MS
        for event, arrival in zip(events, arrivals, strict=True):
            self._put(arrival, event)
        for n in self._sample("duplicates", len(events)):
            self.duplicates += 1
            self._put(arrivals[n] + min(random.expovariate(1 / _HOUR_MS), 7 * DAY_MS), events[n])
        for n in self._sample("bad", len(events)):
            self._put(arrivals[n], self._spoil(events[n]))

    def take(self, before: float) -> Iterator[Event]:
        """The events that arrive before this moment, in order of arrival."""
        while self._waiting and self._waiting[0][0] < before:
            yield heapq.heappop(self._waiting)[2]

    def _put(self, arrival: float, event: Event) -> None:
        self._added += 1
        heapq.heappush(self._waiting, (arrival, self._added, event))

    def _sample(self, share: str, count: int) -> list[int]:
        return self.random.sample(range(count), self._shares[share].due(count))

    def _spoil(self, event: Event) -> Event:
        """A new event, made of a good one, with exactly one thing wrong."""
        random = self.random
        # Long texts are rare: each is as large as two hundred other events.
        kinds = self.options.bad_kinds
        weights = [1 if kind == "too_long" else 20 for kind in kinds]
        reason = random.choices(kinds, weights)[0]
        self.bad[reason] = self.bad.get(reason, 0) + 1
        bits = f"{random.getrandbits(120):030x}"
        spoilt = event | {"event_id": f"{bits[:8]}-{bits[8:12]}-4{bits[12:15]}-8{bits[15:18]}-{bits[18:30]}"}
        match reason:
            case "undecodable":
                wrong: Event = random.choice(({"medium": "telepathy"}, {"touchpoint": 7}, {"ids": "nobody"}))
            case "bad_event_id":
                wrong = {"event_id": random.choice(("", "1234", spoilt["event_id"][:-1]))}
            case "no_identifier":
                spoilt.pop("booking_ref", None)
                wrong = {"ids": random.choice(([], [{"kind": "device", "value": ""}]))}
            case "bad_time":
                wrong = {"occurred_at": random.choice((915_148_800_000, 32_503_680_000_000, "yesterday"))}
            case "bad_survey":
                instrument, score = random.choice((("nps", 11), ("csat", 0), ("ces", 7.5)))
                wrong = {"survey": {"instrument": instrument, "score": score}}
            case "bad_money":
                wrong = {"money": {"amount_minor": 100, "currency": random.choice(("EU", "EURO", "€"))}}
            case _:
                wrong = {"text": "long " * (_TOO_LONG // 5)}
        return spoilt | wrong
