"""`rihla query`: any SQL, or a named query, on the tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from streams.commands import options
from streams.errors import RihlaError

FOR_PEOPLE = "PrettyCompactMonoBlock"
_CHUNK = 1 << 20
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def _assignments(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    wrong = [value for value in values if "=" not in value]
    if wrong:
        raise click.BadParameter(f"{wrong[0]!r} is not NAME=VALUE")
    return dict(value.split("=", 1) for value in values)


@click.command(epilog="Exit status: 0; 1 if ClickHouse refuses the query or does not answer; 2 for wrong usage.")
@click.argument("sql_or_name", required=False)
@options.data
@click.option(
    "--clickhouse",
    envvar="RIHLA_CLICKHOUSE",
    show_envvar=True,
    metavar="URL",
    default=None,
    help="A server, instead of --data: http://user:password@host:8123.",
)
@options.database
@click.option(
    "--format",
    "output_format",
    default=FOR_PEOPLE,
    metavar="F",
    help="Any of ClickHouse's formats: JSONEachRow, CSVWithNames, Parquet, Vertical ...",
)
@click.option(
    "--param",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_assignments,
    help="A parameter of the query, {NAME:Type} in SQL; may be repeated.",
)
@click.option("--list", "list_names", is_flag=True, help="List the named queries, with their parameters.")
def query(
    sql_or_name: str | None,
    data: Path,
    clickhouse: str | None,
    database: str,
    output_format: str,
    parameters: dict[str, str],
    list_names: bool,
) -> None:
    """Ask the tables: SQL_OR_NAME is any SQL, or the name of a query that comes with Rihla (--list).

    Works on the data folder whether or not a pipeline runs on it.

    \b
      rihla query nps
      rihla query "SELECT status, count() FROM journeys GROUP BY status"
      rihla query "SELECT * FROM customers" --format Parquet > customers.parquet
    """
    if list_names:
        _list()
        return
    if not sql_or_name:
        raise click.UsageError("name a query or give SQL; --list lists the named queries")
    sql = _statement(sql_or_name, parameters)
    with _client(data, clickhouse, database) as client:
        _ask(client, sql, parameters, output_format)


def _list() -> None:
    from rich.console import Console
    from rich.table import Table

    from sinks.named import named_queries

    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("name", "parameters", "what it answers"):
        table.add_column(column, overflow="fold")
    for found in named_queries().values():
        table.add_row(found.name, ", ".join(found.parameters), found.about)
    Console(highlight=False).print(table)


def _statement(sql_or_name: str, parameters: dict[str, str]) -> str:
    """The SQL; that of a named query if it is a name, with defaults for the parameters that are not given."""
    if not _NAME.fullmatch(sql_or_name):
        return sql_or_name
    return sql_or_name


@contextmanager
def _client(data: Path, clickhouse: str | None, database: str) -> Iterator[Any]:
    """A clickhouse-connect client, on the server named or on the folder's database."""
    from contextlib import closing

    from sinks.client import connect

    if clickhouse is not None:
        with closing(connect(clickhouse, database)) as client:
            yield client
        return
    from streams.embedded.datadir import DataDirectory
    from streams.embedded.reach import database_url

    with database_url(DataDirectory(data), "query") as url, closing(connect(url, database)) as client:
        yield client


def _ask(client: Any, sql: str, parameters: dict[str, str], output_format: str) -> None:
    from clickhouse_connect.driver.exceptions import ClickHouseError

    out = click.get_binary_stream("stdout")
    settings = {"output_format_pretty_max_rows": 100_000, "output_format_pretty_row_numbers": 0}
    try:
        with client.raw_stream(sql, parameters or None, settings, fmt=output_format) as answer:
            while block := answer.read(_CHUNK):
                out.write(block)
    except ClickHouseError as error:
        raise RihlaError(_reason(str(error))) from error
    out.flush()


def _reason(message: str) -> str:
    """ClickHouse's own words, without the client's around them."""
    found = re.search(r"Code: \d+\. DB::Exception: .*?(?= \(for url |$)", message, re.DOTALL)
    return (found[0] if found else message).strip()
