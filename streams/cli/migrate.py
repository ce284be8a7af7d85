"""`rihla migrate`: ClickHouse's schema."""

from __future__ import annotations

import click

from streams.cli import options


@click.command()
@options.clickhouse
@options.database
@click.option(
    "--cluster",
    envvar="RIHLA_CLUSTER",
    show_envvar=True,
    metavar="NAME",
    default=None,
    help="A cluster of replicas: makes replicated tables, ON CLUSTER NAME.",
)
def migrate(clickhouse: str, database: str, cluster: str | None) -> None:
    """Bring ClickHouse to this version's schema: tables, views, metrics. Safe to run again, and by several at once.

    The embedded pipeline does this by itself.
    """
    from contextlib import closing

    from sinks.clickhouse.client import connect
    from sinks.clickhouse.migrate import migrate as apply
    from streams.settings import Settings

    chosen = Settings.from_env(clickhouse=clickhouse, database=database)
    with closing(connect(chosen.clickhouse_endpoint, None)) as client:
        applied = apply(client, database, cluster)
    for name in applied:
        click.echo(f"applied {name}")
    click.echo(f"{database} is up to date" + ("" if applied else ", as it was"))
