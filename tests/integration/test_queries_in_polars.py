"""The named queries that no other module computes a second time, against Polars on simulated people: from the log of
events and what `streams.verify` makes of it, without a line of SQL."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import pytest
from hijridate import Gregorian

from sinks.clickhouse.surveys import is_survey
from streams.model.company import built_in
from tests.support.simulated_world import DAY, Row, World, same, world

__all__ = ["world"]

MAY, JUNE = 1_714_521_600_000, 1_717_200_000_000
MILESTONES = (
    ("booked_at", "booked"),
    ("cancelled_at", "cancelled"),
    ("no_show_at", "no_show"),
    ("checked_in_at", "checked_in"),
    ("arrived_at", "in_stay"),
    ("checked_out_at", "completed"),
)
ENDS = {"cancelled": "cancelled_at", "no_show": "no_show_at"}
WINDOW = {"since": "2024-05-01", "until": "2024-06-01"}


@pytest.fixture(scope="module")
def events(world: World) -> pl.DataFrame:
    return pl.DataFrame(world.events, infer_schema_length=None).with_columns(
        instrument=pl.col("survey").struct.field("instrument"), answer=pl.col("survey").struct.field("score")
    )


def keyed(frame: pl.DataFrame, *keys: str) -> dict[Any, Row]:
    """Rows by their key, without it."""
    rows = frame.to_dicts()
    return {
        (tuple(row[key] for key in keys) if len(keys) > 1 else row[keys[0]]): {
            name: value for name, value in row.items() if name not in keys
        }
        for row in rows
    }


def feelings() -> dict[str, pl.Expr]:
    score = pl.col("score")
    return {
        "sentiment": score.mean(),
        "negative_share": pl.when(score.count() > 0).then((score < 0).sum() / score.count()),
        "margin": pl.when(score.n_unique() - score.has_nulls() > 1).then(1.96 * score.std() / score.count().sqrt()),
    }


def within(events: pl.DataFrame, given: dict[str, str]) -> pl.DataFrame:
    at = pl.col("occurred_at")
    return events.filter((at >= MAY) & (at < JUNE)) if given else events


@pytest.mark.parametrize("given", [{}, WINDOW])
def test_journey_map(world: World, events: pl.DataFrame, given: dict[str, str]) -> None:
    """The stage of an event is that of the latest milestone until then; of equal ones only the latest is known."""
    milestones = {
        key: sorted((journey[column], rank, name) for rank, (column, name) in enumerate(MILESTONES) if journey[column])
        for key, journey in world.journeys.items()
    }
    stages = [
        next((name for reached, _, name in reversed(milestones[journey]) if reached <= at), "exploring")
        for at, journey in events.select("occurred_at", "journey_id").iter_rows()
    ]
    ends = pl.DataFrame(
        [
            (key, world.lost(journey), journey["status"], journey[ENDS.get(journey["status"], "last_event_at")])
            for key, journey in world.journeys.items()
        ],
        schema={"journey_id": pl.String, "lost": pl.Boolean, "status": pl.String, "ended_at": pl.Int64},
        orient="row",
    )
    met = within(
        events.with_columns(segment=pl.Series(stages)).filter(
            ~pl.col("touchpoint").map_elements(is_survey, return_dtype=pl.Boolean)
        ),
        given,
    )
    key = ["segment", "medium"]
    gone = (
        met.group_by(*key, "journey_id")
        .agg(last=pl.col("occurred_at").max())
        .join(ends, on="journey_id")
        .with_columns(
            here=pl.col("lost")
            & pl.when(pl.col("status") == "exploring")
            .then(pl.col("ended_at") == pl.col("last"))
            .otherwise(pl.col("ended_at") >= pl.col("last"))
        )
        .group_by(key)
        .agg(drop_off=pl.col("here").mean(), journeys=pl.len().cast(pl.Int64))
    )
    expected = (
        met.group_by(key)
        .agg(volume=pl.len().cast(pl.Int64), customers=pl.col("customer_id").n_unique().cast(pl.Int64), **feelings())
        .join(gone, on=key)
    )
    same(world.ask("journey_map", **given), keyed(expected, *key), *key, digits=3)
    assert expected["drop_off"].max() > 0


def test_seasons_and_hijri_months(world: World, events: pl.DataFrame) -> None:
    days = {day: Gregorian(day.year, day.month, day.day).to_hijri() for day in set(dates(events))}
    season = {
        day: "ramadan"
        if h.month == 9
        else "hajj"
        if h.month == 12 and h.day <= 13
        else "umrah_peak"
        if h.month in (7, 8)
        else "none"
        for day, h in days.items()
    }
    for by, name in (("season", season), ("hijri_month", {d: f"{h.year}-{h.month:02}" for d, h in days.items()})):
        nps, answers = pl.col("answer").filter(pl.col("instrument") == "nps"), pl.col("instrument") == "nps"
        expected = (
            events.with_columns(season=pl.Series([name[day] for day in dates(events)]), day=pl.Series(dates(events)))
            .group_by("season")
            .agg(
                days=pl.col("day").n_unique().cast(pl.Int64),
                interactions=pl.len().cast(pl.Int64),
                bookings=(pl.col("touchpoint") == "booking.confirmed").sum().cast(pl.Int64),
                nps_n=answers.sum().cast(pl.Int64),
                nps=100 * ((nps >= 9).sum().cast(pl.Float64) - (nps <= 6).sum()) / nps.len(),
                complaints=pl.col("touchpoint").str.ends_with(".complaint_made").sum().cast(pl.Int64),
                sentiment=feelings()["sentiment"],
            )
        )  # fmt: skip
        rows = keyed(expected, "season")
        for row in rows.values():
            row["nps"] = row["nps"] if row["nps_n"] else None
        found = world.ask("seasons", by=by)
        same([{k: v for k, v in row.items() if k != "sentiment"} for row in found],
             {k: {n: v for n, v in row.items() if n != "sentiment"} for k, row in rows.items()}, "season")  # fmt: skip
        same(found, {k: {"sentiment": row["sentiment"]} for k, row in rows.items()}, "season", digits=3)


def test_languages_and_unknown_touchpoints(world: World, events: pl.DataFrame) -> None:
    asked = pl.col("instrument").is_not_null()
    expected = (
        events.filter(pl.col("text").is_not_null() & (pl.col("text") != ""))
        .group_by(language=pl.col("language").fill_null(""))
        .agg(
            texts=pl.len().cast(pl.Int64),
            with_survey=asked.sum().cast(pl.Int64),
            scored=(~asked & (pl.col("score_source") == "text")).sum().cast(pl.Int64),
        )
    )
    same(world.ask("language_coverage"), keyed(expected, "language"), "language")
    known = set(built_in().touchpoints)
    strange = (
        events.filter(~pl.col("touchpoint").is_in(list(known)))
        .group_by("touchpoint", "channel")
        .agg(events=pl.len().cast(pl.Int64))
    )
    found = world.ask("unknown_touchpoints", limit="1000")
    assert {(row["touchpoint"], row["channel"]): row["events"] for row in found} == {
        (row["touchpoint"], row["channel"]): row["events"] for row in strange.to_dicts()
    }


def test_units_places_and_choices(world: World, events: pl.DataFrame) -> None:
    named = events.filter(pl.col("unit").is_not_null())
    counted = {"events": pl.len().cast(pl.Int64), "customers": pl.col("customer_id").n_unique().cast(pl.Int64)}
    same(world.ask("units", limit="10000"), keyed(named.group_by("unit").agg(**counted), "unit"), "unit")
    there = events.with_columns(unit=pl.col("attributed_unit")).filter(pl.col("unit").fill_null("") != "")
    places = there.group_by("unit").agg(
        interactions=pl.len().cast(pl.Int64), customers=pl.col("customer_id").n_unique().cast(pl.Int64), **feelings()
    )
    same(world.ask("places", limit="10000"), keyed(places, "unit"), "unit", digits=3)
    values = pl.concat(
        events.filter(pl.col(name).is_not_null())
        .group_by(value=pl.col(name))
        .agg(interactions=pl.len().cast(pl.Int64), last_at=pl.col("occurred_at").max())
        .with_columns(filter=pl.lit(name))
        for name in ("unit", "country", "medium")
    )
    found = [row for row in world.ask("choices", limit="10000") if row["filter"] != "all"]
    assert {(row["filter"], row["value"]): (row["interactions"], ms(row["last_at"])) for row in found} == {
        (row["filter"], row["value"]): (row["interactions"], row["last_at"]) for row in values.to_dicts()
    }


def test_people(world: World, events: pl.DataFrame) -> None:
    """Who felt bad in person in May, and who gave an NPS of six or less."""
    profile = {row["customer_id"]: row["profile"] for row in world.truth.customers.to_dicts()}
    bad = within(events, WINDOW).filter((pl.col("medium") == "in_person") & (pl.col("score") < 0))
    low = events.filter((pl.col("instrument") == "nps") & (pl.col("answer") <= 6))
    for some, given in (
        (bad, {**WINDOW, "medium": "in_person", "mood": "negative"}),
        (low, {"instrument": "nps", "low": "0", "high": "6"}),
    ):
        expected = keyed(
            some.group_by("customer_id").agg(interactions=pl.len().cast(pl.Int64), score=pl.col("score").mean()),
            "customer_id",
        )
        for who, row in expected.items():
            row["profile"] = profile[who]
        found = world.ask("people", limit="10000", **given)
        assert {row["customer_id"]: row["profile"] for row in found} == {
            who: row.pop("profile") for who, row in expected.items()
        }
        same(found, expected, "customer_id", digits=3)


def test_journeys_and_where_open_ones_stand(world: World) -> None:
    journeys = world.truth.journeys
    expected = journeys.select(
        "journey_id",
        "status",
        interactions=pl.col("interactions").cast(pl.Int64),
        sentiment=pl.when(pl.col("score_count") > 0).then(pl.col("score_sum") / pl.col("score_count")),
        cases_open=(pl.col("cases_opened") - pl.col("cases_resolved")).cast(pl.Int64),
    )
    found = world.ask("journeys", limit="100000")
    status = dict(expected.select("journey_id", "status").iter_rows())
    assert {row["journey_id"]: row["status"] for row in found} == status
    same(found, keyed(expected.drop("status"), "journey_id"), "journey_id", digits=3)
    assert [ms(row["last_event_at"]) for row in found] == sorted(journeys["last_event_at"].to_list(), reverse=True)
    going = journeys.filter(
        (pl.col("kind") == "booking") & pl.col("status").is_in(["exploring", "booked", "checked_in", "in_stay"])
    )
    stand: dict[str, int] = {}
    for row in world.ask("open_journeys"):
        stand[row["status"]] = stand.get(row["status"], 0) + row["journeys"]
    assert stand == dict(going["status"].value_counts().iter_rows())


def test_spend(world: World) -> None:
    money = world.truth.journey_spend.join(
        world.truth.journeys.select("journey_id", "status"), on="journey_id", how="left"
    )
    for by in ("all", "status"):
        segment = pl.lit("all") if by == "all" else pl.col("status")
        kinds = {name: pl.col(f"spend_{name}") for name in ("booked", "kept", "lost")}
        expected = (
            money.with_columns(segment=segment)
            .group_by("segment", "currency")
            .agg(
                journeys=pl.len().cast(pl.Int64),
                **{name: kind.cast(pl.Float64).sum() / 10**4 for name, kind in kinds.items()},
            )
        )
        found = [{k: float(v) if k in kinds else v for k, v in row.items()} for row in world.ask("spend", by=by)]
        same(found, keyed(expected, "segment", "currency"), "segment", "currency", digits=2)


def test_sentiment_trend(world: World, events: pl.DataFrame) -> None:
    """By numpy's weighted line: its slope, and the sign of its interval."""
    import numpy as np

    scored = events.filter(pl.col("score").is_not_null() & (pl.col("score_weight") > 0))
    moment = max(scored["occurred_at"].to_list())
    recent = scored.filter(pl.col("occurred_at") > moment - 180 * DAY)
    expected: dict[str, Row] = {}
    directions: dict[str, str] = {}
    for (who,), some in recent.group_by("customer_id"):
        t, x, w = (
            ((some["occurred_at"] - moment) / DAY).to_numpy(),
            some["score"].to_numpy(),
            some["score_weight"].to_numpy(),
        )
        spread = np.sqrt(np.average((t - np.average(t, weights=w)) ** 2, weights=w))
        direction, slope = "too_few", None
        if len(t) >= 5 and spread >= 3:
            line, start = np.polyfit(t, x, 1, w=np.sqrt(w))
            rest = float((w * (x - line * t - start) ** 2).sum())
            error = np.sqrt(rest / (len(t) - 2) / (w * (t - np.average(t, weights=w)) ** 2).sum())
            direction = "improving" if line > 1.96 * error else "declining" if line < -1.96 * error else "steady"
            slope = 30 * float(line)
        directions[str(who)] = direction
        expected[str(who)] = {"scores": len(t), "before": float(np.average(x, weights=w)), "slope": slope}
    found = world.ask("sentiment_trend", by="customer", limit="100000")
    assert {row["segment"]: row["direction"] for row in found} == directions
    same(found, expected, "segment", digits=3)
    assert len(set(directions.values())) > 2


def test_profile_change(world: World) -> None:
    """No moves are stored here: who was heard of in May and later is non-committal at its end, who was not heard of
    later has the profile of the table."""
    expected: dict[tuple[str, str], int] = {}
    heard = {event["customer_id"] for event in world.events if MAY <= event["occurred_at"] < JUNE}
    for person in world.truth.customers.to_dicts():
        if person["customer_id"] in heard:
            began = "new" if person["first_event_at"] >= MAY else "non_committal"
            ended = person["profile"] if person["last_event_at"] < JUNE else "non_committal"
            expected[began, ended] = expected.get((began, ended), 0) + 1
    found = world.ask("profile_change", **WINDOW)
    assert {(row["from_profile"], row["to_profile"]): row["customers"] for row in found} == expected


def dates(events: pl.DataFrame) -> list[dt.date]:
    return [dt.datetime.fromtimestamp(at / 1000, dt.UTC).date() for at in events["occurred_at"]]


def ms(at: dt.datetime) -> int:
    return round(at.replace(tzinfo=dt.UTC).timestamp() * 1000)
