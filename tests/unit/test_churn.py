"""The churn model and its figures on made-up customers with known answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from streams.churn.figures import auc, judge
from streams.churn.model import fit
from streams.churn.study import FEATURES, NotEnoughError, backtest, fitted, matrix, scored

HORIZON = timedelta(days=90)
UNTIL = datetime(2025, 1, 1, tzinfo=UTC)


def test_auc_by_hand() -> None:
    """Churned 0.9, 0.5; stayed 0.5, 0.1: of four pairs three are in order and one is a tie: 3.5 / 4."""
    risk = np.array([0.9, 0.5, 0.5, 0.1])
    assert auc(risk, np.array([True, True, False, False])) == 0.875
    assert auc(risk, np.array([False, False, True, True])) == 0.125
    assert auc(np.ones(4), np.array([True, True, False, False])) == 0.5


def test_figures_by_hand() -> None:
    """Ten customers, one a band: risks 1.0 to 0.1, the two highest churned, so lift 1 / 0.2. Brier: squares of 0, 0.1,
    and 0.8 to 0.1, which is 0 + 0.01 + 2.04 of 10; of 0.2 for everybody: 0.2 x 0.64 + 0.8 x 0.04 = 0.16."""
    risk = np.arange(10, 0, -1) / 10
    figures = judge(risk, risk > 0.85, base=0.2)
    assert (figures.customers, figures.churned, figures.auc, figures.margin) == (10, 0.2, 1.0, 0.0)
    assert figures.brier == pytest.approx(0.205)
    assert figures.brier_base == pytest.approx(0.16)
    assert not figures.useful  # a perfect order, and worse than saying 0.2 of everybody
    assert [band.lift for band in figures.bands[:3]] == [5.0, 5.0, 0.0]
    assert [band.expected for band in figures.bands] == pytest.approx(risk.tolist())
    with pytest.raises(ValueError, match="all customers"):
        judge(risk, np.ones(10, dtype=bool), 0.5)


def test_fit_finds_the_weights_that_made_the_data() -> None:
    """Log odds 1 - 2 a, and b matters not; at the optimum the gradient of the penalised likelihood is 0."""
    random = np.random.default_rng(1)
    features = random.normal(size=(20_000, 2))
    churned = random.random(20_000) < 1 / (1 + np.exp(-(1 - 2 * features[:, 0])))
    model = fit(("a", "b"), features, churned)
    weights = model.weights / model.scale
    assert weights == pytest.approx([-2, 0], abs=0.08)
    assert model.intercept - (weights * model.mean).sum() == pytest.approx(1, abs=0.08)
    residual = churned - model.risk(features)
    assert model.standardise(features).T @ residual == pytest.approx(model.weights, abs=1e-5)
    assert residual.sum() == pytest.approx(0, abs=1e-5)
    assert model.reasons(np.array([[-3.0, 0.0], [3.0, 0.0]]))[0][0].startswith("a +")


def test_fit_survives_what_separates_and_what_never_varies() -> None:
    features = np.column_stack([np.repeat([0.0, 1.0], 100), np.ones(200)])
    model = fit(("a", "b"), features, features[:, 0] > 0)
    assert np.isfinite(model.weights).all()
    assert model.weights[1] == pytest.approx(0, abs=1e-9)
    assert model.risk(features)[0] < 0.1 < 0.9 < model.risk(features)[-1]
    with pytest.raises(ValueError, match="all customers of the sample churned, or none did"):
        fit(("a", "b"), features, np.zeros(200, dtype=bool))


def customers(moment: datetime, count: int = 400) -> pl.DataFrame:
    """At each moment as many, whose sentiment decides whether they come back 10 days later, with some noise."""
    random = np.random.default_rng(int(moment.timestamp()) // 86_400)
    sentiment = random.uniform(-1, 1, count)
    back = random.random(count) < 1 / (1 + np.exp(-4 * sentiment))
    ended = moment - timedelta(days=5)
    frame = {
        "customer_id": [f"c{number:03d}" for number in range(count)],
        "ended_at": [ended] * count,
        "returned_at": [moment + timedelta(days=10) if returned else None for returned in back],
        **{name: np.zeros(count) for name in FEATURES},
        "sentiment": sentiment,
    }
    return pl.DataFrame(frame, schema_overrides={"returned_at": pl.Datetime("us", "UTC")})


def test_backtest_asks_for_nothing_that_was_not_settled_then() -> None:
    asked: list[datetime] = []

    def at(moment: datetime) -> pl.DataFrame:
        asked.append(moment)
        return customers(moment)

    test = backtest(at, UNTIL, HORIZON)
    assert test.at == UNTIL - HORIZON
    assert max(asked[:-1]) == UNTIL - 2 * HORIZON  # fitted on what was settled at the test's moment
    assert asked[-1] == test.at
    assert test.figures.useful
    assert test.figures.auc > 0.8
    assert test.figures.bands[0].lift > 1.5
    assert test.model.weights[FEATURES.index("sentiment")] < 0
    for band in test.figures.bands:
        assert band.churned == pytest.approx(band.expected, abs=0.25)


def test_no_signal_is_said_to_be_none() -> None:
    def at(moment: datetime) -> pl.DataFrame:
        noise = np.random.default_rng(int(moment.timestamp()) // 86_400 + 7).uniform(-1, 1, 400)
        return customers(moment).with_columns(sentiment=pl.Series(noise))

    figures = backtest(at, UNTIL, HORIZON).figures
    assert abs(figures.auc - 0.5) < 0.1
    assert not figures.useful


def test_too_few_are_refused() -> None:
    with pytest.raises(NotEnoughError, match="at least 50 of each are needed"):
        backtest(lambda moment: customers(moment, 15), UNTIL, HORIZON)


def test_who_came_back_late_churned() -> None:
    """86 days after the moment is 91 days after the end."""

    def at(moment: datetime) -> pl.DataFrame:
        return customers(moment).with_columns(pl.col("returned_at").dt.offset_by("76d"))

    with pytest.raises(NotEnoughError, match="and 0 came back"):
        fitted(at, UNTIL, HORIZON)


def test_scored() -> None:
    test = backtest(customers, UNTIL, HORIZON)
    risks = scored(test.model, customers(UNTIL), test.figures)
    assert risks.columns == ["customer_id", "ended_at", "risk", "decile", "reasons"]
    assert risks["risk"].is_sorted(descending=True)
    assert risks["decile"].is_sorted()
    assert (risks["decile"].min(), risks["decile"].max()) == (1, 10)
    assert risks["reasons"][0][0].startswith("sentiment +")
    assert matrix(customers(UNTIL)).shape == (400, len(FEATURES))
