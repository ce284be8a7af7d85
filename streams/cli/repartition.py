"""`rihla repartition`: topics and state to another number of partitions."""

from __future__ import annotations

from typing import Any

import click

from streams.cli import options


@click.command(epilog="Exit status: 0 when all is moved, or was so already; 1 on an error; 2 for wrong usage.")
@click.option(
    "--to",
    type=click.IntRange(1, 10_000),
    default=None,
    metavar="N",
    help="Partitions wanted. Not needed to go on with what was broken off.",
)
@click.option("--abort", is_flag=True, help="Give up what was broken off before any topic was deleted.")
@options.brokers
@options.prefix
@options.registry
@options.wire
def repartition(to: int | None, abort: bool, **settings: Any) -> int:
    """Move Rihla's topics, and the state of its customers, to N partitions, more or fewer.

    Stop all workers first. Also mends topics to which somebody has added partitions, for which workers do not start.
    Every record keeps its place behind or before what each group has committed, so nothing is read twice or left out.
    Broken off at any point, the command goes on where it was when it is called again.

    \b
      rihla repartition --to 6 --brokers kafka:9092
    """
    import asyncio

    from streams.repartition import run
    from streams.settings import Settings

    chosen = Settings.from_env(**settings)

    def say(text: str) -> None:
        click.echo(f"{text} ...", err=True)

    if abort:
        asyncio.run(run.give_up(chosen, say))
        click.echo("given up: all topics are as they were")
        return 0
    done = asyncio.run(run.repartition(chosen, to, say))
    if done is None:
        click.echo(f"everything has {to} partitions already, and every customer's state is where it belongs")
        return 0
    for topic, count in done.counts.items():
        click.echo(f"{topic:<40} {done.partitions[topic]:>5} -> {done.to:<5} {count:>14,} records")
    click.echo(f"Done. Start the workers, with RIHLA_PARTITIONS={done.to} for topics to come; rihla verify compares.")
    return 0
