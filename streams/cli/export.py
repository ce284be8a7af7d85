"""`rihla export`: tables as partitioned Parquet, for DuckDB, Polars, Spark and lakes."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from streams.cli import options
from streams.export.tables import DAYS


@click.command(
    epilog="Exit status: 0; 1 if ClickHouse or the disk refuses, or another export works on the folder; 2 for wrong "
    "usage."
)
@options.data
@options.server
@options.database
@click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Where it goes."
)
@click.option(
    "--table",
    "tables",
    multiple=True,
    type=click.Choice(list(DAYS)),
    metavar="NAME",
    help=f"Of this one alone; may be repeated. There are: {', '.join(DAYS)}.",
)
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DAY",
    help="Look at days from this one (UTC) alone, which is sooner; what was restated or erased before it stays as it "
    "was.",
)
@click.option(
    "--user",
    default="analyst",
    show_default=True,
    metavar="ROLE",
    help="As whom: an analyst's export has pseudonyms and no texts; reader, owner and operations export people in "
    "clear.",
)
def export(
    data: Path,
    clickhouse: str | None,
    database: str,
    out: Path,
    tables: tuple[str, ...],
    since: datetime | None,
    user: str,
) -> None:
    """Export tables as Parquet, a file for each table and day: DIR/TABLE/day=YYYY-MM-DD/part-0.parquet.

    Run again, it writes what has changed since, restated days too, and no more; DIR/manifest.json tells columns, rows
    and files. A file is replaced as a whole.

    \b
      rihla export --out lake
      rihla export --out lake --table journeys --since 2026-03-01
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from sinks.clickhouse.roles import ANALYST, ENGINEER
    from streams.cli.query import _client, _refusals
    from streams.export import nightly

    if clickhouse is not None and user in (ANALYST, ENGINEER):
        database = f"{database}_{ANALYST}"  # what the server's user may see of it is the server's to say
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with (
        _client(data, clickhouse, user, database) as client,
        _refusals(),
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        task = progress.add_task("", total=None)

        def advance(table: str, done: int, rows: int) -> None:
            progress.update(task, description=table, completed=done, total=rows)

        day = since.date() if since else None
        for done in nightly.export(client, out, tables or DAYS, day, advance):
            said = (
                f"{done.table}: {done.written:,} days written ({done.rows_written:,} rows), {done.kept:,} as they were"
            )
            click.echo(said + (f", {done.removed:,} removed" if done.removed else "") + f"; {done.rows:,} rows")
