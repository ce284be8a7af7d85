"""The records that stitch publishes, as tuples in the order of their schemas' fields: pure functions of the state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from schemas.columns import series
from schemas.records import polars_schema
from streams.stitch.assemble import Assembled
from streams.stitch.case import Case
from streams.stitch.journey import MICRO
from streams.stitch.summary import Summary

Row = tuple[Any, ...]

NEGATIVE_AT, ADVOCATE_AT = -0.25, 0.25
"""Bounds of the profiles on the 30-day score."""
DIGITS = 6
"""Published scores are rounded to this many digits: beyond it, the order of additions shows."""
_NO_SURVEYS = (None, None, None, None)


def profile(score: float | None) -> str:
    """The profile of a rolling score: negative, non_committal or advocate."""
    if score is None:
        return "non_committal"
    return "negative" if score <= NEGATIVE_AT else "advocate" if score >= ADVOCATE_AT else "non_committal"


def journey_row(customer_id: str, assembled: Assembled, version: int) -> Row:
    """A record of journey.avsc."""
    # Written out, as the publications are half of what an event costs: no generators, nothing for what is not there.
    journey, cases, low = assembled.journey, assembled.cases, assembled.journey.lowest
    span = assembled.span or (None, None)
    milestone = journey.milestones.get
    surveys: Sequence[float | None] = _NO_SURVEYS
    if journey.surveys:
        surveys = [None if (answer := journey.surveys.get(index)) is None else answer[2] for index in range(4)]
    spend = journey.spend
    return (
        f"{customer_id}/{assembled.key}",
        customer_id,
        assembled.booking_ref,
        "visit" if assembled.booking_ref is None else "booking",
        journey.status,
        journey.first,
        journey.last,
        *span,
        milestone(0),
        milestone(1),
        milestone(2),
        milestone(3),
        milestone(4),
        milestone(5),
        journey.interactions,
        *journey.channels,
        journey.score_sum / MICRO,
        journey.score_count,
        None if low is None else low[0] / MICRO,
        None if low is None else low[3],
        *surveys,
        sorted(spend.items()) if len(spend) > 1 else [*spend.items()],
        len([case for case in cases if case.opened]) if cases else 0,
        len([case for case in cases if case.status == "resolved"]) if cases else 0,
        version,
        False,
    )


def customer_row(subject: str, customer_id: str, summary: Summary, journeys: int, version: int) -> Row:
    """A record of customer.avsc."""
    kind, _, value = subject.partition(":")
    known = summary.preferences
    scores = summary.rolling.scores(summary.last)
    seven, thirty, ninety = (None, None, None) if scores is None else (round(score, DIGITS) for score in scores)
    return (
        customer_id,
        kind,
        value,
        profile(thirty),
        seven,
        thirty,
        ninety,
        round(summary.rolling.evidence(), DIGITS),
        summary.interactions,
        journeys,
        summary.first,
        summary.last,
        len([case for case in summary.cases.values() if case.status == "open"]) if summary.cases else 0,
        summary.duplicates,
        [(key, (stated := known[key]).value, stated.evidence, stated.at) for key in sorted(known)],
        version,
        False,
    )


def case_row(customer_id: str, case_id: str, case: Case, journey_key: str | None, version: int) -> Row:
    """A record of case.avsc."""
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
        version,
        False,
    )


def frame(record: str, rows: Sequence[Row]) -> pl.DataFrame:
    """Rows as columns, in the frame form of a record schema."""
    schema = polars_schema(record)
    columns = zip(*rows, strict=True)
    return pl.DataFrame(
        [series(name, values, dtype) for (name, dtype), values in zip(schema.items(), columns, strict=True)]
    )
