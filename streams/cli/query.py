"""`rihla query`: any SQL, or a named query, on the tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streams.cli import options, query_explain, query_out, query_plot
from streams.errors import RihlaError

if TYPE_CHECKING:
    from sinks.clickhouse.asking import Statement
    from sinks.clickhouse.named import NamedQuery

FOR_PEOPLE = "PrettyCompactMonoBlock"
_CHUNK = 1 << 20
_SETTINGS = {"output_format_pretty_max_rows": 100_000, "output_format_pretty_row_numbers": 0}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def _assignments(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    wrong = [value for value in values if "=" not in value]
    if wrong:
        raise click.BadParameter(f"{wrong[0]!r} is not NAME=VALUE")
    return dict(value.split("=", 1) for value in values)


def _zone(ctx: click.Context, parameter: click.Parameter, value: str) -> str:
    from streams.model.zones import names

    if value not in names():
        raise click.BadParameter(f"{value!r} is no time zone of the IANA database, like Asia/Riyadh")
    return value


@click.command(epilog="Exit status: 0; 1 if ClickHouse refuses the query or does not answer; 2 for wrong usage.")
@click.argument("sql_or_name", required=False, shell_complete=query_explain.complete_name)
@options.data
@options.server
@click.option(
    "--user",
    default="reader",
    metavar="ROLE",
    help="As whom to ask the data folder's database: the reader can change nothing; the owner can write tables; what "
    "analyst, operations, engineer and manager_NAME see is in docs/security.md.",
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
    shell_complete=query_explain.complete_parameter,
    help="A parameter of the query, {NAME:Type} in SQL; may be repeated.",
)
@click.option(
    "--where",
    "where",
    multiple=True,
    metavar="CONDITION",
    shell_complete=query_explain.complete_where,
    help="Named queries: only what fits: country=SA, unit!=A,B, nights>=7, segment=NAME, attributes.NAME=VALUE. All "
    "that are given must hold; several values of one: any of them.",
)
@click.option(
    "--min-sample",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Named queries: figures that rest on fewer are left empty; how many they were stays.",
)
@click.option(
    "--compare",
    default="",
    metavar="WITH",
    help="nps, csat, ces, aspects, journey_map: each row beside that of the same length before (previous), a year "
    "before (year) or of others (where:country=SA), with the difference, its interval and whether it is significant.",
)
@click.option(
    "--people",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_assignments,
    help="nps, csat, ces, aspects: the customers behind a row, by its columns (segment=MAKKAH-01) or answers (high=6). "
    "Analysts see pseudonyms.",
)
@click.option(
    "--timezone",
    envvar="RIHLA_TIMEZONE",
    show_envvar=True,
    default="UTC",
    metavar="ZONE",
    callback=_zone,
    help="Named queries: the clock of events whose unit and brand have none, an IANA time zone.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    metavar="FILE",
    help="Write the answer to this file, once it is whole. Without --format, .parquet, .csv, .jsonl, .arrow and .xlsx "
    "(Excel) say it.",
)
@click.option(
    "--plot",
    is_flag=False,
    flag_value=query_plot.TERMINAL,
    default=None,
    metavar="[FILE]",
    help="Named queries: draw the answer, in the terminal or to FILE.png or FILE.svg.",
)
@click.option("--list", "list_names", is_flag=True, help="List the named queries.")
@click.option(
    "--explain",
    is_flag=True,
    help="Print the SQL with its parameters filled in, behind its definition, and do not run it: for any other client.",
)
def query(
    sql_or_name: str | None,
    data: Path,
    clickhouse: str | None,
    user: str,
    database: str,
    output_format: str,
    parameters: dict[str, str],
    where: tuple[str, ...],
    min_sample: int,
    compare: str,
    people: dict[str, str],
    timezone: str,
    out: Path | None,
    plot: str | None,
    list_names: bool,
    explain: bool,
) -> None:
    """Ask the tables: SQL_OR_NAME is any SQL, or the name of a query that comes with Rihla (--list; with a name, all
    about that one).

    Works on the data folder whether or not a pipeline runs on it, and can change nothing there: writing takes
    --user owner.

    \b
      rihla query nps
      rihla query nps --param by=month --plot
      rihla query nps --param by=unit,channel --where country=SA --min-sample 30
      rihla query csat --param since=2026-05-01 --param until=2026-06-01 --compare previous
      rihla query "SELECT status, count() FROM journeys GROUP BY status"
      rihla query "SELECT * FROM customers" --format Parquet > customers.parquet
    """
    if list_names:
        _describe(sql_or_name) if sql_or_name else _list()
        return
    if not sql_or_name:
        raise click.UsageError("name a query or give SQL; --list lists the named queries")
    if _NAME.fullmatch(sql_or_name):
        asked = _question(sql_or_name, parameters, timezone, where, min_sample, compare, people)
        sql, values = asked.sql, dict(asked.parameters)
    elif where or min_sample or compare or people:
        raise click.UsageError(
            "--where, --min-sample, --compare and --people are for named queries; SQL has its own WHERE"
        )
    else:
        sql, values = sql_or_name, parameters
    if people and clickhouse is None and user.startswith("manager_"):
        raise click.UsageError(f"{user} sees no list of customers; their own interactions: SELECT * FROM interactions")
    if explain:
        click.echo(_asked(sql_or_name, sql, values))
        return
    if plot is not None:
        by = parameters.get("by", "")
        path, suited = query_plot.target(plot), query_plot.suited(sql_or_name, by)
        with _client(data, clickhouse, user, database) as client, _refusals():
            answer = client.query(sql, parameters=values)
        said = ", ".join([*(f"{name} {value}" for name, value in parameters.items()), *where, *filter(None, [compare])])
        shown = query_plot.fitting(suited, answer.column_names, by)
        query_plot.draw(query_plot.picture(_named(sql_or_name).title, shown, answer.named_results(), said), path)
        return
    if out is not None and out.suffix.lower() == query_out.EXCEL and output_format == FOR_PEOPLE:
        with _client(data, clickhouse, user, database) as client, _refusals():
            query_out.excel(client, sql, values, out, _asked(sql_or_name, sql, values))
        return
    if out is not None:
        output_format = query_out.format_for(out) if output_format == FOR_PEOPLE else output_format
        with _client(data, clickhouse, user, database) as client, query_out.whole_file(out) as write:
            _copy(client, sql, values, output_format, write)
        return
    with _client(data, clickhouse, user, database) as client:
        _ask(client, sql, values, output_format)
        if output_format == FOR_PEOPLE and not people and (basis := _basis_of(sql_or_name, values)):
            rest = _question(sql_or_name, {**parameters, "by": basis}, timezone, where, 0, "", {})
            click.echo("What that rests on (docs/units.md):", err=True)
            click.echo(_answer(client, rest.sql, dict(rest.parameters)), nl=False, err=True)


def _basis_of(name: str, parameters: dict[str, str]) -> str | None:
    """What the answer of a named query that is grouped by units or agents can be grouped by to show its coverage."""
    from sinks.clickhouse import named
    from sinks.clickhouse.segments import basis_of

    found = named.load().get(name)
    basis = basis_of(parameters.get("by", ""))
    grouped = found is not None and any(one.name == "by" and basis and basis in one.doc for one in found.parameters)
    return basis if grouped else None


def _list() -> None:
    from rich.console import Console
    from rich.table import Table

    from sinks.clickhouse import named

    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("name", "parameters", "what it answers"):
        table.add_column(column, overflow="fold")
    for name, found in named.load().items():
        table.add_row(name, ", ".join(parameter.name for parameter in found.parameters), found.title)
    Console(highlight=False).print(table)
    click.echo("\nAll about one: rihla query NAME --list")


def _describe(name: str) -> None:
    """What a named query answers, its columns and its parameters."""
    found = _named(name)
    click.echo(f"{found.title}\n\n{found.doc}\n\nColumns:")
    for column, about in found.columns:
        click.echo(f"  {column:<24} {about}")
    click.echo(f"\n{query_plot.said(name)}")
    if found.parameters:
        click.echo("\nParameters (--param NAME=VALUE):")
    for parameter in found.parameters:
        click.echo(f"  {parameter.name:<24} {parameter.doc} [{parameter.type}, default {parameter.default!r}]")


def _asked(sql_or_name: str, sql: str, values: dict[str, str]) -> str:
    """What was asked, as --explain prints it."""
    from sinks.clickhouse import named

    try:
        return query_explain.explain(named.load().get(sql_or_name), sql, values)
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _named(name: str) -> NamedQuery:
    from sinks.clickhouse import named

    known = named.load()
    if name not in known:
        raise RihlaError(f"there is no query named {name!r}", f"there are: {', '.join(known)}; or give SQL")
    return known[name]


def _question(
    name: str,
    parameters: dict[str, str],
    timezone: str,
    where: tuple[str, ...],
    min_sample: int,
    compare: str,
    people: dict[str, str],
) -> Statement:
    """The SQL of a named query and the values of its parameters, with defaults for those that are not given."""
    from sinks.clickhouse.asking import Question, QuestionError

    found = _named(name)
    if name == "customer" and "id" in parameters:
        from streams.model.normal import normal_identifier

        parameters = parameters | {"id": normal_identifier(parameters["id"])}
    if any(parameter.name == "elsewhere" for parameter in found.parameters):
        parameters = {"elsewhere": timezone, **parameters}
    try:
        return Question(name, parameters, where, min_sample, compare, people).statement()
    except QuestionError as error:
        raise click.UsageError(str(error)) from error


@contextmanager
def _client(data: Path, clickhouse: str | None, user: str, database: str) -> Iterator[Any]:
    """A clickhouse-connect client, on the server named or on the folder's database."""
    from contextlib import closing

    from sinks.clickhouse.client import connect

    if clickhouse is not None:
        from streams.settings import Settings

        chosen = Settings.from_env(clickhouse=clickhouse, database=database)
        with closing(connect(chosen.clickhouse_endpoint, database)) as client:
            yield client
        return
    from streams.embedded.clickhouse.access import roles_of
    from streams.embedded.datadir import DataDirectory
    from streams.embedded.keys import managers_of
    from streams.embedded.reach import database_url

    directory = DataDirectory(data)
    known = roles_of(database, managers_of(directory.keys))
    if user not in known:
        raise click.UsageError(f"there is no role {user!r} here; there are: {', '.join(known)}")
    shown = f"{database}_analyst" if user in ("analyst", "engineer") else database
    shown = f"{database}_{user}" if user.startswith("manager_") else shown
    with database_url(directory, "query", known[user], database) as url, closing(connect(url, shown)) as client:
        yield client


def _ask(client: Any, sql: str, parameters: dict[str, str], output_format: str) -> None:
    out = click.get_binary_stream("stdout")
    written = _copy(client, sql, parameters, output_format, out.write)
    out.flush()
    if not written and output_format == FOR_PEOPLE:
        click.echo("no rows", err=True)


def _copy(client: Any, sql: str, parameters: dict[str, str], output_format: str, write: Callable[[bytes], int]) -> int:
    """Write an answer as it comes, and return how many bytes it had."""
    with _refusals(), client.raw_stream(sql, parameters or None, _SETTINGS, fmt=output_format) as answer:
        written = 0
        while block := answer.read(_CHUNK):
            written += write(block)
    return written


@contextmanager
def _refusals() -> Iterator[None]:
    """ClickHouse's errors as RihlaError, with what to do."""
    from clickhouse_connect.driver.exceptions import ClickHouseError

    try:
        yield
    except ClickHouseError as error:
        reason = _reason(str(error))
        denied = "reader" in reason and "(ACCESS_DENIED)" in reason
        raise RihlaError(reason, "to write tables, say so: --user owner" if denied else None) from error


def _answer(client: Any, sql: str, parameters: dict[str, str]) -> bytes:
    """A small answer, for people."""
    answer: bytes = client.raw_query(sql, parameters, _SETTINGS, fmt=FOR_PEOPLE)
    return answer


def _reason(message: str) -> str:
    """ClickHouse's own words, without the client's around them."""
    found = re.search(r"Code: \d+\. DB::Exception: .*?(?= \(for url |$)", message, re.DOTALL)
    return (found[0] if found else message).strip()
