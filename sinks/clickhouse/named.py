"""The named queries: common questions, kept as SQL files that begin with their documentation.

A file begins with comment lines: a title; an empty one; what it answers; then, each behind its own heading,

    -- columns:
    --   NAME   What it holds
    -- parameters:
    --   NAME TYPE = DEFAULT   What it does

and, where figures rest on a sample, `-- samples:` before the parameters: the column that counts it, and those that are
worth nothing where it is too small; then `-- compared:` (sinks.clickhouse.comparison). Two blanks or more end a name or
default; a line without a name goes on with the one before. Parameters are ClickHouse's own, {NAME:TYPE} in the text,
and go to the server beside the query, never into it. What can be grouped by is the same for all: see
sinks.clickhouse.segments; what is a survey, too: see sinks.clickhouse.surveys; which touchpoints are known: see
sinks.clickhouse.touchpoints; which answers count: see sinks.clickhouse.answers; which cancellations undo no trip: see
sinks.clickhouse.held; whose doing it was: see sinks.clickhouse.attribution; and times of prayer: see
sinks.clickhouse.prayers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from sinks.clickhouse import answers, attribution, comparison, held, prayers, segments, surveys, touchpoints

_PARAMETER = re.compile(r"(\w+) ([\w(),']+) =(.*)")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a query: its ClickHouse type, the value that it has unless given, and what it does."""

    name: str
    type: str
    default: str
    doc: str


@dataclass(frozen=True, slots=True)
class NamedQuery:
    """A query, its title, what it answers, its columns (name, what it holds), its parameters, and the SQL text.

    Tables in the text are named without a database: that of the connection counts.
    """

    name: str
    title: str
    doc: str
    columns: tuple[tuple[str, str], ...]
    parameters: tuple[Parameter, ...]
    sql: str
    samples: Mapping[str, tuple[str, ...]]
    """For each column that counts a sample, those that rest on it."""
    compared: tuple[str, tuple[str, ...]] | None
    """The figure that can be compared, and the columns by which rows are known (sinks.clickhouse.comparison)."""
    template: str = field(repr=False)
    """The text before sinks.clickhouse.segments has filled it in."""

    def has(self, placeholder: str) -> bool:
        """Whether the text holds a placeholder of sinks.clickhouse.segments, like {fits}."""
        return placeholder in answers.fill_cells(self.template)

    def text(self, values: Mapping[str, str], where: Sequence[segments.Fit] = (), compared: bool = False) -> str:
        """The text to ask with these values of all parameters (`bind`): like `sql`, without what they do not ask for.

        It takes the same parameters and gives the same answer, sooner. Who fills in parameters later takes `sql`.
        where: further conditions, if the query can be filtered. compared: with the columns that a comparison needs.
        """
        text = comparison.fill(answers.fill_cells(self.template, values), compared)
        return segments.fill_for(text, values, where)

    def bind(self, given: Mapping[str, str] | None = None) -> dict[str, str]:
        """Values of all parameters, defaults where none is given. Raises ValueError for one that the query does not
        have.
        """
        known = {parameter.name: parameter.default for parameter in self.parameters}
        unknown = sorted(set(given or {}) - known.keys())
        if unknown:
            has = ", ".join(known) or "none"
            raise ValueError(f"query {self.name} has no parameter {', '.join(unknown)}; it has: {has}")
        return {**known, **(given or {})}


@cache
def load() -> Mapping[str, NamedQuery]:
    """All named queries, by name, in order of their names."""
    texts = sorted(
        (entry.name.removesuffix(".sql"), entry.read_text("utf-8"))
        for entry in files("sinks.clickhouse.queries").iterdir()
        if entry.name.endswith(".sql")
    )
    return {name: parse(name, text) for name, text in texts}


def parse(name: str, text: str) -> NamedQuery:
    """A query from the text of its file. Raises ValueError when the comment in front is not as it must be."""
    template = text
    for fill in (answers.fill, attribution.fill, prayers.fill_in, held.fill, surveys.fill, touchpoints.fill):
        template = fill(template)
    lines = segments.fill(comparison.fill(answers.fill_cells(template))).splitlines()
    length = next((at for at, line in enumerate(lines) if not line.startswith("--")), len(lines))
    header = [line[2:] for line in lines[:length]]
    sections: dict[str, list[str]] = {"doc": [], "columns": [], "samples": [], "compared": [], "parameters": []}
    section = "doc"
    for line in header:
        if line.strip() in ("columns:", "samples:", "compared:", "parameters:"):
            section = line.strip()[:-1]
        else:
            sections[section].append(line)
    title, *doc = "\n".join(line.strip() for line in sections["doc"]).strip().split("\n")
    if not title or not sections["columns"]:
        raise ValueError(f"query {name}: the comment in front needs a title and columns")
    parameters = []
    for declared, about in _entries(sections["parameters"]):
        match = _PARAMETER.fullmatch(declared)
        if match is None:
            raise ValueError(f"query {name}: not NAME TYPE = DEFAULT: {declared!r}")
        parameters.append(Parameter(match[1], match[2], match[3].strip(), about))
    columns = tuple(_entries(sections["columns"]))
    return NamedQuery(
        name,
        title,
        "\n".join(doc).strip(),
        columns,
        tuple(parameters),
        "\n".join(lines[length:]).strip(),
        {sample: tuple(resting.split(", ")) for sample, resting in _entries(sections["samples"])},
        next(((figure, tuple(keys.split(", "))) for figure, keys in _entries(sections["compared"])), None),
        "\n".join(line for line in template.splitlines() if not line.startswith("--")).strip(),
    )


def _entries(lines: list[str]) -> list[tuple[str, str]]:
    """(name, description) of each entry of a section; continued lines are joined."""
    entries: list[tuple[str, str]] = []
    for line in lines:
        front, _, about = line.strip().partition("  ")
        if line.startswith(" " * 6):  # indented further than a name
            name, known = entries.pop()
            entries.append((name, f"{known} {line.strip()}"))
        elif front:
            entries.append((front, about.strip()))
    return entries
