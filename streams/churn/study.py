"""Fits and back-tests churn on the customers of several moments. Pure: what was known at a moment comes in as a frame.

A customer has churned if they began no journey within the horizon after the end of their last one. The back-test
repeats what would have been done in the past: the model is fitted only on labels that were settled at the test's
moment, and the risks given then are judged by what happened afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from streams.churn.figures import Figures, judge
from streams.churn.model import Floats, Model, fit

FEATURES = (
    "days_since_end",
    "trips",
    "booked_share",
    "lost_share",
    "sentiment",
    "trend",
    "bad_moments",
    "complaints",
    "contacts",
)
"""Columns of the named query churn_features, which documents them."""
COUNTS = ("trips", "bad_moments", "complaints", "contacts")
"""Features that enter as ln(1 + x): the tenth contact says less than the second."""
LEAST = 50
"""Fewest customers who churned, and who did not, to fit on and to judge by."""
STEP_DAYS, MOMENTS = 30, 6
"""The number of moments at which the sample is taken, and the time between two of them."""

At = Callable[[datetime], pl.DataFrame]
"""The customers of a moment: customer_id, ended_at, returned_at and FEATURES, as churn_features gives them."""


class NotEnoughError(ValueError):
    """Too few customers are known to have come back or not; the message says how many, and when."""


@dataclass(frozen=True, slots=True)
class Backtest:
    """A model as it would have been fitted at a moment of the past, with the outcomes of its risks."""

    at: datetime
    model: Model
    fitted_on: int
    """Customers (several moments of one count as several) in the sample."""
    figures: Figures


def matrix(frame: pl.DataFrame) -> Floats:
    """The features as the model takes them; shape (rows, features)."""
    columns = [pl.col(name).cast(pl.Float64) for name in FEATURES]
    logged = [column.log1p() if name in COUNTS else column for name, column in zip(FEATURES, columns, strict=True)]
    return frame.select(logged).to_numpy().astype(np.float64)


def backtest(at: At, until: datetime, horizon: timedelta) -> Backtest:
    """What would have been fitted one horizon before `until`, judged by what is known at `until`.

    Args:
        at: gives the customers of a moment. until: the latest moment of which everything is known.
        horizon: within which one has to return.

    Raises NotEnoughError.
    """
    moment = until - horizon
    model, fitted_on, base = fitted(at, moment, horizon)
    test = at(moment)
    churned = _churned(test, horizon)
    _check(churned, f"to judge by at {moment:%Y-%m-%d}")
    return Backtest(moment, model, fitted_on, judge(model.risk(matrix(test)), churned, base))


def fitted(at: At, now: datetime, horizon: timedelta) -> tuple[Model, int, float]:
    """The model as it can be fitted at a moment, the size of its sample, and the share of it that churned.

    The sample: who could be judged at MOMENTS moments, the latest one horizon before `now`, so that all is settled.
    Raises NotEnoughError.
    """
    moments = [now - horizon - timedelta(days=STEP_DAYS * number) for number in range(MOMENTS)]
    sample = pl.concat([at(moment) for moment in moments])
    churned = _churned(sample, horizon)
    _check(churned, f"to fit on before {moments[0]:%Y-%m-%d}")
    return fit(FEATURES, matrix(sample), churned), sample.height, float(churned.mean())


def scored(model: Model, customers: pl.DataFrame, figures: Figures) -> pl.DataFrame:
    """customer_id, ended_at, risk, decile of the back-test, reasons; the highest risk first."""
    features = matrix(customers)
    risk = model.risk(features)
    bounds: Sequence[float] = [band.lowest for band in figures.bands[:-1]]
    decile = 1 + (risk[:, None] < np.array(bounds)[None, :]).sum(axis=1)
    return (
        customers.select("customer_id", "ended_at")
        .with_columns(
            risk=pl.Series(risk),
            decile=pl.Series(decile, dtype=pl.UInt8),
            reasons=pl.Series(model.reasons(features), dtype=pl.List(pl.String)),
        )
        .sort("risk", "customer_id", descending=[True, False])
    )


def _churned(frame: pl.DataFrame, horizon: timedelta) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    back = (pl.col("returned_at") <= pl.col("ended_at") + horizon).fill_null(False)
    answer: np.ndarray[tuple[int], np.dtype[np.bool_]] = frame.select(~back).to_series().to_numpy()
    return answer


def _check(churned: np.ndarray[tuple[int], np.dtype[np.bool_]], what: str) -> None:
    gone = int(churned.sum())
    if min(gone, len(churned) - gone) < LEAST:
        raise NotEnoughError(
            f"{gone} customers churned and {len(churned) - gone} came back, {what}: at least {LEAST} of each are needed"
        )
