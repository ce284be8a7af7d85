"""`rihla anomalies`: which days of which units were out of the ordinary."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streams.cli import options

if TYPE_CHECKING:
    from streams.trends.expected import Judged, Tested


@click.command(epilog="Exit status: 0; 1 if ClickHouse does not answer; 2 for wrong usage.")
@options.data
@options.server
@options.database
@click.option("--days", default=28, type=click.IntRange(1, 365), help="Days that are judged: the last before --until.")
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d"]),
    help="First day no longer counted, UTC; by default, that of the last event.",
)
@click.option("--keep/--show", default=True, help="Whether to store it, for the desk and the view anomalies.")
def anomalies(data: Path, clickhouse: str | None, database: str, days: int, until: datetime | None, keep: bool) -> None:
    """Say which days of a unit's NPS, CSAT, sentiment and number of contacts are not as the days before let expect.

    Weekdays and the seasons of the Hijri year are expected. The rate of false alarms is at most one a year of each unit
    and metric; the back-test judges the 365 days before in the same way. docs/why.md.

    \b
      rihla anomalies
      rihla anomalies --days 90 --show
    """
    from sinks.clickhouse.stored import last_event_at
    from streams.cli.query import _client
    from streams.embedded.clickhouse.access import OWNER
    from streams.trends import days as stored
    from streams.trends import expected

    judged = alarms = tested = tested_alarms = 0
    with _client(data, clickhouse, OWNER.name, database) as client:
        last = last_event_at(client)
        end = (last if until is None else until).date()  # the day of the last event is not over
        for metric in stored.METRICS:
            for unit, series in stored.series(client, metric, end).items():
                every = expected.judged(series, end - timedelta(days=stored.TESTED))
                figures = expected.tested(every)
                shown = [one for one in every if one.day >= end - timedelta(days=days)]
                if keep and shown:
                    stored.save(client, metric, unit, shown, figures)
                judged, tested = judged + len(shown), tested + figures.days
                tested_alarms += figures.alarms
                for one in shown:
                    if one.alarm:
                        alarms += 1
                        click.echo(f"{one.day}  {unit}  {metric} {_said(one, figures)}")
    click.echo(
        f"{alarms:,} alarms in {judged:,} days judged, of which {judged * expected.RATE:.1f} may be false; back-test: "
        f"{tested_alarms:,} in {tested:,} days ({tested * expected.RATE:.1f})"
    )


def _said(one: Judged, figures: Tested) -> str:
    within = figures.within / figures.days
    return (
        f"{one.actual:.4g}, expected {one.expected:.4g} ({one.low:.4g} to {one.high:.4g}), {one.n:,} "
        f"answers or contacts; back-test: {figures.alarms} alarms in {figures.days} days, {within:.0%} within their "
        "interval"
    )
