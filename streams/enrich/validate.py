"""The rules an event must keep to become an interaction, over the columns of a whole batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from streams.model.identifiers import BOOKING_PREFIX, BOOKING_REF
from streams.model.scales import BOUNDS
from streams.model.vocabulary import UUID
from streams.text.scrub import scrub_text

DAY_MS = 86_400_000
EARLIEST_MS = 946_684_800_000
"""2000-01-01T00:00:00Z."""
TEXT_LIMIT_BYTES = 64 * 1024
NAME_LIMIT_BYTES = 1024
"""Of what events are joined and counted by: identifiers, references, units, agents, cases, touchpoints. States, the
graph of identities and joins hold these in memory; a source that puts documents there would fill it."""
NAMES = ("touchpoint", "booking_ref", "case_id", "unit", "agent_id")
"""Fields under NAME_LIMIT_BYTES, besides identifiers."""
MONEY_LIMIT = 10**15
"""Largest amount in minor units, positive or negative: ten trillion dollars. One beyond it is a placeholder for
"unknown" or a defect of the source, and would outweigh everything else in a sum.
"""
LOWEST_RATING, HIGHEST_RATING = 1.0, 5.0
"""Of an aspect."""

CLEAR = "clear_identifier"
QUOTED = ("bad_event_id", "bad_money", "bad_country")
"""Reasons whose details quote what the source wrote, which may be anything."""


_INSTRUMENT, _SCORE = pl.col("instrument"), pl.col("score")
_CURRENCY, _AMOUNT = pl.col("currency"), pl.col("amount_minor")
_PARTS = {
    "survey": (pl.col("survey").struct.field("instrument"), pl.col("survey").struct.field("score")),
    "money": (pl.col("money").struct.field("currency"), pl.col("money").struct.field("amount_minor")),
}
"""Parts of nested records that rules test: columns added beside the event's own where it has such records."""


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """What an event must not be."""

    reason: str
    """A word of the closed list."""
    about: str | None
    """The column without which an event cannot break the rule: where it is null throughout, the rule is not asked."""
    broken: pl.Expr
    """True for an event that breaks the rule; null is as good as false."""
    detail: pl.Expr
    """A sentence that says how."""


def _off_scale() -> pl.Expr:
    on_scale = pl.lit(False)
    for name, (low, high) in BOUNDS.items():
        on_scale = on_scale | ((name == _INSTRUMENT) & _SCORE.is_between(low, high))
    return _INSTRUMENT.is_not_null() & ~on_scale.fill_null(False)


def _text(value: pl.Expr) -> pl.Expr:
    """A value as it is quoted in a detail: short, so that a letter's detail stays a sentence."""
    return value.cast(pl.String).fill_null("null").str.slice(0, 60)


_KIND, _VALUE = pl.element().struct.field("kind"), pl.element().struct.field("value")
_RATING = pl.element().struct.field("rating")
_NAMES_BOOKING = (_KIND == BOOKING_REF) | _KIND.str.starts_with(BOOKING_PREFIX)  # see identifiers.names_booking
_NAMES_SOMEBODY = pl.col("ids").list.eval(~_NAMES_BOOKING).list.any()

RULES = (
    Rule(
        "bad_event_id",
        "event_id",
        ~pl.col("event_id").str.contains(UUID),
        pl.format("event_id is not a UUID: {}", _text(pl.col("event_id"))),
    ),
    Rule(
        "no_identifier",
        "ids",
        pl.col("ids").list.eval((_KIND == "") | (_VALUE == "")).list.any(),
        pl.lit("an identifier's kind or value, or the booking reference, is empty"),
    ),
    Rule(
        "no_identifier",
        "booking_ref",
        pl.col("booking_ref") == "",
        pl.lit("an identifier's kind or value, or the booking reference, is empty"),
    ),
    Rule(
        "no_identifier",
        None,
        ~_NAMES_SOMEBODY.fill_null(False) & pl.col("booking_ref").is_null(),
        pl.lit("neither an identifier nor a booking reference"),
    ),
    Rule(
        "bad_time",
        "occurred_at",
        pl.col("occurred_at") < EARLIEST_MS,
        pl.format("occurred_at is before 2000-01-01: {} ms since 1970", _text(pl.col("occurred_at"))),
    ),
    Rule(
        "bad_time",
        "occurred_at",
        pl.col("occurred_at") > pl.col("now") + DAY_MS,
        pl.format(
            "occurred_at is more than a day ahead of the worker's clock: {} ms since 1970, here it is {}",
            _text(pl.col("occurred_at")),
            pl.col("now"),
        ),
    ),
    Rule(
        "bad_survey",
        "survey",
        _off_scale(),
        pl.format("a {} score of {} is outside its scale", _text(_INSTRUMENT), _text(_SCORE)),
    ),
    Rule(
        "bad_survey",
        "aspect_ratings",
        pl.col("aspect_ratings").list.eval(~_RATING.is_between(LOWEST_RATING, HIGHEST_RATING)).list.any(),
        pl.lit("an aspect's rating is not from 1 to 5"),
    ),
    Rule(
        "bad_money",
        "money",
        ~_CURRENCY.str.contains(r"^[A-Z]{3}$"),
        pl.format("currency is not three capital letters: {}", _text(_CURRENCY)),
    ),
    Rule(
        "bad_money",
        "money",
        ~_AMOUNT.is_between(-MONEY_LIMIT, MONEY_LIMIT),
        pl.format("amount_minor is more than 10^15 minor units, or less than -10^15: {}", _text(_AMOUNT)),
    ),
    Rule(
        "bad_country",
        "country",
        ~pl.col("country").str.contains(r"^[A-Z]{2}$"),
        pl.format("country is not two capital letters: {}", _text(pl.col("country"))),
    ),
    Rule(
        "too_long",
        "text",
        pl.col("text").str.len_bytes() > TEXT_LIMIT_BYTES,
        pl.format("text of {} bytes is over 64 KiB", _text(pl.col("text").str.len_bytes())),
    ),
    Rule(
        "too_long",
        "ids",
        pl.col("ids")
        .list.eval(pl.max_horizontal(_KIND.str.len_bytes(), _VALUE.str.len_bytes()) > NAME_LIMIT_BYTES)
        .list.any(),
        pl.lit("ids has a kind or value of more than 1024 bytes"),
    ),
    *(
        Rule(
            "too_long",
            name,
            pl.col(name).str.len_bytes() > NAME_LIMIT_BYTES,
            pl.format(name + " of {} bytes is over 1024", _text(pl.col(name).str.len_bytes())),
        )
        for name in NAMES
    ),
)
"""Where an event breaks several, the first gives the reason.

`streams.enrich.splice` takes events by the same rules, written for one event at a time: change both together
(tests/properties/test_enrich.py compares them).
"""

_BROKEN = {rule: rule.broken.alias(str(number)) for number, rule in enumerate(RULES)}


def refusals(
    frame: pl.DataFrame, now_ms: int, clear: Mapping[int, tuple[str, list[str]]] | None = None
) -> list[tuple[int, str, str]]:
    """Judge each event of a batch.

    Args:
        frame: events in the frame form of a channel's schema, cleaned (streams.enrich.clean).
        now_ms: the worker's clock, epoch milliseconds.
        clear: of cleaning, the rows with an identifier in clear; they are refused for that, whatever else is wrong.

    Returns:
        (row, reason, detail) of each event that breaks a rule, by row; reason is a word of the closed list, detail a
        sentence.
    """
    named = {rule.about for rule in RULES if rule.about} & {*frame.columns}  # no channel has all of the fields
    there = {name for name in named if frame[name].null_count() < frame.height}
    asked = [rule for rule in RULES if rule.about is None or rule.about in there]
    parts = [part for name, those in _PARTS.items() if name in there for part in those]
    frame = frame.with_columns(*parts, pl.lit(now_ms).alias("now"))
    refused = {row: (CLEAR, sentence) for row, (sentence, _) in (clear or {}).items()}
    for rule, broken in zip(asked, frame.select([_BROKEN[rule] for rule in asked]), strict=True):
        if not broken.any():  # the usual case: no sentence has to be made
            continue
        rows = [row for row in broken.arg_true().to_list() if row not in refused]
        details = frame.with_columns(rule.detail.alias("detail"))["detail"].gather(rows).to_list()
        if rule.reason in QUOTED:
            details = [scrub_text(detail) for detail in details]
        refused |= {row: (rule.reason, detail) for row, detail in zip(rows, details, strict=True)}
    return [(row, *refused[row]) for row in sorted(refused)]
