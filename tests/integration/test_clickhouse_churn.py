"""What the churn model looks at, worked out by hand; and that risks are shown with their back-test or not at all."""

from __future__ import annotations

import datetime as dt
from datetime import UTC, timedelta
from typing import Any

import polars as pl
import pytest

from streams.churn import store
from streams.churn.study import Backtest, backtest, scored
from tests.integration.test_clickhouse_queries import ask
from tests.support.clickhouse import ClickHouse
from tests.support.sink_rows import DAY, NOON, frame, interaction
from tests.unit.test_churn import HORIZON, UNTIL, customers

MOMENT = {"at": "2024-05-30 12:00:00", "horizon_days": "100"}  # 150 days after NOON


def event(name: str, day: float, touchpoint: str, ref: str | None = None, **given: Any) -> dict[str, Any]:
    at = NOON + int(day * DAY)
    return interaction(f"customer:{name}", at, booking_ref=ref, touchpoint=touchpoint, **given)


def write(clickhouse: ClickHouse, *rows: dict[str, Any]) -> None:
    clickhouse.write("interactions", frame("interaction", *rows))


def test_features(clickhouse: ClickHouse) -> None:
    """One cancelled journey and one completed on day 100; scores -1 on day 60 (a half-life before), 0.5 on day 120, and
    what comes after the moment does not count, but for the return. Sentiment: (-0.5 + 0.5 x 2^(-1/3)) / (1 + 0.5 +
    2^(-1/3)); trend: 0.5 / 2 - -1 / 2 = 0.75, day 60 being no more one of the last 90."""
    clickhouse.migrated()
    write(
        clickhouse,
        event("a", 0, "booking.confirmed", "B1"),
        event("a", 10, "booking.cancelled", "B1"),
        event("a", 60, "stay.complaint_made", score=-1.0, score_weight=1.0),
        event("a", 90, "stay.arrived", "B2"),  # somebody else had booked
        event("a", 100, "stay.checked_out", "B2"),
        event("a", 120, "post_travel.nps_answered", "B2", score=0.5, score_weight=1.0),
        event("a", 151, "stay.complaint_made", score=-1.0, score_weight=1.0),
        event("a", 170, "booking.confirmed", "B3"),
    )
    (row,) = ask(clickhouse, "churn_features", **MOMENT)
    start = dt.datetime(2024, 1, 1, 12)
    decayed = 2 ** (-1 / 3)
    sentiment = pytest.approx((-0.5 + 0.5 * decayed) / (1.5 + decayed), abs=1e-5)
    assert row[:7] == ("a", start + timedelta(days=100), start + timedelta(days=170), 50.0, 2, 0.5, 0.5)
    assert row[7:] == (sentiment, 0.75, 1, 1, 3)


def test_who_can_be_judged(clickhouse: ClickHouse) -> None:
    """Only who has ended a journey lately and has none under way, coming, or begun anew."""
    clickhouse.migrated()
    write(
        clickhouse,
        event("long ago", 0, "booking.confirmed", "B1"),
        event("long ago", 49, "stay.checked_out", "B1"),
        event("coming", 0, "booking.confirmed", "B2"),
        event("there", 0, "booking.confirmed", "B3"),
        event("there", 140, "stay.arrived", "B3"),
        event("never told", 0, "booking.confirmed", "B4"),
        event("never told", 110, "stay.arrived", "B4"),
        event("booked again", 60, "stay.checked_out", "B5"),
        event("booked again", 55, "stay.arrived", "B5"),
        event("booked again", 70, "booking.confirmed", "B6"),
        event("looks", 100, "booking.page_viewed"),
        event("no show", 100, "booking.confirmed", "B7"),
        event("no show", 130, "check_in.no_show", "B7"),
        event("later", 151, "booking.confirmed", "B8"),
    )
    assert [row[0] for row in ask(clickhouse, "churn_features", **MOMENT)] == ["never told", "no show"]


def test_risks_are_shown_with_their_backtest_or_not_at_all(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    test = backtest(customers, UNTIL, HORIZON)
    _save(clickhouse, test, customers(UNTIL))
    rows = clickhouse.rows(
        "SELECT count(), min(risk) > 0, max(decile), any(round(auc, 6)), any(useful) FROM churn_risk"
    )
    assert rows == [(400, True, 10, round(test.figures.auc, 6), True)]
    shares = [(band.decile, band.churned) for band in test.figures.bands]
    assert clickhouse.rows("SELECT DISTINCT decile, tested_churn FROM churn_risk ORDER BY decile") == shares
    assert clickhouse.rows("SELECT tested, horizon_days, length(deciles), length(weights) FROM churn_models") == [
        (400, 90, 10, 9)
    ]
    assert len(clickhouse.rows("SELECT * FROM churn_risk ORDER BY risk DESC LIMIT 20")[0]) == 12
    # The next model replaces it, and who is no longer among those who may come back is gone.
    _save(clickhouse, test, customers(UNTIL, 100))
    assert clickhouse.rows("SELECT count() FROM churn_risk") == [(100,)]
    assert clickhouse.rows("SELECT count() FROM churn_models") == [(2,)]
    clickhouse.client.command("TRUNCATE TABLE churn_models_store")
    assert clickhouse.rows("SELECT count() FROM churn_risk") == [(0,)]


def test_reading_the_features(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    assert store.latest_event(clickhouse.client) is None
    write(clickhouse, event("a", 0, "booking.confirmed", "B1"), event("a", 1, "booking.cancelled", "B1"))
    at = dt.datetime(2024, 1, 2, 12, tzinfo=UTC)
    assert store.latest_event(clickhouse.client) == at
    read = store.customers_at(clickhouse.client, at, timedelta(days=30))
    assert (
        read.schema
        == customers(at)
        .select(read.columns)
        .cast({"ended_at": pl.Datetime("ms", "UTC"), "returned_at": pl.Datetime("ms", "UTC")})
        .schema
    )
    assert read.rows()[0][:5] == ("a", at, None, 0.0, 1.0)


def _save(clickhouse: ClickHouse, test: Backtest, people: pl.DataFrame) -> None:
    risks = scored(test.model, people, test.figures)
    store.save(clickhouse.client, test.model, test.fitted_on, UNTIL, HORIZON, test.at, test.figures, risks)
