"""A journey's summary: what its events add up to, whatever the order in which they are added.

Times are epoch milliseconds; 0 stands for "none" (enrich refuses events before 2000). Scores are whole millionths, so
that sums do not depend on order. "Latest" is by (occurred_at, event_id), the event id as its 16 bytes.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import mypyc_attr

from streams.alerts.signals import Watched
from streams.model import vocabulary
from streams.stitch.content import Content
from streams.stitch.membership import GroupSaid

CHANNELS: Final = ("booking", "check_in", "stay", "post_travel")
MILESTONES: Final[tuple[str, ...]] = tuple(vocabulary.MILESTONES)
"""Statuses in order of rank: at the same instant the later one of this list wins."""
MICRO: Final = 1_000_000


@mypyc_attr(acyclic=True)
class Event(Content):
    """The fields of one interaction that the fold uses."""

    def __init__(
        self,
        at: int,
        event_id: bytes,
        booking_ref: str | None,
        touchpoint: str,
        channel: int,
        milestone: int = -1,
        case_role: str | None = None,
        case_id: str | None = None,
        unit: str | None = None,
        score: int | None = None,
        weight: float = 0.0,
        instrument: int = -1,
        survey_score: float = 0.0,
        amount_minor: int = 0,
        currency: str | None = None,
        preferences: tuple[tuple[str, str], ...] = (),
        watched: Watched | None = None,
        restored: bool = False,
        ends_recall: int = -1,
        group: GroupSaid | None = None,
        brand: str | None = None,
    ) -> None:
        """An event.

        Args:
            channel, milestone, instrument: indexes into CHANNELS, MILESTONES and INSTRUMENTS; -1: none.
            score: in millionths.
            preferences: (key, value) of what it states.
            watched: what it says to the rules of alerts.
            restored: whether it was sent again from ClickHouse to rebuild state; alerts and moves are then not observed
                anew.
            ends_recall: set on the last of the events that come back after an eviction: an offset; all events of the
                subject that were applied before it have come back.
            group: what it says of groups.
            brand: that which its attribute names.
        """
        self.at = at
        self.event_id = event_id
        self.booking_ref = booking_ref
        self.touchpoint = touchpoint
        self.channel = channel
        self.milestone = milestone
        self.case_role = case_role
        self.case_id = case_id
        self.unit = unit
        self.score = score
        self.weight = weight
        self.instrument = instrument
        self.survey_score = survey_score
        self.amount_minor = amount_minor
        self.currency = currency
        self.preferences = preferences
        self.watched = watched
        self.restored = restored
        self.ends_recall = ends_recall
        self.group = group
        self.brand = brand

    def fields(self) -> tuple[object, ...]:
        return (
            self.at,
            self.event_id,
            self.booking_ref,
            self.touchpoint,
            self.channel,
            self.milestone,
            self.case_role,
            self.case_id,
            self.unit,
            self.score,
            self.weight,
            self.instrument,
            self.survey_score,
            self.amount_minor,
            self.currency,
            self.preferences,
            self.watched,
            self.restored,
            self.ends_recall,
            self.group,
            self.brand,
        )


Lowest = tuple[int, int, bytes, str]
"""(score, occurred_at, event id, touchpoint) of the least score."""
Latest = tuple[int, bytes, float]
"""(occurred_at, event id, score) of the latest answer to a survey."""
JourneyFields = tuple[int, int, list[int], dict[int, int], int, int, Lowest | None, dict[int, Latest], dict[str, int]]
"""The fields of a Journey as states store them."""


_CARRY: Final = "^"
"""Prefix of a currency in states: its value counts multiples of 2^62, for sums of more than 64 bits."""
_CARRY_BITS: Final = 62


def in_longs(spend: dict[str, int]) -> dict[str, int]:
    """Sums by currency in numbers of 64 bits, as states hold them; usually the sums themselves.

    A single amount is bounded (streams.enrich.validate; events stored before that check hold any 64-bit number), but
    the number of amounts in a journey is not. Sums are exact at any size, so that order cannot matter; they are cut to
    64 bits when they are published (streams.stitch.rows).
    """
    for amount in spend.values():
        if not -(1 << _CARRY_BITS) <= amount <= 1 << _CARRY_BITS:
            break
    else:
        return spend
    longs: dict[str, int] = {}
    for currency, amount in spend.items():
        carry = amount >> _CARRY_BITS
        longs[currency] = amount - (carry << _CARRY_BITS)
        longs[_CARRY + currency] = carry
    return longs


def from_longs(longs: dict[str, int]) -> dict[str, int]:
    """The sums that `in_longs` turned into these."""
    for currency in longs:
        if currency.startswith(_CARRY):
            break
    else:
        return longs
    return {
        currency: amount + (longs.get(_CARRY + currency, 0) << _CARRY_BITS)
        for currency, amount in longs.items()
        if not currency.startswith(_CARRY)
    }


@mypyc_attr(acyclic=True)
class Journey(Content):
    """A commutative, mergeable summary of events."""

    def __init__(
        self,
        first: int = 0,
        last: int = 0,
        channels: list[int] | None = None,
        milestones: dict[int, int] | None = None,
        score_sum: int = 0,
        score_count: int = 0,
        lowest: Lowest | None = None,
        surveys: dict[int, Latest] | None = None,
        spend: dict[str, int] | None = None,
    ) -> None:
        """A summary of no event, but for what is given.

        Args:
            first, last: when its events began and ended.
            channels: events of each channel.
            milestones: milestone -> time of the latest one.
            score_sum, score_count, lowest: of its scores, in millionths.
            surveys: instrument -> the latest answer.
            spend: currency -> amount in minor units, of any size.
        """
        self.first = first
        self.last = last
        self.channels: list[int] = [0, 0, 0, 0] if channels is None else channels
        self.milestones: dict[int, int] = {} if milestones is None else milestones
        self.score_sum = score_sum
        self.score_count = score_count
        self.lowest = lowest
        self.surveys: dict[int, Latest] = {} if surveys is None else surveys
        self.spend: dict[str, int] = {} if spend is None else spend

    def fields(self) -> JourneyFields:
        return (
            self.first,
            self.last,
            self.channels,
            self.milestones,
            self.score_sum,
            self.score_count,
            self.lowest,
            self.surveys,
            in_longs(self.spend),
        )

    @staticmethod
    def made(fields: JourneyFields) -> Journey:
        """The summary of these fields."""
        first, last, channels, milestones, score_sum, score_count, lowest, surveys, spend = fields
        return Journey(first, last, channels, milestones, score_sum, score_count, lowest, surveys, from_longs(spend))

    def add(self, event: Event) -> None:
        """Add one event."""
        at = event.at
        self.extend(at, event.channel, event.milestone)
        if event.score is not None:
            self.add_score(event.score, at, event.event_id, event.touchpoint)
        if event.instrument >= 0:
            self.add_answer(event.instrument, at, event.event_id, event.survey_score)
        if event.currency is not None:
            self.add_amount(event.currency, event.amount_minor)

    def extend(self, at: int, channel: int, milestone: int) -> None:
        """Add when and where an event was, and its milestone, if any; the rest is added by itself."""
        if not self.first or at < self.first:
            self.first = at
        if at > self.last:
            self.last = at
        self.channels[channel] += 1
        if milestone >= 0 and at > self.milestones.get(milestone, 0):
            self.milestones[milestone] = at

    def add_score(self, score: int, at: int, event_id: bytes, touchpoint: str) -> None:
        """Add the score of an event."""
        self.score_sum += score
        self.score_count += 1
        lowest = self.lowest
        if lowest is None or score < lowest[0] or (score == lowest[0] and (score, at, event_id, touchpoint) < lowest):
            self.lowest = (score, at, event_id, touchpoint)

    def add_answer(self, instrument: int, at: int, event_id: bytes, answer: float) -> None:
        """Add the answer of an event to a survey."""
        latest = (at, event_id, answer)
        known = self.surveys.get(instrument)
        if known is None or latest > known:
            self.surveys[instrument] = latest

    def add_amount(self, currency: str, amount: int) -> None:
        """Add what was spent at an event."""
        self.spend[currency] = self.spend.get(currency, 0) + amount

    def absorb(self, other: Journey) -> None:
        """Merge another summary of disjoint events into this one."""
        if other.first and (not self.first or other.first < self.first):
            self.first = other.first
        self.last = max(self.last, other.last)
        for channel, count in enumerate(other.channels):
            self.channels[channel] += count
        for milestone, at in other.milestones.items():
            if at > self.milestones.get(milestone, 0):
                self.milestones[milestone] = at
        self.score_sum += other.score_sum
        self.score_count += other.score_count
        if other.lowest is not None and (self.lowest is None or other.lowest < self.lowest):
            self.lowest = other.lowest
        for instrument, answer in other.surveys.items():
            known = self.surveys.get(instrument)
            if known is None or answer > known:
                self.surveys[instrument] = answer
        for currency, amount in other.spend.items():
            self.spend[currency] = self.spend.get(currency, 0) + amount

    def copy(self) -> Journey:
        """An independent copy."""
        return Journey(
            self.first,
            self.last,
            self.channels.copy(),
            self.milestones.copy(),
            self.score_sum,
            self.score_count,
            self.lowest,
            self.surveys.copy(),
            self.spend.copy(),
        )

    @property
    def interactions(self) -> int:
        """Number of events."""
        booking, check_in, stay, post_travel = self.channels
        return booking + check_in + stay + post_travel

    @property
    def status(self) -> str:
        """The latest milestone's status by (occurred_at, rank), or `exploring`."""
        if not self.milestones:
            return "exploring"
        if len(self.milestones) == 1:
            (only,) = self.milestones
            return MILESTONES[only]
        latest, highest = 0, 0
        for milestone, at in self.milestones.items():
            if at > latest or (at == latest and milestone > highest):
                latest, highest = at, milestone
        return MILESTONES[highest]
