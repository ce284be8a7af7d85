"""`rihla churn`: who will not come back, and how well that could have been predicted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streams.cli import options
from streams.errors import RihlaError

if TYPE_CHECKING:
    import polars as pl

    from streams.churn.model import Model
    from streams.churn.study import Backtest


@click.command(
    epilog="Exit status: 0; 1 if too few customers are known to have come back or not, or ClickHouse does not answer; "
    "2 for wrong usage."
)
@options.data
@options.server
@options.database
@click.option(
    "--horizon-days",
    default=180,
    type=click.IntRange(30, 1000),
    help="Churned is who begins no journey within so many days after the end of the last.",
)
@click.option("--backtest", "only_backtest", is_flag=True, help="Judge only: fit nothing new and store nothing.")
@click.option("--limit", default=10, type=click.IntRange(0), help="Customers to show, those with the highest risk.")
def churn(
    data: Path, clickhouse: str | None, database: str, horizon_days: int, only_backtest: bool, limit: int
) -> None:
    """Fit a model of churn, back-test it, and store each customer's risk with the figures of the back-test.

    The model is a logistic regression with nine features (rihla query churn_features --list). It is judged first: as it
    would have been fitted one horizon ago, by what has happened since. Stored are tables churn_models and churn_risk.

    \b
      rihla churn --backtest
      rihla query "SELECT * FROM churn_risk ORDER BY risk DESC LIMIT 20"
    """
    from streams.churn import store, study
    from streams.cli.query import _client
    from streams.embedded.clickhouse.access import OWNER

    horizon = timedelta(days=horizon_days)
    with _client(data, clickhouse, OWNER.name, database) as client:
        until = store.latest_event(client)
        if until is None:
            raise RihlaError("there are no interactions", "rihla run stores some")

        def at(moment: datetime) -> pl.DataFrame:
            return store.customers_at(client, moment, horizon)

        try:
            test = study.backtest(at, until, horizon)
            _show_backtest(test, horizon_days)
            if only_backtest:
                return
            model, sample, _ = study.fitted(at, until, horizon)
        except study.NotEnoughError as error:
            raise RihlaError(str(error), "a shorter --horizon-days, or a longer history, settles more") from error
        risks = study.scored(model, at(until), test.figures)
        store.save(client, model, sample, until, horizon, test.at, test.figures, risks)
    _show_model(model, sample)
    _show_risks(risks.head(limit), risks.height, test, until)


def _show_backtest(test: Backtest, horizon_days: int) -> None:
    from rich.console import Console
    from rich.table import Table

    figures = test.figures
    console = Console(highlight=False)
    console.print(
        f"Back-test: fitted on {test.fitted_on:,} as of {test.at:%Y-%m-%d}, judged by the {horizon_days} days since "
        f"then: {figures.customers:,} customers, {figures.churned:.1%} of whom churned.",
        soft_wrap=True,
    )
    console.print(
        f"AUC {figures.auc:.3f} ± {figures.margin:.3f} (0.5 is chance); Brier score {figures.brier:.4f}, of the same "
        f"risk for everybody {figures.brier_base:.4f}.",
        soft_wrap=True,
    )
    if not figures.useful:
        console.print("[yellow]No better than chance, or than giving all the same risk: do not act on these risks.")
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("decile", "customers", "risk from", "expected", "churned", "lift"):
        table.add_column(column, justify="right")
    for band in figures.bands:
        table.add_row(
            str(band.decile),
            f"{band.customers:,}",
            f"{band.lowest:.1%}",
            f"{band.expected:.1%}",
            f"{band.churned:.1%}",
            f"{band.lift:.2f}",
        )
    console.print(table)


def _show_model(model: Model, sample: int) -> None:
    click.echo(f"\nModel, fitted on {sample:,}: one standard deviation more adds to the log odds of churn")
    weights = zip(model.names, model.weights.tolist(), model.scale.tolist(), strict=True)
    for name, weight, scale in sorted(weights, key=lambda entry: -abs(entry[1])):
        click.echo(f"  {name:<16} {weight:+.3f}  (standard deviation {scale:.3g})")


def _show_risks(risks: pl.DataFrame, known: int, test: Backtest, until: datetime) -> None:
    churned = {band.decile: band.churned for band in test.figures.bands}
    click.echo(f"\n{known:,} customers as of {until.astimezone(UTC):%Y-%m-%d}, the highest risks:")
    for customer, ended, risk, decile, reasons in risks.iter_rows():
        why = ", ".join(reasons) or "nothing above the average"
        click.echo(
            f"  {customer}  risk {risk:.1%} (such: {churned[decile]:.1%} in the back-test)  "
            f"since {ended:%Y-%m-%d}  {why}"
        )
