"""A trip: who travels, where and when, how well it goes, and how its events are reported."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

from streams.sources.simulate.people import Person
from streams.sources.simulate.recorder import Recorder
from streams.sources.simulate.texts import write
from streams.sources.simulate.world import TripKind

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

LAST_REPORTED = {"booking.confirmed": "lapsed", "check_in.completed": "completed", "stay.arrived": "completed"}
"""Milestones after which a booking may be heard of no more, and what it then is once its plan is over."""


@dataclass(slots=True)
class Trip:
    """One booking of one party. Times are epoch milliseconds."""

    recorder: Recorder
    kind: TripKind
    reference: str
    party: list[Person]
    """The lead, who books, first."""
    looked_at: int
    booked_at: int
    arrival: int
    nights: int
    hotel: str
    flight: str
    airport: str
    mood: float
    """How it goes for them, from -1 to 1; what goes wrong lowers it."""
    part_cancelled: bool = False
    """Whether a part of the booking is cancelled."""
    last_reported: str | None = None
    """The last milestone that the company's systems report, whatever happens: LAST_REPORTED; None: all are reported."""
    cases: int = field(default=0, init=False)

    @property
    def lead(self) -> Person:
        """Who booked."""
        return self.party[0]

    @property
    def departure(self) -> int:
        """When they leave the hotel."""
        return self.arrival + self.nights * DAY - 4 * HOUR

    @property
    def random(self) -> Random:
        """The block's source of randomness."""
        return self.recorder.random

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.random.random() < probability

    def report(self, who: Person, at: int, touchpoint: str, medium: str, **fields: Any) -> bool:
        """An event of the booking. Whether it has happened yet."""
        ids = who.ids(self.random, medium)
        return self.recorder.record(who, at, touchpoint, medium, ids, self.reference, about=self.hotel, **fields)

    def report_loose(self, who: Person, at: int, touchpoint: str, medium: str, **fields: Any) -> bool:
        """An event that does not say which booking it is about. Whether it has happened yet."""
        ids = who.ids(self.random, medium)
        return self.recorder.record(who, at, touchpoint, medium, ids, about=self.hotel, **fields)

    def report_unnamed(self, at: int, touchpoint: str, medium: str, **fields: Any) -> bool:
        """An event of the booking that names nobody: a form with the reference on it. Whether it has happened yet."""
        return self.recorder.record(None, at, touchpoint, medium, (), self.reference, **fields)

    def unfinished(self) -> None:
        """From here on no milestone of the booking is reported."""
        assert self.last_reported is not None
        self.recorder.unfinished[self.reference] = LAST_REPORTED[self.last_reported]

    def worsen(self, by: float) -> None:
        """Something went wrong."""
        self.mood = max(-1.0, min(1.0, self.mood - by))

    def improve(self, by: float) -> None:
        """Something went better than it had to."""
        self.worsen(-by)

    def survey(self, instrument: str) -> dict[str, Any]:
        """An answer that fits the mood, with some noise."""
        least, most = {"nps": (0, 10), "csat": (1, 5), "stars": (1, 5), "ces": (1, 7)}[instrument]
        feeling = (self.mood + self.random.gauss(0, 0.25) + 1) / 2
        return {"instrument": instrument, "score": min(most, max(least, round(least + feeling * (most - least))))}

    def text(self, who: Person, *aspects: str) -> str:
        """What somebody writes in this mood, about these aspects or what such travellers write about."""
        polarity = "positive" if self.mood > 0.25 else "negative" if self.mood < -0.15 else "neutral"
        return write(self.random, who.language, polarity, *(aspects or (self.random.choice(self.kind.aspects),)))

    def complaint(self, who: Person, aspect: str) -> str:
        """What somebody writes who complains of an aspect."""
        return write(self.random, who.language, "negative", aspect)

    def new_case_id(self) -> str:
        """The id of the next case of this booking."""
        self.cases += 1
        return f"{self.reference}-K{self.cases}"

    def agent(self) -> str:
        """A member of staff."""
        return f"staff-{self.random.randrange(60):02d}"
