"""`rihla uplift`: what calls change, and what is proposed no longer."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from streams.cli import options


@click.command(epilog="Exit status: 0; 1 if ClickHouse does not answer; 2 for wrong usage.")
@options.data
@options.server
@options.database
@click.option(
    "--by",
    default="all",
    type=click.Choice(["all", "language", "case_touchpoint"]),
    help="Each of these by itself.",
)
@click.option(
    "--return-days",
    default=180,
    type=click.IntRange(7, 1000),
    help="A booking within this many days counts as a return.",
)
@click.option("--alpha", default=0.05, type=click.FloatRange(0.001, 0.5), help="Chance that an interval misses, ever.")
@click.option("--today", type=click.DateTime(["%Y-%m-%d"]), default=None, help="Judge as of this day; left out: today.")
@click.option(
    "--write", type=click.Path(dir_okay=False, path_type=Path), help="Write what a model's actions.toml should say."
)
def uplift(
    data: Path,
    clickhouse: str | None,
    database: str,
    by: str,
    return_days: int,
    alpha: float,
    today: datetime | None,
    write: Path | None,
) -> None:
    """Say what being chosen for a call changes: the sentiment of the 30 days after it, and whether people book again.

    Compared are those among whom chance decided (rihla calls). The intervals hold however often they are looked at.
    "no help": certainly less than what is worth a call. docs/recovery.md.
    """
    from streams.cli.query import _client
    from streams.embedded.clickhouse.access import OWNER
    from streams.uplift import store, study

    on = datetime.now(UTC).date() if today is None else today.date()
    with _client(data, clickhouse, OWNER.name, database) as client:
        calls = store.followed(client, on, return_days)
    found = study.uplifts(calls, by, alpha)
    for one in found:
        about = f" ({one.value or 'unknown'})" if by != "all" else ""
        click.echo(
            f"{one.action}{about}  {one.outcome}  {one.uplift:+.3f}  {one.low:+.3f} to {one.high:+.3f}  "
            f"{one.called:,} called, {one.not_called:,} not, in {one.draws:,} draws  {one.verdict}"
        )
    if not found:
        click.echo("nothing is known yet: chance has decided on nobody, or what followed is still to come: rihla calls")
    if write is not None:
        whole = found if by == "all" else study.uplifts(calls, "all", alpha)
        write.write_text(study.weights(whole), "utf-8")
        click.echo(f"{write}: read it, and put what you agree with into the model's actions.toml")
