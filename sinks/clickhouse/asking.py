"""Questions: a named query with conditions, several dimensions, a least sample, or a comparison.

The command line, the desk and notebooks make their SQL here; nothing is sent. For example, with clickhouse-connect:

    asked = Question("nps", {"by": "unit,channel"}, where=("country=SA",), min_sample=30).statement()
    client.query_df(asked.sql, parameters=asked.parameters)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from difflib import get_close_matches

from sinks.clickhouse import comparison, conditions
from sinks.clickhouse.conditions import Condition, ConditionError
from sinks.clickhouse.named import NamedQuery, load
from sinks.clickhouse.quoting import identifier
from sinks.clickhouse.segments import MANY

OTHER = "other_"
"""Begins the names of the parameters of a comparison's other side."""

STEPS = frozenset(("steps", "order", "within_days", "exclude", "per"))
"""Parameters with which `funnel` is that of chosen steps."""
WHOLE = ("funnel_steps", "retention", "attribution")
"""Queries that cannot count an interaction for each of several values."""
BEHIND: Mapping[str, Mapping[str, str]] = {
    **{name: {"instrument": name} for name in ("nps", "csat", "ces")},
    "aspects": {},
}
"""Queries whose rows can be asked for their people, and what that says to the query `people`."""
PEOPLE = ("aspect", "low", "high", "mood", "limit")
"""Parameters of `people` that a row, or who asks, may name."""


class QuestionError(ValueError):
    """A question that cannot be asked; the message says what would do."""


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with parameters, {NAME:TYPE} in it. query: the named query that it is of."""

    sql: str
    parameters: Mapping[str, str]
    query: NamedQuery


@dataclass(frozen=True, slots=True)
class Question:
    """A named query, asked for a part of what happened.

    Args:
        name: of the query. parameters: those that are given; `by` may name several dimensions, parted by commas, each
            of which is then a column of its own name in the place of `segment`.
        where: conditions, as sinks.clickhouse.conditions reads them; all must hold.
        min_sample: least sample with which figures are shown; else they are null, and the sample stays.
        compare: with what each row is compared: `previous`, the period of the same length before; `year`, the same
            period a year before; or `where:CONDITION`, the same with this condition in the place of those on its
            dimension. See sinks.clickhouse.comparison.
        people: who is behind a row, by its columns (`segment`, dimensions, `aspect`) or by answers (`low`,
            `high`); the query `people` is then asked.
    """

    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    where: Sequence[str | Condition] = ()
    min_sample: int = 0
    compare: str = ""
    people: Mapping[str, str] = field(default_factory=dict)

    @property
    def query(self) -> NamedQuery:
        """The query that is asked. Raises QuestionError for a name that there is not."""
        if self.name not in load():
            near = get_close_matches(self.name, load(), 3, 0.5)
            meant = f"; did you mean {' or '.join(near)}?" if near else ""
            raise QuestionError(f"there is no query named {self.name!r}{meant}")
        return load()[self.name]

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The conditions, read. Raises QuestionError."""
        try:
            return tuple(conditions.parse(one) if isinstance(one, str) else one for one in self.where)
        except ConditionError as error:
            raise QuestionError(str(error)) from error

    def statement(self) -> Statement:
        """What to ask. Raises QuestionError."""
        if self.people:
            return self.behind().statement()
        if self.name == "funnel" and STEPS.intersection(self.parameters):
            return replace(self, name="funnel_steps").statement()
        if self.compare:
            return self._compared()
        sql, parameters = self._inner("where")
        shown = self._shown(sql)
        return Statement(shown, parameters | self._least(shown), self.query)

    def behind(self) -> Question:
        """The question who is behind a row. Raises QuestionError."""
        if self.name not in BEHIND:
            raise QuestionError(
                f"the people behind {self.name} are not kept apart; those behind these are: {', '.join(BEHIND)}"
            )
        shown = {parameter.name for parameter in load()["people"].parameters}
        given = {name: value for name, value in self.parameters.items() if name in shown}
        where = list(self.conditions)
        for name, value in self.people.items():
            by = self.parameters.get("by", "all")
            if name == "segment" and "," in by:
                raise QuestionError(
                    f"a row by several dimensions is named by each: {', '.join(f'{one}=' for one in by.split(','))}"
                )
            name = by if name == "segment" else name
            if name in PEOPLE:
                given[name] = value
            elif name != "all":
                try:
                    where.append(Condition(name, "=", (value,)))
                except ConditionError as error:
                    raise QuestionError(str(error)) from error
        return Question("people", {**given, **BEHIND[self.name]}, where)

    def dimensions(self) -> tuple[str, ...]:
        """What it is grouped by where that is several dimensions, else none."""
        by = self.parameters.get("by", "")
        return tuple(by.split(",")) if "," in by else ()

    def _inner(self, prefix: str) -> tuple[str, dict[str, str]]:
        """The text of the query and its parameters; those of conditions begin with the prefix."""
        query = self.query
        try:
            values = query.bind(self.parameters)
        except ValueError as error:
            raise QuestionError(str(error)) from error
        if "by" in self.parameters and query.has("{segment}"):
            self._check_by(values["by"])
            if self.name in WHOLE and (many := MANY.keys() & set(values["by"].split(","))):
                raise QuestionError(f"{self.name} counts each event once, and an event can have several of {min(many)}")
        elif self.dimensions():
            raise QuestionError(f"{self.name} cannot be grouped by several dimensions; {_others('{segment}')}")
        if self.where and not query.has("{fits}"):
            raise QuestionError(f"{self.name} takes no conditions; {_others('{fits}')}")
        fitting, given = conditions.fits(self.conditions, prefix)
        return query.text(values, fitting, compared=bool(self.compare)), values | given

    def _compared(self) -> Statement:
        query = self.query
        if query.compared is None:
            raise QuestionError(f"{self.name} cannot be compared; {_comparable()}")
        figure, keys = query.compared
        sql, parameters = self._inner("where")
        other, given = self._other()._inner("where")
        sides = comparison.side_by_side(
            sql,
            comparison.renamed(other, given, OTHER),
            keys,
            figure,
            next(sample for sample, resting in query.samples.items() if figure in resting),
            "{min_sample:UInt64}" if self.min_sample > 0 else None,
        )
        if dimensions := self.dimensions():
            sides = f"SELECT {', '.join(_split(dimensions, set(keys)))}, * EXCEPT (segment)\nFROM\n(\n{sides}\n) AS q"
        both = parameters | {f"{OTHER}{name}": value for name, value in given.items()}
        return Statement(sides, both | self._least(sides), query)

    def _other(self) -> Question:
        """The other side of the comparison."""
        word, _, written = self.compare.partition(":")
        if word == "where" and written:
            try:
                condition = conditions.parse(written)
            except ConditionError as error:
                raise QuestionError(str(error)) from error
            kept = tuple(one for one in self.conditions if one.name != condition.name)
            return replace(self, where=(*kept, condition))
        if self.compare not in ("previous", "year"):
            raise QuestionError(f"compare with previous, year or where:CONDITION, not {self.compare!r}")
        since, until = (self._moment(name) for name in ("since", "until"))
        before = since - (until - since) if self.compare == "previous" else _year_before(since)
        end = since if self.compare == "previous" else _year_before(until)
        span = {"since": f"{before:%Y-%m-%d %H:%M:%S.%f}"[:-3], "until": f"{end:%Y-%m-%d %H:%M:%S.%f}"[:-3]}
        return replace(self, parameters={**self.parameters, **span})

    def _moment(self, name: str) -> datetime:
        try:
            return datetime.fromisoformat(self.parameters[name])
        except (KeyError, ValueError):
            raise QuestionError(
                f"which period is compared? Say its beginning and end (UTC): since and until, like 2026-05-01; {name} "
                + ("is not given" if name not in self.parameters else f"is {self.parameters[name]!r}")
            ) from None

    def _check_by(self, by: str) -> None:
        try:
            conditions.check_by(by)
        except ConditionError as error:
            raise QuestionError(str(error)) from error

    def _shown(self, sql: str) -> str:
        """The text around that of the query which names dimensions and holds back what rests on too little."""
        query, dimensions = self.query, self.dimensions()
        if self.min_sample > 0 and not query.samples:
            raise QuestionError(f"{self.name} has no sample that could be too small; {_sampled()}")
        held = {column: sample for sample, columns in query.samples.items() for column in columns}
        if not dimensions and not (self.min_sample > 0 and held):
            return sql
        columns = []
        taken = {name for name, _ in query.columns}
        for name, _ in query.columns:
            if name == "segment" and dimensions:
                columns += _split(dimensions, taken)
            elif self.min_sample > 0 and name in held:
                value = f"if(q.{identifier(held[name])} < {{min_sample:UInt64}}, NULL, q.{identifier(name)})"
                columns.append(f"{value} AS {identifier(name)}")
            else:
                columns.append(f"q.{identifier(name)} AS {identifier(name)}")
        listed = ",\n    ".join(columns)
        return f"SELECT\n    {listed}\nFROM\n(\n{sql}\n) AS q"

    def _least(self, sql: str) -> dict[str, str]:
        return {"min_sample": str(self.min_sample)} if "{min_sample:" in sql else {}


def called(dimension: str, taken: Collection[str]) -> str:
    """The column of a dimension: its name, or by_NAME where the query has a column of that name."""
    return f"by_{dimension}" if dimension in taken else dimension


def _split(dimensions: Sequence[str], taken: Collection[str]) -> list[str]:
    return [
        f"splitByChar(char(31), q.segment)[{at}] AS {identifier(called(one, taken))}"
        for at, one in enumerate(dimensions, 1)
    ]


def _year_before(at: datetime) -> datetime:
    """The same day a year before; of 29 February, the 28th."""
    try:
        return at.replace(year=at.year - 1)
    except ValueError:
        return at.replace(year=at.year - 1, day=28)


def _comparable() -> str:
    return "these can: " + ", ".join(name for name, query in load().items() if query.compared)


def _others(placeholder: str) -> str:
    return "these do: " + ", ".join(name for name, query in load().items() if query.has(placeholder))


def _sampled() -> str:
    return "these have: " + ", ".join(name for name, query in load().items() if query.samples)
