"""`rihla migrate`: ClickHouse's schema."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from streams.cli import options
from streams.errors import RihlaError

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


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
@click.option(
    "--sharded",
    is_flag=True,
    envvar="RIHLA_SHARDED",
    show_envvar=True,
    help="With --cluster: it has several shards; rows are spread over them by customer (docs/clickhouse-cluster.md).",
)
@click.option(
    "--roles",
    is_flag=True,
    help="Also make the roles pipeline, analyst, manager, operations, engineer, and their views (docs/security.md).",
)
@click.option(
    "--managers",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    envvar="RIHLA_MANAGERS",
    show_envvar=True,
    default=None,
    help="With --roles: a TOML file of unit managers, each of whom has a role for the rows of their units.",
)
def migrate(
    clickhouse: str, database: str, cluster: str | None, sharded: bool, roles: bool, managers: Path | None
) -> None:
    """Bring ClickHouse to this version's schema: tables, views, metrics. Safe to run again, and by several at once.

    The embedded pipeline does this by itself, and has the same roles.
    """
    from contextlib import closing

    from sinks.clickhouse.client import connect
    from sinks.clickhouse.migrate import migrate as apply
    from streams.settings import Settings

    if sharded and not cluster:
        raise RihlaError("--sharded needs --cluster", "name the cluster, as the servers' remote_servers call it")
    if sharded and roles:  # the key of pseudonyms would be another on each shard
        raise RihlaError(
            "--roles is for one server, or a cluster of one shard",
            "grant by hand, on the views (docs/clickhouse-cluster.md)",
        )
    chosen = Settings.from_env(clickhouse=clickhouse, database=database)
    with closing(connect(chosen.clickhouse_endpoint, None)) as client:
        applied = apply(client, database, cluster, sharded=sharded)
        made = _roles(client, database, managers, cluster) if roles else []
        shown = client.command(f"EXISTS DATABASE {database}_analyst", use_database=False)
    for name in applied:
        click.echo(f"applied {name}")
    click.echo(f"{database} is up to date" + ("" if applied else ", as it was"))
    for name in made:
        click.echo(f"role {name}")
    if applied and shown and not roles:
        click.echo("the views of analysts and managers may be of before: rihla migrate --roles")


def _roles(client: Client, database: str, managers: Path | None, cluster: str | None) -> list[str]:
    """Make the roles; their names. Raises RihlaError where this user may not."""
    from clickhouse_connect.driver.exceptions import ClickHouseError

    from sinks.clickhouse.errors import in_short
    from sinks.clickhouse.roles import RolesError, load_managers, make_roles, on_server

    try:
        chosen = load_managers(managers) if managers else None
        return make_roles(on_server(client), database, chosen, cluster)
    except RolesError as error:
        raise RihlaError(str(error)) from error
    except ClickHouseError as error:
        if "(ACCESS_DENIED)" not in str(error) and "(ACCESS_STORAGE" not in str(error):
            raise
        raise RihlaError(
            f"this user may not make roles: {in_short(error)}",
            "ask as a user with all rights, WITH GRANT OPTION (docs/security.md); a data folder has its roles already",
        ) from error
