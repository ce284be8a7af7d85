"""`rihla units`: the company's units, by file."""

from __future__ import annotations

from pathlib import Path

import click

from streams.cli import options


@click.group()
def units() -> None:
    """Properties, flights, desks, buses, tents: what they are called, where they are, whose they are (docs/units.md).

    \b
      rihla units load units.csv
      rihla query units
      rihla query nps --param by=brand
    """


@units.command(
    epilog="Exit status: 0; 1 if the file cannot be used, and then nothing of it is, or ClickHouse does not answer; "
    "2 for wrong usage."
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@options.data
@options.server
@options.database
@click.option("--replace", is_flag=True, help="Take back what is stored and not in FILE.")
def load(file: Path, data: Path, clickhouse: str | None, database: str, replace: bool) -> None:
    """Store the units of FILE: CSV with the fields as columns, or TOML with a table [[unit]] for each.

    What FILE does not name stays as it is, unless --replace. All of FILE is looked at first: ids, parents, cycles, time
    zones, currencies. Times of prayer of places that are new are reckoned for the days with events, 0.3 ms a day.
    """
    from sinks.clickhouse import prayers
    from streams.cli.query import _client
    from streams.clock import now_ms
    from streams.embedded.clickhouse.access import OWNER
    from streams.master import files, store
    from streams.master.units import Unit, faults

    found = files.read(file, "unit", Unit)
    with _client(data, clickhouse, OWNER.name, database) as client:
        if wrong := list(faults(found, {} if replace else store.histories(client))):
            raise files.MasterError(file, wrong)
        stored = store.write(client, found, now_ms(), replace=replace)
        click.echo(
            f"{stored.written:,} units stored" + (f", {stored.withdrawn:,} taken back" if stored.withdrawn else "")
        )
        if made := prayers.fill(client):
            click.echo(f"{made:,} days of prayer times reckoned")
