"""`rihla rates`: rates of exchange, by file."""

from __future__ import annotations

from pathlib import Path

import click

from streams.cli import options


@click.group()
def rates() -> None:
    """What currencies are worth in each other, by day, for figures in one currency (docs/units.md).

    \b
      rihla rates load rates.csv
      rihla query spend --param currency=SAR
    """


@rates.command(
    epilog="Exit status: 0; 1 if the file cannot be used, and then nothing of it is, or ClickHouse does not answer; "
    "2 for wrong usage."
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@options.data
@options.server
@options.database
def load(file: Path, data: Path, clickhouse: str | None, database: str) -> None:
    """Store the rates of FILE: CSV with the columns currency, base, valid_from and rate, or TOML with tables [[rate]].

    One unit of currency is worth rate units of base, from valid_from on until the next of the same two. What FILE does
    not name stays as it is.
    """
    from streams.cli.query import _client
    from streams.clock import now_ms
    from streams.embedded.clickhouse.access import OWNER
    from streams.master import files, store
    from streams.master.rates import Rate, faults

    found = files.read(file, "rate", Rate)
    if wrong := list(faults(found)):
        raise files.MasterError(file, wrong)
    with _client(data, clickhouse, OWNER.name, database) as client:
        store.insert(client, "rates", [store.row_of(rate) for _, rate in found], now_ms())
    click.echo(f"{len(found):,} rates stored")
