"""What a simulation is asked for. Its output is a pure function of these values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

LANGUAGES = ("en", "ar", "id", "ms", "tr", "ur")

BAD_KINDS = (
    "undecodable",
    "bad_event_id",
    "no_identifier",
    "bad_time",
    "bad_survey",
    "bad_money",
    "too_long",
)
"""The reasons for which a line is refused. An event stays where its country is none (streams.sources.jsonl), so
bad_country is not among them."""

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Raises ValueError where a value makes no sense; the message names it."""

    customers: int = 1000
    """How many people there are: leads of bookings, those who travel with them, and some who only look."""
    trips: float = 1.4
    """Mean number of trips of a lead; at least 1."""
    seed: int = 1
    start: date = date(2024, 1, 1)
    days: int = 540
    """Length of the simulated time from `start`, in days: what would come later has not happened yet."""
    languages: tuple[str, ...] = LANGUAGES
    duplicates: float = 0.02
    """Duplicates for each good event: the same event again, byte for byte, up to some days of the stream later."""
    disorder: float = 0.1
    """0: in the order of time. 1: fully shuffled (within a block). Between: a mixture of both orders."""
    late: float = 0.02
    """Share of events that come up to 60 days late."""
    bad: float = 0.0
    """Bad events for each good one, of the kinds in bad_kinds."""
    bad_kinds: tuple[str, ...] = BAD_KINDS
    caravans: int = 0
    """Groups of pilgrims, beside these customers (streams.sources.simulate.caravans)."""
    part_cancelled: float = 0.0
    """Share of the bookings for several people of which a part is cancelled: a traveller, or the last night."""
    unfinished: float = 0.0
    """Share of the bookings of which, from some moment on, no further milestone is reported: they end by the clock."""
    block: int = 5000
    """How many people are made at a time: memory is proportional to it (about 20 KB each)."""

    def __post_init__(self) -> None:
        checks = {
            "customers must be at least 1": self.customers >= 1,
            "trips must be at least 1 and at most 10": 1 <= self.trips <= 10,
            "days must be at least 30": self.days >= 30,
            "duplicates must be from 0 to 1": 0 <= self.duplicates <= 1,
            "disorder must be from 0 to 1": 0 <= self.disorder <= 1,
            "late must be from 0 to 1": 0 <= self.late <= 1,
            "bad must be from 0 to 1": 0 <= self.bad <= 1,
            "part_cancelled must be from 0 to 1": 0 <= self.part_cancelled <= 1,
            "unfinished must be from 0 to 1": 0 <= self.unfinished <= 1,
            "caravans must be at least 0": self.caravans >= 0,
            "block must be at least 1": self.block >= 1,
            f"languages must be some of {', '.join(LANGUAGES)}": bool(self.languages)
            and set(self.languages) <= set(LANGUAGES),
            f"bad_kinds must be some of {', '.join(BAD_KINDS)}": bool(self.bad_kinds)
            and set(self.bad_kinds) <= set(BAD_KINDS),
        }
        for sentence, holds in checks.items():
            if not holds:
                raise ValueError(sentence)

    @property
    def start_ms(self) -> int:
        """Midnight UTC of the first day, epoch milliseconds."""
        return int(datetime(self.start.year, self.start.month, self.start.day, tzinfo=UTC).timestamp()) * 1000

    @property
    def end_ms(self) -> int:
        """After this moment nothing has happened yet, epoch milliseconds."""
        return self.start_ms + self.days * DAY_MS
