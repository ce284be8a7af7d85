"""Journeys, customers and cases computed the plain way, from all interactions at once: the oracle of `rihla verify`.

Each rule of DESIGN 5 and 6 is one query over columns. Nothing is incremental, nothing is merged, and no code is shared
with the workers' fold: where the two agree, both are probably right; where they do not, one of them is wrong.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import polars as pl

from schemas import catalogue

DAY_MS = 86_400_000
WIDENING_MS = 30 * DAY_MS
STATUSES = ("booked", "cancelled", "no_show", "checked_in", "in_stay", "completed")
MILESTONE_COLUMNS = dict(
    zip(
        STATUSES,
        ("booked_at", "cancelled_at", "no_show_at", "checked_in_at", "arrived_at", "checked_out_at"),
        strict=True,
    )
)
INSTRUMENTS = ("nps", "csat", "ces", "stars")
CHANNELS = ("booking", "check_in", "stay", "post_travel")


class Tables(NamedTuple):
    """The three tables, one row a key, columns named as in the analysts' views."""

    journeys: pl.DataFrame
    customers: pl.DataFrame
    cases: pl.DataFrame


def tables(interactions: pl.DataFrame, roots: pl.DataFrame) -> Tables:
    """Compute the tables.

    Args:
        interactions: in the frame form of interaction.avsc; duplicates allowed.
        roots: `subject` and its `root`; a subject that is not there is its own root.
    """
    points = catalogue.frame().select("touchpoint", "milestone", "case_role")
    events = (
        interactions.unique(["subject", "event_id"])
        .join(roots, on="subject", how="left")
        .with_columns(root=pl.coalesce("root", "subject"))
        .with_columns(customer_id=customer_id(pl.col("root")))
        .join(points, on="touchpoint", how="left")
    )
    homes = events.join(_homes(events), on=["subject", "event_id"])
    cases = _cases(homes)
    journeys = _journeys(homes, cases)
    return Tables(journeys, _customers(events, journeys, cases), cases)


def customer_id(root: pl.Expr) -> pl.Expr:
    """The customer_id of a root: its value for kind customer, else the whole of it."""
    return pl.when(root.str.starts_with("customer:")).then(root.str.slice(len("customer:"))).otherwise(root)


def _homes(events: pl.DataFrame) -> pl.DataFrame:
    """The journey key of each event (subject, event_id): a booking reference, or `visit/...`."""
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
        .group_by("subject", "event_id", maintain_order=True)
        .first()
        .select(*named, "home")
    )
    alone = loose.join(attached, on=["subject", "event_id"], how="anti").sort("customer_id", "occurred_at", "event_id")
    begins = (at - at.shift(1).over("customer_id") > WIDENING_MS).fill_null(True)
    visits = alone.with_columns(number=begins.cum_sum().over("customer_id")).with_columns(
        pl.col("occurred_at", "event_id").first().over("customer_id", "number").name.prefix("first_")
    )
    start = pl.from_epoch("first_occurred_at", time_unit="ms").dt.strftime("%Y%m%dT%H%M%S%.3f")
    visits = visits.select(*named, home=pl.format("visit/{}Z-{}", start, pl.col("first_event_id").str.slice(0, 8)))
    return pl.concat([referenced, attached, visits]).select("subject", "event_id", "home")


def _latest(value: pl.Expr, where: pl.Expr) -> pl.Expr:
    """The value of the latest event by (occurred_at, event_id) among those of a condition."""
    return value.filter(where).sort_by(pl.col("occurred_at").filter(where), pl.col("event_id").filter(where)).last()


def _journeys(homes: pl.DataFrame, cases: pl.DataFrame) -> pl.DataFrame:
    at, score = pl.col("occurred_at"), pl.col("score")
    instrument, answer = pl.col("survey").struct.field("instrument"), pl.col("survey").struct.field("score")
    own = pl.col("booking_ref").is_not_null()
    rank = pl.col("milestone").replace_strict(STATUSES, range(6), default=None, return_dtype=pl.Int64)
    reached = pl.col("milestone").is_not_null()
    lowest = [score, at, pl.col("event_id")]
    grouped = homes.group_by("customer_id", "home").agg(
        booking_ref=pl.col("booking_ref").drop_nulls().first(),
        status=pl.col("milestone")
        .filter(reached)
        .sort_by(at.filter(reached), rank.filter(reached))
        .last()
        .fill_null("exploring"),
        started_at=at.min(),
        last_event_at=at.max(),
        span_start=at.filter(own).min(),
        span_end=at.filter(own).max(),
        **{column: at.filter(pl.col("milestone") == status).max() for status, column in MILESTONE_COLUMNS.items()},
        interactions=pl.len(),
        **{f"{channel}_interactions": (pl.col("channel") == channel).sum() for channel in CHANNELS},
        score_sum=score.sum(),
        score_count=score.count(),
        lowest_score=score.min(),
        lowest_touchpoint=pl.col("touchpoint")
        .filter(score.is_not_null())
        .sort_by(*(key.filter(score.is_not_null()) for key in lowest))
        .first(),
        **{name: _latest(answer, instrument == name) for name in INSTRUMENTS},
    )
    spend = (
        homes.filter(pl.col("money").is_not_null())
        .group_by(
            "customer_id",
            "home",
            currency=pl.col("money").struct.field("currency"),
        )
        .agg(amount=pl.col("money").struct.field("amount_minor").sum())
        .sort("currency")
        .group_by("customer_id", "home", maintain_order=True)
        .agg(spend=pl.struct("currency", amount_minor="amount"))
    )
    counted = (
        cases.filter(pl.col("home").is_not_null())
        .group_by("customer_id", "home")
        .agg(
            cases_opened=pl.col("opened_at").is_not_null().sum(), cases_resolved=(pl.col("status") == "resolved").sum()
        )
    )
    return (
        grouped.join(spend, on=["customer_id", "home"], how="left")
        .join(counted, on=["customer_id", "home"], how="left")
        .with_columns(
            journey_id=pl.format("{}/{}", "customer_id", "home"),
            kind=pl.when(pl.col("booking_ref").is_null()).then(pl.lit("visit")).otherwise(pl.lit("booking")),
            spend=pl.col("spend").fill_null([]),
            cases_opened=pl.col("cases_opened").fill_null(0),
            cases_resolved=pl.col("cases_resolved").fill_null(0),
        )
        .drop("home")
    )


def _cases(homes: pl.DataFrame) -> pl.DataFrame:
    role, at = pl.col("case_role"), pl.col("occurred_at")
    concerned = homes.filter(role.is_not_null() & (pl.col("case_id").is_not_null() | (role == "open"))).with_columns(
        case_id=pl.coalesce("case_id", "event_id")
    )
    first = {name: pl.col(name).sort_by("occurred_at", "event_id").first() for name in ("touchpoint", "unit", "home")}
    opened, resolved, reopened = (pl.col(name).fill_null(0) for name in ("opened_at", "resolved_at", "reopened_at"))
    return (
        concerned.group_by("customer_id", "case_id")
        .agg(
            **first,
            opened_at=at.filter(role == "open").min(),
            first_response_at=at.filter(role == "response").min(),
            resolved_at=at.filter(role == "resolve").max(),
            reopened_at=at.filter(role == "reopen").max(),
            contacts=role.is_in(["open", "contact", "reopen"]).sum(),
        )
        .with_columns(
            journey_id=pl.format("{}/{}", "customer_id", "home"),
            status=pl.when((resolved > 0) & (resolved >= opened) & (resolved >= reopened))
            .then(pl.lit("resolved"))
            .otherwise(pl.lit("open")),
        )
    )


def _customers(events: pl.DataFrame, journeys: pl.DataFrame, cases: pl.DataFrame) -> pl.DataFrame:
    at, weight = pl.col("occurred_at"), pl.col("score_weight")
    whole = events.group_by("customer_id").agg(
        kind=pl.col("root").first().str.extract(r"^([^:]*)"),
        value=pl.col("root").first().str.extract(r"^[^:]*:((?s).*)$"),
        interactions=pl.len(),
        first_event_at=at.min(),
        last_event_at=at.max(),
    )
    scored = events.filter(pl.col("score").is_not_null()).join(
        whole.select("customer_id", "last_event_at"), on="customer_id"
    )
    sums = []
    for days in (7, 30, 90):
        decayed = weight * (-(pl.col("last_event_at") - at) * (math.log(2) / (days * DAY_MS))).exp()
        sums.append(((decayed * pl.col("score")).sum() / (decayed.sum() + 1.0)).alias(f"sentiment_{days}d"))
        if days == 30:
            sums.append((decayed.sum().pow(2) / decayed.pow(2).sum()).alias("evidence"))
    rolling = scored.group_by("customer_id").agg(sums)
    thirty = pl.col("sentiment_30d").round(6)
    return (
        whole.join(rolling, on="customer_id", how="left")
        .join(journeys.group_by("customer_id").agg(journeys=pl.len()), on="customer_id", how="left")
        .join(
            cases.group_by("customer_id").agg(open_cases=(pl.col("status") == "open").sum()),
            on="customer_id",
            how="left",
        )
        .with_columns(
            pl.col("evidence").fill_null(0.0),
            pl.col("open_cases").fill_null(0),
            profile=pl.when(thirty <= -0.25)
            .then(pl.lit("negative"))
            .when(thirty >= 0.25)
            .then(pl.lit("advocate"))
            .otherwise(pl.lit("non_committal")),
        )
    )
