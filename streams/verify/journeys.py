"""Journeys and cases, computed in a plain way from all interactions at once: the oracle of `rihla verify`.

Each rule of docs/identity-and-journeys.md is one query over columns. Nothing is incremental, nothing is merged, and no
code is shared with the workers' fold: where the two agree, both are probably right; where they do not, one of them is
wrong.
"""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from streams.model import catalogue
from streams.model.company import Model, built_in
from streams.verify import attribution, groups, money, next_actions, now, segments
from streams.verify.customers import customers
from streams.verify.groups import names_group

DAY_MS = 86_400_000
WIDENING_MS = 30 * DAY_MS
DIGITS = 6
"""Digits to which scores are rounded before they are added."""
MILESTONE_COLUMNS = {
    "booked": "booked_at",
    "cancelled": "cancelled_at",
    "no_show": "no_show_at",
    "checked_in": "checked_in_at",
    "in_stay": "arrived_at",
    "completed": "checked_out_at",
}
"""Status -> column of its latest milestone, lowest rank first."""
INSTRUMENTS = ("nps", "csat", "ces", "stars")
LEAST, LARGEST = pl.lit(-(1 << 63), pl.Int128), pl.lit((1 << 63) - 1, pl.Int128)
"""Published sums are cut to this range."""
CHANNELS = ("booking", "check_in", "stay", "post_travel")


class Tables(NamedTuple):
    """The tables, one row a key, columns named as in the analysts' views; times are epoch milliseconds."""

    interactions: pl.DataFrame
    """Key (subject, event_id): `customer_id` and `journey_id`."""
    journeys: pl.DataFrame
    """Key journey_id."""
    customers: pl.DataFrame
    """Key customer_id; without `identifiers`, which do not follow from the interactions alone."""
    cases: pl.DataFrame
    """Key (case_id, customer_id)."""
    attributed: dict[str, pl.DataFrame]
    """View: whose doing its rows were (streams.verify.attribution)."""
    journey_spend: pl.DataFrame
    """Key (journey_id, currency): what was booked, kept and lost (streams.verify.money)."""
    journeys_now: pl.DataFrame
    """Key journey_id: what holds, as far as no clock is asked (streams.verify.now)."""
    groups: dict[str, pl.DataFrame]
    """View: its rows (streams.verify.groups)."""
    segments: pl.DataFrame
    """Key (segment, customer_id): who belongs to which (streams.verify.segments)."""
    next_actions: pl.DataFrame
    """Key (customer_id, action, evidence): what may be done (streams.verify.next_actions)."""


def tables(interactions: pl.DataFrame, roots: pl.DataFrame, model: Model | None = None) -> Tables:
    """Compute the tables.

    Args:
        interactions: in the frame form of interaction.avsc, with `subject` and those columns that are used; of
            several with one (subject, event_id) the first counts.
        roots: `subject` and its `root`; a subject that is not there is its own root.
        model: what events mean; the one that comes with Rihla by default.
    """
    model = built_in() if model is None else model
    points = catalogue.frame(model.touchpoints).select("touchpoint", "milestone", "case_role")
    every = (
        interactions.unique(["subject", "event_id"], keep="first")
        .join(roots, on="subject", how="left")
        .with_columns(
            pl.col("score").round(DIGITS), pl.col("score_weight").fill_null(0.0), root=pl.coalesce("root", "subject")
        )
        .with_columns(customer_id=customer_id(pl.col("root")))
        .join(points, on="touchpoint", how="left")
    )
    of_group = names_group(pl.col("subject"))
    times = groups.periods(every)
    shared = groups.shared(every, times)
    # In order of time, so that within any group the last row is the latest by (occurred_at, event_id).
    lived = pl.concat([every.filter(~of_group), shared], how="diagonal")
    lived = lived.join(_homes(lived), on=["subject", "event_id"]).sort("occurred_at", "event_id")
    events = lived.join(shared, on=["subject", "event_id"], how="anti", maintain_order="left")
    cases = _cases(events)
    journeys = _journeys(lived, cases)
    attributed = attribution.journeys(journeys, events)
    people = customers(lived, journeys, cases, model.preferences)
    # A reference makes the name of a journey, as the view has it; the group's journey it is not.
    theirs = every.filter(of_group).with_columns(journey_id=pl.concat_str("customer_id", pl.lit("/"), "booking_ref"))
    stored = pl.concat([events, theirs], how="diagonal")
    return Tables(
        stored.select("subject", "event_id", "customer_id", "journey_id"),
        journeys,
        people,
        cases,
        {
            "interactions_attributed": attribution.interactions(stored),
            "journeys_attributed": attributed,
            "cases_attributed": attribution.cases(cases, events),
        },
        money.journey_spend(events, journeys),
        now.journeys_now(events, journeys, attributed, model.stages),
        {"memberships": groups.memberships(times), "group_cells": groups.cells(events, times)},
        segments.segments(lived, events, people, journeys, model),
        next_actions.next_actions(lived, events, people, journeys, cases, model.guests),
    )


def customer_id(root: pl.Expr) -> pl.Expr:
    """The customer_id of a root: its value for kind customer, else the whole of it."""
    return pl.when(root.str.starts_with("customer:")).then(root.str.slice(len("customer:"))).otherwise(root)


def _homes(events: pl.DataFrame) -> pl.DataFrame:
    """The `journey_id` of each event (subject, event_id)."""
    named = ["subject", "event_id", "customer_id", "occurred_at"]
    referenced = events.filter(pl.col("booking_ref").is_not_null()).select(*named, home="booking_ref")
    spans = referenced.group_by("customer_id", "home").agg(
        start=pl.col("occurred_at").min(), end=pl.col("occurred_at").max()
    )
    loose = events.filter(pl.col("booking_ref").is_null()).select(named)
    at = pl.col("occurred_at")
    candidates = loose.join(spans, on="customer_id").filter(
        at.is_between(pl.col("start") - WIDENING_MS, pl.col("end") + WIDENING_MS)
    )
    begun = pl.col("start") <= at
    attached = (
        # begun ones first, the latest of them; then the others, the earliest; of equal starts the smaller reference
        candidates.sort(
            ~begun, pl.when(begun).then(-pl.col("start")).otherwise(pl.col("start")), "home", maintain_order=True
        )
        .unique(["subject", "event_id"], keep="first", maintain_order=True)
        .select(*named, "home")
    )
    unattached = loose.join(attached, on=["subject", "event_id"], how="anti").sort(
        "customer_id", "occurred_at", "event_id"
    )
    same = pl.col("customer_id") == pl.col("customer_id").shift(1)
    goes_on = (same & (at - at.shift(1) <= WIDENING_MS)).fill_null(False)
    visits = unattached.with_columns(number=(~goes_on).cum_sum())
    firsts = visits.group_by("number").agg(pl.col("occurred_at", "event_id").first().name.prefix("first_"))
    start = pl.from_epoch("first_occurred_at", time_unit="ms").dt.strftime("%Y%m%dT%H%M%S%.3f")
    visits = visits.join(firsts, on="number").select(
        *named, home=pl.format("visit/{}Z-{}", start, pl.col("first_event_id").str.slice(0, 8))
    )
    return pl.concat([referenced, attached, visits]).select(
        "subject", "event_id", journey_id=pl.format("{}/{}", "customer_id", "home")
    )


def _journeys(events: pl.DataFrame, cases: pl.DataFrame) -> pl.DataFrame:
    at, score = pl.col("occurred_at"), pl.col("score")
    instrument, answer = pl.col("survey").struct.field("instrument"), pl.col("survey").struct.field("score")
    own = pl.col("booking_ref").is_not_null()
    grouped = events.group_by("journey_id").agg(
        pl.col("customer_id").first(),
        booking_ref=pl.col("booking_ref").drop_nulls().first(),
        started_at=at.min(),
        last_event_at=at.max(),
        span_start=at.filter(own).min(),
        span_end=at.filter(own).max(),
        **{column: at.filter(pl.col("milestone") == status).max() for status, column in MILESTONE_COLUMNS.items()},
        interactions=pl.len().cast(pl.Int64),
        **{f"{channel}_interactions": _count(pl.col("channel") == channel) for channel in CHANNELS},
        score_sum=score.sum(),
        score_count=score.count().cast(pl.Int64),
        lowest_score=score.min(),
        lowest_touchpoint=pl.col("touchpoint").filter(score == score.min()).first(),
        **{name: answer.filter(instrument == name).last() for name in INSTRUMENTS},
    )
    amount = pl.col("money").struct.field("amount_minor")
    spend = (
        events.filter(pl.col("money").is_not_null())
        .group_by("journey_id", currency=pl.col("money").struct.field("currency"))
        .agg(amount_minor=amount.cast(pl.Int128).sum().clip(LEAST, LARGEST).cast(pl.Int64))
        .group_by("journey_id")
        .agg(spend=pl.struct("currency", "amount_minor").sort_by("currency"))
    )
    counted = cases.group_by("journey_id").agg(
        cases_opened=_count(pl.col("opened_at").is_not_null()), cases_resolved=_count(pl.col("status") == "resolved")
    )
    return (
        grouped.join(spend, on="journey_id", how="left")
        .join(counted, on="journey_id", how="left")
        .with_columns(
            kind=pl.when(pl.col("booking_ref").is_null()).then(pl.lit("visit")).otherwise(pl.lit("booking")),
            status=_status(),
            spend=pl.col("spend").fill_null([]),
            cases_opened=pl.col("cases_opened").fill_null(0),
            cases_resolved=pl.col("cases_resolved").fill_null(0),
        )
    )


def _status() -> pl.Expr:
    """The status of the latest milestone; at the same instant that of the higher rank; `exploring` without any."""
    latest = pl.max_horizontal(*MILESTONE_COLUMNS.values())
    status = pl.lit("exploring")
    for name, column in MILESTONE_COLUMNS.items():
        status = pl.when(pl.col(column) == latest).then(pl.lit(name)).otherwise(status)
    return status


def _count(where: pl.Expr) -> pl.Expr:
    return where.sum().cast(pl.Int64)


def _cases(events: pl.DataFrame) -> pl.DataFrame:
    role, at = pl.col("case_role"), pl.col("occurred_at")
    named = pl.when(pl.col("case_id") != "").then(pl.col("case_id"))
    concerned = events.filter(role.is_not_null() & (named.is_not_null() | (role == "open"))).with_columns(
        case_id=pl.coalesce(named, "event_id")
    )
    opened, resolved, reopened = (pl.col(name).fill_null(0) for name in ("opened_at", "resolved_at", "reopened_at"))
    return (
        concerned.group_by("case_id", "customer_id")
        .agg(
            pl.col("touchpoint", "unit", "journey_id").first(),
            opened_at=at.filter(role == "open").min(),
            first_response_at=at.filter(role == "response").min(),
            resolved_at=at.filter(role == "resolve").max(),
            reopened_at=at.filter(role == "reopen").max(),
            contacts=_count(role.is_in(["open", "contact", "reopen"])),
        )
        .with_columns(
            status=pl.when((resolved > 0) & (resolved >= opened) & (resolved >= reopened))
            .then(pl.lit("resolved"))
            .otherwise(pl.lit("open")),
        )
    )
