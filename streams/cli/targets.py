"""`rihla targets`: whether what the model wants is met, and what was missed since somebody last looked."""

from __future__ import annotations

from pathlib import Path

import click

from streams.cli import options


@click.command(
    epilog="Exit status: 0; 1 if ClickHouse does not answer; 2 for wrong usage; "
    "3 with --new if a target was newly missed."
)
@options.data
@options.server
@options.database
@click.option("--unit", default="", metavar="UNIT", help="Only this unit.")
@click.option(
    "--periods", default=3, type=click.IntRange(1), help="Most periods of a target and unit, the latest first."
)
@click.option(
    "--new",
    "only_new",
    is_flag=True,
    help="Only what was missed beyond doubt and not told before; writes it into target_breaches.",
)
@click.option("--json", "as_json", is_flag=True, help="With --new: a line of JSON each, with its deterministic id.")
def targets(
    data: Path, clickhouse: str | None, database: str, unit: str, periods: int, only_new: bool, as_json: bool
) -> int:
    """Say whether the targets of the model (targets.toml) are met: each with its interval and its answers.

    A target is missed beyond doubt where the interval of 95 % lies below it. --new prints each such breach
    once, however often and by whomever it is run: for cron, which mails it; exit status 3 says that there was one.

    \b
      rihla targets
      rihla targets --unit MAKKAH-01 --periods 12
      0 * * * *  rihla targets --new --clickhouse http://... || true
    """
    import json
    import time

    from streams.cli.query import _client
    from streams.embedded.clickhouse.access import OWNER
    from streams.targets import store
    from streams.targets.breaches import breaches

    with _client(data, clickhouse, OWNER.name, database) as client:
        rows = store.judged(client, {"unit": unit, "periods": str(periods)})
        if only_new:
            found = store.observe(client, breaches(rows), int(time.time() * 1000))
            for one in found:
                click.echo(json.dumps(one._asdict(), default=str) if as_json else one.sentence)
            return 3 if found else 0
    for row in rows:
        interval = "" if row["low"] is None else f" ({row['low']:g} to {row['high']:g})"
        doubt = "" if row["certain"] or row["status"] == "not enough answers" else ", within the margin"
        running = ", so far" if row["running"] else ""
        click.echo(
            f"{row['status'] + doubt + running:<32} {row['metric']:<10} {row['unit'] or 'all units':<20} "
            f"{row['period']} from {row['starts']}  {row['actual']:g}{interval}, wanted {row['target']:g}, "
            f"{row['n']:,} answers"
        )
    if not rows:
        click.echo("no target is about anything that was answered: targets.toml of the model (docs/why.md)")
    return 0
