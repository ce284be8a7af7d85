"""`rihla themes`: what people newly speak of, unit by unit, in their own words."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from streams.cli import options

HIDDEN = "[hidden]"
"""What a role that may not read texts sees in their place."""


@click.command(epilog="Exit status: 0, also where nothing rises; 1 if ClickHouse does not answer; 2 for wrong usage.")
@options.data
@options.server
@options.database
@click.option("--user", default="owner", show_default=True, help="Role as which to ask: quotes are what it may read.")
@click.option("--unit", default=None, metavar="ID", help="This unit alone.")
@click.option("--week", default=None, metavar="DATE", help="A day of the week to look at; default the last whole week.")
@click.option(
    "--past", default=26, show_default=True, type=click.IntRange(5, 104), help="Weeks before it to compare with."
)
def themes(
    data: Path, clickhouse: str | None, database: str, user: str, unit: str | None, week: str | None, past: int
) -> int | None:
    """Phrases that rise in what is said of a unit, against its own past: themes that nobody has listed.

    At most one theme a unit and year is false where nothing changes: an exact test, corrected for the phrases tried.

    \b
      rihla themes
      rihla themes --unit HTL-MAK-1 --week 2026-03-02
    """
    from streams.cli.query import _client
    from streams.text.themes import Said
    from streams.text.themes import themes as rising

    asked = _monday(week)
    with _client(data, clickhouse, user, database) as client:
        rows = _texts(client, asked, past, unit)
    said = [Said(name, (day - asked).days // 7, text) for name, day, text in rows if text != HIDDEN]
    if rows and not said:
        click.echo(f"{user} may not read texts, so that there are no themes to show", err=True)
        return 2
    found = rising(said, 0)
    for one in found:
        times = f"{one.texts} of {one.of} texts, {one.expected:g} expected, p = {one.chance:.2g}"
        click.echo(f"{one.unit}: {one.phrase} ({times})")
        for quote in one.quotes:
            click.echo(f"    {' '.join(quote.split())[:160]}")
    units = len({one.unit for one in said if one.week == 0})
    click.echo(
        f"week of {asked}: {len(said):,} texts with the {past} weeks before, {units:,} units, {len(found):,} themes"
    )
    return None


def _monday(day: str | None) -> date:
    """The Monday of the week asked for; by default of the last week that is over."""
    if day is None:
        today = datetime.now().date()
        return today - timedelta(days=today.weekday() + 7)
    try:
        said = date.fromisoformat(day)
    except ValueError:
        raise click.UsageError(f"--week {day}: not a day (YYYY-MM-DD)") from None
    return said - timedelta(days=said.weekday())


def _texts(client: Any, monday: date, past: int, unit: str | None) -> list[tuple[str, date, str]]:
    """Unit, day and text of what was written in the week and the weeks before."""
    since, until = monday - timedelta(weeks=past), monday + timedelta(days=7)
    rows = client.query(
        "SELECT attributed_unit, toDate(occurred_at), text FROM interactions_attributed WHERE text IS NOT NULL "
        "AND attributed_unit IS NOT NULL AND ({unit:String} = '' OR attributed_unit = {unit:String}) "
        "AND occurred_at >= toDateTime64({since:Date}, 3, 'UTC') "
        "AND occurred_at < toDateTime64({until:Date}, 3, 'UTC')",
        parameters={"unit": unit or "", "since": since, "until": until},
    ).result_rows
    return [(str(name), day, text) for name, day, text in rows]
