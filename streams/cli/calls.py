"""`rihla calls`: who is called today, when not everybody can be."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from streams.cli import options


@click.command(epilog="Exit status: 0; 1 if ClickHouse does not answer; 2 for wrong usage.")
@options.data
@options.server
@options.database
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), default=None, help="Day of the list; left out: today, UTC.")
@click.option("--unit", "units", multiple=True, metavar="UNIT", help="Show only the list of this unit.")
def calls(data: Path, clickhouse: str | None, database: str, day: datetime | None, units: tuple[str, ...]) -> None:
    """Decide and show whom each unit calls on a day: the most urgent next best actions, as many as there is room for.

    Where some are equally urgent and too many, chance decides, and the chance of each is logged (view calls), so that
    rihla uplift can say what calling changes. A list that stands is shown, and not made again. docs/recovery.md.
    """
    import os

    from streams.cli.query import _client
    from streams.embedded.clickhouse.access import OWNER
    from streams.model import company
    from streams.uplift import store
    from streams.uplift.calls import allocate, capacity_of

    capacity = company.load(os.environ.get("RIHLA_MODEL")).actions.capacity
    on = datetime.now(UTC).date() if day is None else day.date()
    with _client(data, clickhouse, OWNER.name, database) as client:
        done = store.decided(client, on)
        fresh = [one for one in store.candidates(client) if one.unit not in done]
        made = allocate(fresh, capacity, on)
        store.save(client, on, made, {one.unit: capacity_of(capacity, one.unit) for one in fresh})
        for unit, place, customer, action, about, propensity in store.chosen(client, on, units):
            click.echo(f"{unit}  {place:>3}  {customer}  {action}  {about}  (chance {propensity:.2f})")
    drawn, called = sum(one.drawn for one in made), sum(one.chosen for one in made)
    click.echo(f"{len(made):,} candidates, {called:,} to be called; chance decided on {drawn:,}")
