"""Conditions on interactions as people write them: `country=SA`, `unit!=MAKKAH-01`, `wait_seconds>=600`.

What can be tested is what interactions can be grouped by (sinks.clickhouse.segments), any attribute of events
(attributes.NAME), and numbers of the interaction. Values go to ClickHouse as parameters, never into the text.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from sinks.clickhouse.segments import ATTRIBUTE, MANY, SEGMENTS, Fit, expression, is_segment

NUMBERS: Mapping[str, str] = {
    "answer": "i.survey.score",
    **{
        name: f"i.{name}" for name in ("score", "party_size", "nights", "lead_days", "waiting_days", "special_requests")
    },
    **{name: f"i.{name}" for name in ("wait_seconds", "delay_minutes", "reach")},
}
"""Numbers of an interaction, each with its expression: null where it has none, which fits no condition but `!=`."""
ORDERED = ("day", "week", "month", "year", "weekday", "hour", "hijri_month", "hijri_day", "hijri_day_from_sunset")
"""Segments whose values, as texts, are in order."""
_WRITTEN = re.compile(r"\s*([\w.-]+)\s*(!=|>=|<=|=|>|<)(.*)", re.DOTALL | re.ASCII)
_COMMA = re.compile(r"(?<!\\),")


class ConditionError(ValueError):
    """A condition or a dimension that cannot be asked; the message says what would do."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A test of an interaction. name: a segment, attributes.NAME or one of NUMBERS. operator: =, !=, >=, <=, > or <.
    values: = holds for any of them, != for none of them; the others have one."""

    name: str
    operator: str
    values: tuple[str, ...]

    def __post_init__(self) -> None:
        check_name(self.name, (*SEGMENTS, *NUMBERS))
        if self.operator not in ("=", "!=") and self.name not in (*NUMBERS, *ORDERED):
            raise ConditionError(f"{self.name} has no order: test it with = or !=")
        if not self.values or (self.operator not in ("=", "!=") and len(self.values) > 1):
            raise ConditionError(f"{self.name}{self.operator} takes one value")
        if self.name in NUMBERS and (wrong := [value for value in self.values if not _is_number(value)]):
            raise ConditionError(f"{self.name} is a number, and {wrong[0]!r} is none")

    def __str__(self) -> str:
        return f"{self.name}{self.operator}{','.join(value.replace(',', chr(92) + ',') for value in self.values)}"

    def fit(self, prefix: str) -> tuple[Fit, dict[str, str]]:
        """The condition for a query (NamedQuery.text), and the parameters that it takes, by names with this prefix."""
        parameters = {f"{prefix}_{at}": value for at, value in enumerate(self.values, 1)}
        kind = "Float64" if self.name in NUMBERS else "String"
        asked = ", ".join(f"{{{name}:{kind}}}" for name in parameters)
        if self.name in MANY:
            has = f"hasAny(if(empty({MANY[self.name]}), [''], {MANY[self.name]}), [{asked}])"
            sql = has if self.operator == "=" else f"NOT {has}"
        elif self.operator in ("=", "!="):
            value = NUMBERS.get(self.name) or expression(self.name)
            sql = f"ifNull({value} IN ({asked}), 0)" if self.name in NUMBERS else f"{value} IN ({asked})"
            sql = sql if self.operator == "=" else f"NOT {sql}"
        elif self.name in NUMBERS:
            sql = f"ifNull({NUMBERS[self.name]} {self.operator} {asked}, 0)"
        else:
            value = expression(self.name)
            sql = f"({value} != '' AND {value} {self.operator} {asked})"
        return Fit(self.name if self.name in SEGMENTS else "", sql), parameters


def parse(written: str) -> Condition:
    """A condition as people write it; commas part several values, `\\,` is a comma in one. Raises ConditionError."""
    match = _WRITTEN.fullmatch(written)
    if match is None:
        raise ConditionError(f"{written!r} is no condition like country=SA, unit!=MAKKAH-01 or nights>=7")
    name, operator, rest = match.groups()
    values = tuple(value.replace("\\,", ",") for value in _COMMA.split(rest))
    return Condition(name, operator, values)


def joined(conditions: Iterable[Condition]) -> tuple[Condition, ...]:
    """The same conditions, those that one segment equals something put together: it must be one of all the values."""
    kept: dict[object, Condition] = {}
    for at, one in enumerate(conditions):
        key = one.name if one.operator == "=" else at
        before = kept.get(key)
        kept[key] = one if before is None else Condition(one.name, "=", (*before.values, *one.values))
    return tuple(kept.values())


def fits(conditions: Sequence[Condition], prefix: str = "where") -> tuple[tuple[Fit, ...], dict[str, str]]:
    """The conditions for a query, and their parameters; all must hold."""
    found = [one.fit(f"{prefix}_{at}") for at, one in enumerate(joined(conditions), 1)]
    return tuple(fit for fit, _ in found), {name: value for _, given in found for name, value in given.items()}


def check_name(name: str, known: Collection[str]) -> None:
    """Raises ConditionError for a name that is none of these and no attribute, with those that are like it."""
    if name in known or ATTRIBUTE.fullmatch(name):
        return
    near = get_close_matches(name, known, 3, 0.5)
    meant = f"; did you mean {' or '.join(near)}?" if near else "."
    raise ConditionError(f"there is no dimension {name!r}{meant} There are: {', '.join(known)}, attributes.NAME")


def check_by(by: str) -> None:
    """Raises ConditionError for dimensions, parted by commas, that interactions cannot be grouped by together."""
    names = by.split(",")
    for name in names:
        check_name(name, tuple(SEGMENTS))
    if len(set(names)) < len(names):
        raise ConditionError(f"by={by} names a dimension twice")
    if "hijri_day_from_sunset" in names and (other := {"season", "hijri_month", "hijri_day"}.intersection(names)):
        raise ConditionError(f"hijri_day_from_sunset is of another calendar day than {', '.join(sorted(other))}")
    assert all(is_segment(name) for name in names)


def _is_number(value: str) -> bool:
    return re.fullmatch(r"-?\d{1,15}(\.\d{1,9})?", value.strip(), re.ASCII) is not None
