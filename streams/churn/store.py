"""Reads the features of churn (the named query churn_features) and writes the tables of models and risks."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from sinks.clickhouse import named
from streams.churn.figures import Figures
from streams.churn.model import Model
from streams.churn.study import FEATURES

_SCHEMA = {
    "customer_id": pl.String(),
    "ended_at": pl.Datetime("ms", "UTC"),
    "returned_at": pl.Datetime("ms", "UTC"),
    **dict.fromkeys(FEATURES, pl.Float64()),
}


def latest_event(client: Any) -> datetime | None:
    """The time of the latest interaction stored; None: there are none."""
    rows = client.query("SELECT toUnixTimestamp64Milli(max(occurred_at)), count() FROM interactions_store").result_rows
    ms, count = rows[0]
    return datetime.fromtimestamp(ms / 1000, UTC) if count else None


def customers_at(client: Any, moment: datetime, horizon: timedelta) -> pl.DataFrame:
    """The customers of a moment, as study.At has them."""
    query = named.load()["churn_features"]
    given = {"at": f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}", "horizon_days": str(horizon.days)}
    table = client.query_arrow(query.sql, parameters=query.bind(given))
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    text = pl.col("customer_id").cast(pl.Binary).cast(pl.String)
    return frame.with_columns(text).select(pl.col(name).cast(dtype) for name, dtype in _SCHEMA.items())


def save(
    client: Any,
    model: Model,
    sample: int,
    known_until: datetime,
    horizon: timedelta,
    tested_at: datetime,
    figures: Figures,
    risks: pl.DataFrame,
) -> str:
    """Store risks (as study.scored gives them), then the model with its back-test: only with it are they shown.

    Returns the model's id.
    """
    model_id, now = str(uuid.uuid4()), datetime.now(UTC)
    if risks.height:
        rows = [
            (customer, model_id, ended, risk, decile, reasons, now)
            for customer, ended, risk, decile, reasons in risks.iter_rows()
        ]
        columns = ["customer_id", "model_id", "ended_at", "risk", "decile", "reasons", "fitted_at"]
        client.insert("churn_risk_store", rows, column_names=columns)
    weights = [
        (name, float(mean), float(scale), float(weight))
        for name, mean, scale, weight in zip(model.names, model.mean, model.scale, model.weights, strict=True)
    ]
    deciles = [
        (band.decile, band.customers, band.lowest, band.expected, band.churned, band.lift) for band in figures.bands
    ]
    row = {
        "model_id": model_id,
        "fitted_at": now,
        "known_until": known_until,
        "horizon_days": horizon.days,
        "sample": sample,
        "intercept": model.intercept,
        "weights": weights,
        "tested_at": tested_at,
        "tested": figures.customers,
        "churned": figures.churned,
        "auc": figures.auc,
        "auc_margin": figures.margin,
        "brier": figures.brier,
        "brier_base": figures.brier_base,
        "useful": figures.useful,
        "deciles": deciles,
    }
    client.insert("churn_models_store", [list(row.values())], column_names=list(row))
    return model_id
