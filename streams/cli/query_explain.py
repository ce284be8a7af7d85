"""What `rihla query --explain` prints, and what a shell completes of its arguments. Nothing here asks a database."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from sinks.clickhouse.named import NamedQuery, Parameter

_TOKEN = re.compile(
    r"""'(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.)*" | `(?:[^`\\]|\\.)*` | --[^\n]* | /\*.*?\*/
    | \{\s*(?P<name>\w+)\s*:\s*(?P<type>[^{}]+?)\s*\}""",
    re.VERBOSE | re.DOTALL,
)
"""What may hold braces without being a parameter, and a parameter."""
_NUMBER = re.compile(r"U?Int\d+|Float\d+")
_PLAIN_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_CHOICE = re.compile(r"[\w-]+")


def fill(sql: str, values: Mapping[str, str]) -> str:
    """SQL with the values of its parameters in the place of {NAME:TYPE}, as ClickHouse would take them.

    Raises ValueError for a parameter without a value.
    """

    def value(match: re.Match[str]) -> str:
        name, kind = match["name"], match["type"]
        if name is None:
            return match[0]
        if name not in values:
            raise ValueError(f"the parameter {name} has no value; give it: --param {name}=VALUE")
        if kind == "String":
            return _literal(values[name])
        if kind == "Identifier":
            from sinks.clickhouse.quoting import identifier

            return identifier(values[name])
        if _NUMBER.fullmatch(kind) and _PLAIN_NUMBER.fullmatch(values[name]):
            return f"CAST({values[name]}, {_literal(kind)})"  # or what is computed with it has another type
        return f"CAST({_literal(values[name])}, {_literal(kind)})"

    return _TOKEN.sub(value, sql)


def _literal(text: str) -> str:
    """A string in SQL, its quotes doubled: clients that look for comments know no backslash in front of one."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def explain(found: NamedQuery | None, sql: str, values: Mapping[str, str]) -> str:
    """SQL that any client can run, behind its definition as comments. found: the named query that it is of.

    Raises ValueError for a parameter without a value.
    """
    lines = list(_definition(found, values)) if found else []
    return "\n".join([*(f"-- {_quoteless(line)}".rstrip() for line in lines), fill(sql, values).strip()])


def _definition(found: NamedQuery, values: Mapping[str, str]) -> Iterator[str]:
    yield from (found.title, "", *found.doc.splitlines(), "", "Columns:")
    yield from (f"  {column:<24} {about}" for column, about in found.columns)
    if found.parameters:
        yield from ("", "Parameters, with the values below:")
        yield from (f"  {one.name + '=' + _line(values[one.name]):<24} {one.doc}" for one in found.parameters)
    declared = {one.name for one in found.parameters}
    yield from (f"  {name}={_line(value)}" for name, value in values.items() if name not in declared)
    yield ""


def _quoteless(line: str) -> str:
    """A comment without quotes: clickhouse-connect would take what follows one for a string, statement and all."""
    return line.replace("'", "\u2019").replace('"', "\u201d").replace("`", "")


def _line(value: str) -> str:
    """A value that cannot end a comment."""
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")


def complete_name(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The named queries that begin so."""
    from sinks.clickhouse import named

    return [CompletionItem(name, help=one.title) for name, one in named.load().items() if name.startswith(incomplete)]


def complete_parameter(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """NAME= of the parameters of the query before, and NAME=VALUE where the values are told one by one."""
    from sinks.clickhouse import named

    # Where the option stands last, click has stopped before it knew what the other words are for.
    found = named.load().get(ctx.params.get("sql_or_name") or next(iter(ctx.args), ""))
    name, given, _ = incomplete.partition("=")
    offered = []
    for one in found.parameters if found else ():
        if given and one.name == name:
            offered += [CompletionItem(f"{name}={choice}") for choice in _choices(one)]
        elif not given and one.name.startswith(name):
            offered.append(CompletionItem(f"{one.name}=", help=one.doc))
    return [item for item in offered if item.value.startswith(incomplete)]


def complete_where(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """NAME= of what conditions can test."""
    from sinks.clickhouse.conditions import NUMBERS
    from sinks.clickhouse.segments import SEGMENTS

    offered = [*(f"{name}=" for name in SEGMENTS), *(f"{name}>=" for name in NUMBERS)]
    return [CompletionItem(one) for one in offered if one.startswith(incomplete)]


def _choices(parameter: Parameter) -> list[str]:
    """The words that the documentation of a parameter lists behind its colon."""
    words = parameter.doc.partition(": ")[2].split(", ")
    return words if len(words) > 1 and all(_CHOICE.fullmatch(word) for word in words) else []
