"""The records that stitch publishes, as tuples in the order of their schemas' fields: pure functions of the state."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor
from typing import Any, Final

from streams.alerts.owner import Owner
from streams.alerts.signals import Signals
from streams.guest.consent import Held
from streams.model.vocabulary import ADVOCATE_AT, NEGATIVE_AT
from streams.stitch.case import Case
from streams.stitch.journey import MICRO, Journey
from streams.stitch.placement import PlacedJourney
from streams.stitch.summary import HIDDEN, Summary

Row = tuple[Any, ...]

DIGITS: Final = 6
"""Published scores are rounded to this many digits: beyond it, the order of additions shows."""
LEAST: Final = -(1 << 63)
LARGEST: Final = (1 << 63) - 1
"""The range of a 64-bit column. Published sums are cut to it."""
_NO_SPAN: Final = (None, None)
_NO_ANSWER: Final = (0, b"", None)
_NOTHING: Final[Sequence[Any]] = ()


def profile(score: float | None) -> str:
    """The profile of a rolling score: negative, non_committal or advocate."""
    if score is None:
        return "non_committal"
    return "negative" if score <= NEGATIVE_AT else "advocate" if score >= ADVOCATE_AT else "non_committal"


def rounded(value: float) -> float:
    """The value to DIGITS digits, as `round` gives it, in half its time; only of -0.0 it makes 0.0."""
    scaled = value * MICRO
    whole = floor(scaled + 0.5)
    # Nearer to a half, or of a large number, rounding twice might differ from rounding once.
    if -1e9 < scaled < 1e9 and -0.4999 < scaled - whole < 0.4999:
        return whole / MICRO
    return round(value, DIGITS)


def journey_row(customer_id: str, placed: PlacedJourney, version: int) -> Row:
    """A record of journey.avsc."""
    span = placed.span
    return row_of_journey(customer_id, placed.key, placed.booking_ref, span, placed.journey, placed.cases, version)


def row_of_journey(
    customer_id: str,
    key: str,
    booking_ref: str | None,
    span: tuple[int, int] | None,
    journey: Journey,
    cases: Sequence[Case],
    version: int,
) -> Row:
    """A record of journey.avsc, from the fields of a PlacedJourney."""
    # Written out, as the publications are half of what an event costs: no generators, nothing for what is not there.
    low, spend = journey.lowest, journey.spend
    booking, check_in, stay, post_travel = journey.channels
    start, end = span or _NO_SPAN
    booked = cancelled = no_show = checked_in = in_stay = completed = None
    if journey.milestones:
        at = journey.milestones.get
        booked, cancelled, no_show, checked_in, in_stay, completed = at(0), at(1), at(2), at(3), at(4), at(5)
    nps = csat = ces = stars = None
    if journey.surveys:
        nps, csat, ces, stars = [journey.surveys.get(index, _NO_ANSWER)[2] for index in range(4)]
    return (
        f"{customer_id}/{key}",
        customer_id,
        booking_ref,
        "visit" if booking_ref is None else "booking",
        journey.status,
        journey.first,
        journey.last,
        start,
        end,
        booked,
        cancelled,
        no_show,
        checked_in,
        in_stay,
        completed,
        booking + check_in + stay + post_travel,
        booking,
        check_in,
        stay,
        post_travel,
        journey.score_sum / MICRO,
        journey.score_count,
        None if low is None else low[0] / MICRO,
        None if low is None else low[3],
        nps,
        csat,
        ces,
        stars,
        _spent(spend) if spend else _NOTHING,
        len([case for case in cases if case.opened]) if cases else 0,
        len([case for case in cases if case.status == "resolved"]) if cases else 0,
        version,
        False,
    )


def _spent(spend: dict[str, int]) -> Sequence[tuple[str, int]]:
    """Sums by currency, cut to what a column of 64 bits can hold."""
    items = sorted(spend.items()) if len(spend) > 1 else [*spend.items()]
    for _, amount in items:
        if not LEAST <= amount <= LARGEST:
            return [(currency, min(max(amount, LEAST), LARGEST)) for currency, amount in items]
    return items


def customer_row(subject: str, customer_id: str, summary: Summary, journeys: int, version: int) -> Row:
    """A record of customer.avsc."""
    kind, _, value = subject.partition(":")
    known = summary.preferences
    scores = summary.rolling.scores(summary.last)
    seven = thirty = ninety = None
    evidence = 0.0
    if scores is not None:
        seven, thirty, ninety = rounded(scores[0]), rounded(scores[1]), rounded(scores[2])
        evidence = rounded(summary.rolling.evidence())
    preferences: Sequence[tuple[str, str, int, int]] = _NOTHING
    if known:
        shown = [(key, stated[2], stated[3], stated[0]) for key, stated in known.items() if not key.startswith(HIDDEN)]
        preferences = sorted(shown) if len(shown) > 1 else shown
    return (
        customer_id,
        kind,
        value,
        profile(thirty),
        seven,
        thirty,
        ninety,
        evidence,
        summary.interactions,
        journeys,
        summary.first,
        summary.last,
        len([case for case in summary.cases.values() if case.status == "open"]) if summary.cases else 0,
        summary.duplicates,
        preferences,
        _NOTHING if summary.signals is None else consents_of(summary.signals),
        version,
        False,
    )


def consents_of(signals: Signals) -> Sequence[Held]:
    """What holds of being written to, by purpose and channel."""
    notes = signals.guest
    return _NOTHING if notes is None or not notes.consents else notes.held()


def case_row(customer_id: str, case_id: str, case: Case, journey_key: str | None, whose: Owner, version: int) -> Row:
    """A record of case.avsc. whose: who has to act."""
    first = case.first
    return (
        case_id,
        customer_id,
        None if journey_key is None else f"{customer_id}/{journey_key}",
        case.status,
        "" if first is None else first[2],
        None if first is None else first[3],
        case.opened or None,
        case.responded or None,
        case.resolved or None,
        case.reopened or None,
        case.contacts,
        whose.basis,
        whose.owner,
        whose.brand,
        version,
        False,
    )
