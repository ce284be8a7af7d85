"""The records that stitch publishes, as tuples in the order of their schemas' fields: pure functions of the state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from schemas.records import polars_schema
from streams.stitch.assemble import Assembled
from streams.stitch.case import Case
from streams.stitch.journey import MICRO, MILESTONES
from streams.stitch.summary import Summary

Row = tuple[Any, ...]

NEGATIVE_AT, ADVOCATE_AT = -0.25, 0.25
"""Bounds of the profiles on the 30-day score."""
DIGITS = 6
"""Published scores are rounded to this many digits: beyond it, the order of additions shows."""


def profile(score: float | None) -> str:
    """The profile of a rolling score: negative, non_committal or advocate."""
    if score is None:
        return "non_committal"
    return "negative" if score <= NEGATIVE_AT else "advocate" if score >= ADVOCATE_AT else "non_committal"


def journey_row(customer_id: str, assembled: Assembled, version: int) -> Row:
    """A record of journey.avsc."""
    journey, span = assembled.journey, assembled.span or (None, None)
    milestones = (journey.milestones.get(index) for index in range(len(MILESTONES)))
    surveys = (answer[2] if (answer := journey.surveys.get(index)) else None for index in range(4))
    low = journey.lowest
    return (
        f"{customer_id}/{assembled.key}",
        customer_id,
        assembled.booking_ref,
        "visit" if assembled.booking_ref is None else "booking",
        journey.status,
        journey.first,
        journey.last,
        *span,
        *milestones,
        journey.interactions,
        *journey.channels,
        journey.score_sum / MICRO,
        journey.score_count,
        None if low is None else low[0] / MICRO,
        None if low is None else low[3],
        *surveys,
        sorted(journey.spend.items()),
        sum(1 for case in assembled.cases if case.opened),
        sum(1 for case in assembled.cases if case.status == "resolved"),
        version,
        False,
    )


def customer_row(subject: str, customer_id: str, summary: Summary, journeys: int, version: int) -> Row:
    """A record of customer.avsc."""
    kind, _, value = subject.partition(":")
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
        sum(1 for case in summary.cases.values() if case.status == "open"),
        summary.duplicates,
        [(key, stated.value, stated.evidence, stated.at) for key, stated in sorted(summary.preferences.items())],
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
        [_series(name, values, dtype) for (name, dtype), values in zip(schema.items(), columns, strict=True)]
    )


def _series(name: str, values: Sequence[Any], dtype: pl.DataType) -> pl.Series:
    """A column; lists of structs (here: lists of tuples) by way of their flat fields, five times as fast."""
    if not isinstance(dtype, pl.List) or not isinstance(dtype.inner, pl.Struct):
        return pl.Series(name, values, dtype=dtype)
    counts = [len(value) for value in values]
    flat = [item for value in values for item in value]
    if not flat:
        return pl.Series(name, [[]], dtype=dtype).new_from_index(0, len(counts))
    parts = zip(dtype.inner.fields, zip(*flat, strict=True), strict=True)
    items = pl.DataFrame([pl.Series(field.name, part, dtype=field.dtype) for field, part in parts]).to_struct()
    row = pl.Series(np.repeat(np.arange(len(counts), dtype=np.uint32), counts))
    grouped = pl.DataFrame({"row": row, name: items}).group_by("row", maintain_order=True).agg(name)
    every = pl.DataFrame({"row": pl.int_range(len(counts), dtype=pl.UInt32, eager=True)})
    joined = every.join(grouped, on="row", how="left", maintain_order="left")
    return joined[name].fill_null(pl.Series([[]], dtype=dtype)).cast(dtype)
