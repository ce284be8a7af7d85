"""`rihla restore`: what ClickHouse has stored, to the topics again."""

from __future__ import annotations

from typing import Any

import click

from streams.cli import options


@click.command(epilog="Exit status: 0 when the broker has acknowledged everything; 1 on an error; 2 for wrong usage.")
@click.option(
    "--anew",
    is_flag=True,
    help="Into topics that are empty, for state that is built from nothing: journeys, customers and cases are emptied "
    "first. Stop all workers before, and start them with the epoch that is printed.",
)
@options.kafka
@options.clickhouse
@options.database
def restore(anew: bool, **settings: Any) -> int:
    """Send all stored interactions, and the links that follow from them, to their topics again.

    For records that were deleted before stitch or identity had read them: what these know already changes nothing, what
    they missed is added. Workers may run meanwhile. (The embedded pipeline does this by itself at each start.)

    \b
      rihla restore --brokers kafka:9092 --clickhouse http://user:password@clickhouse:8123
    """
    import asyncio
    from contextlib import closing

    from sinks.clickhouse.client import connect
    from streams.restore.topics import restore_anew, restore_missing
    from streams.settings import Settings

    chosen = Settings.from_env(**settings)

    def progress(sent: int) -> None:
        click.echo(f"{sent:,} events sent ...", err=True)

    with closing(connect(chosen.clickhouse, chosen.database)) as client:
        if anew:
            events, epoch = asyncio.run(restore_anew(client, chosen, progress))
            click.echo(f"{events:,} events sent. Start the workers with RIHLA_EPOCH={epoch}: later rows then win.")
        else:
            events = asyncio.run(restore_missing(client, chosen, progress))
            click.echo(f"{events:,} events sent. Once the workers have read them, rihla verify compares.")
    return 0
