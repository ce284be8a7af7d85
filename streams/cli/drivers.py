"""`rihla drivers`: what moves NPS and CSAT, and how well that predicts answers that it has not seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from streams.cli import options


@click.command(
    epilog="Exit status: 0; 1 if there are too few answers of every metric, or ClickHouse does not answer; 2 for wrong "
    "usage."
)
@options.data
@options.server
@options.database
@click.option("--metric", default="all", type=click.Choice(["all", "nps", "csat"]), help="Of which score.")
@click.option("--unit", default="", metavar="UNIT", help="Only the answers of this unit; else units are a driver.")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="First day, UTC; by default a year before --until.")
@click.option(
    "--until", type=click.DateTime(["%Y-%m-%d"]), help="First day no longer counted; by default, after the last."
)
@click.option("--keep/--show", default=True, help="Whether to store it, for the desk and the view drivers.")
def drivers(
    data: Path,
    clickhouse: str | None,
    database: str,
    metric: str,
    unit: str,
    since: datetime | None,
    until: datetime | None,
    keep: bool,
) -> None:
    """Say what the answers of guests go with: aspects, waits, delays and units, each with its share of the variance.

    Shares are averaged over all orders (LMG, Shapley), controlled for package and season, with bootstrap intervals of
    95 %; the back-test predicts the later quarter of the answers from the earlier ones. An association is no proof of
    an effect. docs/why.md.

    \b
      rihla drivers
      rihla drivers --metric nps --unit MAKKAH-01 --since 2026-01-01
    """
    from sinks.clickhouse.stored import last_event_at
    from streams.cli.query import _client
    from streams.drivers import estimate, store
    from streams.embedded.clickhouse.access import OWNER
    from streams.errors import RihlaError

    told = 0
    with _client(data, clickhouse, OWNER.name, database) as client:
        last = last_event_at(client)
        end = last + timedelta(milliseconds=1) if until is None else until.replace(tzinfo=UTC)
        begin = end - timedelta(days=365) if since is None else since.replace(tzinfo=UTC)
        for name in store.METRICS if metric == "all" else (metric,):
            try:
                found = estimate.found(store.sample(client, name, unit, begin, end))
            except estimate.TooFewError as error:
                click.echo(f"{name}: {error}")
                continue
            told += 1
            if keep:
                store.save(client, name, unit, begin, end, found)
            _show(name, found)
    if not told:
        raise RihlaError("there are too few answers", "a longer --since takes more of them in")


def _show(name: str, found: object) -> None:
    from streams.drivers.estimate import Found

    assert isinstance(found, Found)
    click.echo(
        f"{name}: {found.n:,} answers of {found.customers:,} customers; R2 {found.r2:.3f}, of it by package and season "
        f"{found.r2_controls:.3f}; back-test on {found.tested:,} later answers: R2 {found.tested_r2:.3f}, by package "
        f"and season alone {found.tested_r2_controls:.3f}"
    )
    if not found.useful:
        click.echo("  it predicts answers no better than without drivers: do not act on these shares")
    for one in found.drivers:
        effect = ""
        if one.effect is not None:
            step = "a point better" if one.name.startswith("aspect ") else "twice as long"
            effect = f"  {step}: {one.effect:+.1f} points ({one.effect_low:+.1f} to {one.effect_high:+.1f})"
        click.echo(f"  {one.name:<24} {one.share:6.1%} ({one.low:.1%} to {one.high:.1%}){effect}")
