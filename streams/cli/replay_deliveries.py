"""`rihla replay deliveries`: dead deliveries, sent again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from streams.cli import options


@click.command(
    epilog="Exit status: 0 if the broker has acknowledged what was asked for (perhaps nothing); 1 on an error; 2 for "
    "wrong usage."
)
@click.option(
    "--target", "targets", multiple=True, metavar="NAME", help="Only those to this target; may be given several times."
)
@click.option("--dry-run", is_flag=True, help="Only say what would be sent. Needs no broker.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    envvar="RIHLA_DATA",
    show_envvar=True,
    help="The pipeline that `rihla up` runs on this folder, instead of --clickhouse and --brokers.",
)
@options.clickhouse
@options.database
@options.kafka
def deliveries(targets: tuple[str, ...], dry_run: bool, data: Path | None, **settings: Any) -> int:
    """Have deliver send again what targets refused, or were away for too long to take.

    For use when the cause is cured. A message keeps its key, so that who has it already can tell. What is told by a
    later version that has arrived is not sent again. docs/deliver.md says more.

    \b
      rihla replay deliveries --dry-run --data rihla-data
      rihla replay deliveries --target desk --clickhouse http://ch:8123 --brokers kafka:9092
    """
    import asyncio
    from contextlib import closing

    from sinks.clickhouse.client import connect
    from streams.cli.replay import reached
    from streams.deliver.replay import replay

    with (
        reached(data, dry_run, settings) as chosen,
        closing(connect(chosen.clickhouse_endpoint, chosen.database)) as client,
    ):
        asked = asyncio.run(replay(client, chosen, targets, dry_run=dry_run))
    for target, number in sorted(asked.deliveries.items()):
        click.echo(f"{number:>12,}  to {target}")
    total = sum(asked.deliveries.values())
    click.echo(f"{total:>12,}  dead deliveries {'would be sent again' if dry_run else 'are to be sent again'}")
    if asked.superseded:
        click.echo(f"{asked.superseded:>12,}  left: a later version has arrived")
    return 0
