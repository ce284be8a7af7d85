"""`rihla drift`: whether a system holds what our state says of segments."""

from __future__ import annotations

from pathlib import Path

import click

from streams.cli import options
from streams.errors import RihlaError


@click.command(
    epilog="Exit status: 0 if there is no drift; 1 if there is, or ClickHouse does not answer; 2 for wrong usage."
)
@options.data
@options.server
@options.database
@click.option("--target", metavar="NAME", help="A target of the routes: against what it was last sent.")
@click.option(
    "--csv",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What a system holds: customer_id, segment, member.",
)
@click.option("--limit", default=50, type=click.IntRange(0), help="Most rows to show.")
def drift(data: Path, clickhouse: str | None, database: str, target: str | None, file: Path | None, limit: int) -> int:
    """Compare what a target was last sent of segments, or what a file says that it holds, with what state says.

    Who is in a segment and not there, or there and no longer in it, is shown with what became of the delivery. What is
    dead, rihla replay deliveries sends again. docs/segments.md says more.

    \b
      rihla drift --target crm
      rihla drift --csv contacts.csv
    """
    from streams.cli.query import _client
    from streams.deliver.drift import of_file, of_target
    from streams.embedded.clickhouse.access import OWNER

    if (target is None) == (file is None):
        raise click.UsageError("say --target or --csv, and not both")
    with _client(data, clickhouse, OWNER.name, database) as client:
        try:
            found = of_target(client, target) if target is not None else of_file(client, file or Path())
        except UnicodeDecodeError:
            raise RihlaError(f"{file}: is no CSV in UTF-8") from None
    for one in found[:limit]:
        says = "has it, and is not in it" if one.target_has else "lacks it, and is in it"
        click.echo(f"{one.segment}  {one.customer_id}  {says}  ({one.why})")
    if len(found) > limit:
        click.echo(f"... and {len(found) - limit:,} more")
    click.echo(f"{len(found):,} differ" if found else "no drift")
    return 1 if found else 0
