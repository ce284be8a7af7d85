"""`rihla radar`: which guide, bus, tent or floor of a group is to blame."""

from __future__ import annotations

from pathlib import Path

import click

from streams.cli import options


@click.command(
    epilog="Exit status: 0, also where nothing is to blame; 1 if ClickHouse does not answer; 2 for wrong usage."
)
@options.data
@options.server
@options.database
@click.option("--group", default=None, metavar="ID", help="Show all places of this group, and not only what to mend.")
@click.option("--limit", default=20, type=click.IntRange(1), help="Most lines.")
def radar(data: Path, clickhouse: str | None, database: str, group: str | None, limit: int) -> None:
    """Which guide, bus, tent or floor makes the members of a group unhappy: told apart, with an interval.

    A place is named if it is no place as others of its kind are, and worse beyond doubt, with the interval of 95 % of
    how much worse it is. Below ten members who said something, or thirty in the group, nothing is shown.

    \b
      rihla radar
      rihla radar --group HAJJ-7
    """
    from streams.cli.query import _client
    from streams.embedded.clickhouse.access import OWNER
    from streams.model.identifiers import GROUP_PREFIX
    from streams.radar.estimate import effects
    from streams.radar.store import cells

    with _client(data, clickhouse, OWNER.name, database) as client:
        found = effects(cells(client))
    groups = {one.group for one in found}
    bad = [one for one in found if one.is_bad]
    for one in bad[:limit]:
        if group is None:
            name = one.group.removeprefix(GROUP_PREFIX)
            click.echo(f"mend {one.kind} {one.name} of {name}: {one.customers:,} pilgrims, {one.interval}")
    if group is None:
        click.echo(f"{len(groups):,} groups with enough answers, {len(bad):,} places to mend")
        return
    asked = GROUP_PREFIX + group.removeprefix(GROUP_PREFIX)
    shown = [one for one in found if one.group == asked]
    if not shown:
        click.echo(f"{group}: too few of its members have said anything to judge it")
    for one in shown[:limit]:
        verdict = "mend" if one.is_bad else "good" if one.is_good else ""
        click.echo(f"{verdict:<5} {one.kind:<6} {one.name:<20} {one.customers:>6,} pilgrims  {one.interval}")
