"""The rules of alerts: a TOML file, every key of which is checked when it is read. Pure except for `load`.

A rule names the events that it watches for, or a drop of sentiment, and the events that close and acknowledge its
alerts. Case roles and milestones are written for the touchpoints that have them in the catalogue.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from streams.alerts.conditions import CONDITION_KEYS, FieldTest, FieldTestError, tests_of
from streams.errors import RihlaError
from streams.model import company
from streams.model.aspects import Aspect, parents
from streams.model.brands import Brands
from streams.model.catalogue import Touchpoint
from streams.model.company import Model
from streams.model.durations import EXAMPLES, UNITS_MS, milliseconds
from streams.model.places import line_of
from streams.model.vocabulary import CASE_ROLES, INSTRUMENTS, MILESTONES, SEVERITIES
from streams.text.concerns import CONCERNS

SCOPES = ("customer", "journey", "case", "event")
PLACEHOLDERS = {
    "touchpoint": "stay.halal_breach",
    "unit": "a unit",
    "answer": 1.0,
    "score": -1.0,
    "before": 1.0,
    "reach": 1,
    "after": "1d",
}
"""Names that a reason may have in braces, each with a value for a trial."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


class RuleError(RihlaError):
    """The file of rules cannot be used; the message names the rule and the key, and says what is allowed."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What must be true of an event: every part that is not None."""

    touchpoints: frozenset[str] | None = None
    aspects: frozenset[str] | None = None
    """One of these is mentioned, with a score as low as given (the aspect's own, else the event's)."""
    instrument: str | None = None
    answer_at_most: float | None = None
    score_at_most: float | None = None
    reach_at_least: int | None = None
    concerns: frozenset[str] | None = None
    """The text raises one of these concerns (streams.text.concerns)."""
    unread: bool = False
    """There is a text in a language that the scorer does not understand."""
    in_case: bool = False
    """It names a case, or opens one."""
    tests: tuple[FieldTest, ...] = ()
    """Tests of other fields, attributes, money, unit and brand; each must hold."""


@dataclass(frozen=True, slots=True)
class Drop:
    """A fall of the 30-day score by at least `by`, to at most `to`, within a time in ms."""

    by: float
    to: float
    within: int
    recovered_at: float
    """The score at which the drop is over."""


@dataclass(frozen=True, slots=True)
class Answers:
    """Touchpoints that answer a signal: some only within the same case, others within the same journey or customer."""

    in_case: frozenset[str]
    anywhere: frozenset[str]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. Durations are in ms; `unit` None stands for the unit of the event."""

    name: str
    severity: str
    reason: str
    scope: str
    cooldown: int
    after: int
    max_age: int
    unit: str | None
    when: tuple[Condition, ...]
    drop: Drop | None
    close: Answers
    acknowledge: Answers

    @property
    def after_text(self) -> str:
        """The delay in the largest unit that divides it: "24h" is "1d"."""
        unit, size = next((u, s) for u, s in reversed(UNITS_MS.items()) if self.after % s == 0)
        return f"{self.after // size}{unit}"


def load(path: str | None = None) -> Mapping[str, Rule]:
    """The rules of a file by name, with the touchpoints that come with Rihla; None: its own. Raises RuleError."""
    if path is None:
        return of(company.built_in())
    try:
        text = Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RuleError(f"alert rules {path}: {error}", "see RIHLA_ALERT_RULES") from error
    return parse(text, path)


@cache
def of(model: Model) -> Mapping[str, Rule]:
    """The rules of a model by name. Raises RuleError at the first mistake."""
    source = _Source(model.rules_source, model.rules_text, model.touchpoints, model.brands, model.aspects)
    return {name: _Reader(source, name, table, name).rule(name) for name, table in model.rules.items()}


def parse(text: str, source: str) -> Mapping[str, Rule]:
    """Rules from the text of a file; source: its name, for messages. Raises RuleError at the first mistake."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RuleError(f"alert rules {source}: not TOML: {error}") from error
    own = company.built_in()
    read = _Source(source, text, own.touchpoints, own.brands)
    return {name: _Reader(read, name, table, name).rule(name) for name, table in tables.items()}


@dataclass(frozen=True, slots=True)
class _Source:
    """Where rules are read from, and what they may name."""

    name: str
    text: str
    touchpoints: Mapping[str, Touchpoint]
    brands: Brands
    aspects: tuple[Aspect, ...] = ()

    def with_roles(self, roles: Iterable[str]) -> set[str]:
        """The touchpoints that have one of these case roles."""
        wanted = {*roles}
        return {name for name, point in self.touchpoints.items() if point.case_role in wanted}


class _Reader:
    """Takes keys out of a table, each checked; what is left over at the end is a mistake."""

    def __init__(self, source: _Source, called: str, table: Any, rule: str, outer: str | None = None) -> None:
        """called: the name of the table in messages. rule, outer: the rule, and its key, that the table is in."""
        self.source, self._called, self._rule, self._outer = source, called, rule, outer
        if not isinstance(table, dict):
            raise RuleError(f"{self._where()}: is not a table")
        self.left = dict(table)

    def _where(self, key: str | None = None) -> str:
        line = line_of(self.source.text, (self._rule, self._outer or key))
        return f"alert rules {self.source.name}: line {line}: {self._called}"

    def fail(self, key: str, problem: str) -> RuleError:
        return RuleError(f"{self._where(key)}: {key} {problem}", "docs/alerts.md lists the keys of a rule")

    def end(self, allowed: str) -> None:
        if self.left:
            raise self.fail(", ".join(sorted(self.left)), f"is not a key here; there are {allowed}")

    def word(self, key: str, allowed: Iterable[str], default: str | None = None) -> str:
        value = self.left.pop(key, default)
        if value not in tuple(allowed):
            raise self.fail(key, f"must be one of {', '.join(allowed)}, not {value!r}")
        return str(value)

    def words(self, key: str, allowed: Iterable[str]) -> list[str] | None:
        if key not in self.left:
            return None
        values = self.left.pop(key)
        if not isinstance(values, list) or not values:
            raise self.fail(key, "must be a list that is not empty")
        known = set(allowed)
        for value in values:
            if value not in known:
                raise self.fail(key, f"has {value!r}, which the catalogue does not know")
        return values

    def flag(self, key: str) -> bool:
        value = self.left.pop(key, False)
        if not isinstance(value, bool):
            raise self.fail(key, f"must be true or false, not {value!r}")
        return value

    def number(self, key: str, low: float, high: float, required: bool = False) -> float | None:
        if key not in self.left and not required:
            return None
        value = self.left.pop(key, None)
        if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
            raise self.fail(key, f"must be a number from {low:g} to {high:g}, not {value!r}")
        return float(value)

    def duration(self, key: str, default: str) -> int:
        value = self.left.pop(key, default)
        length = milliseconds(value)
        if length is None:
            raise self.fail(key, f"must be a duration such as {EXAMPLES}, not {value!r}")
        return length

    def rule(self, name: str) -> Rule:
        if not _NAME.fullmatch(name):
            raise RuleError(f"{self._where()}: a rule's name is small letters, digits and _")
        severity = self.word("severity", SEVERITIES)
        scope = self.word("scope", SCOPES, "customer")
        cooldown, after = self.duration("cooldown", "1d"), self.duration("after", "0s")
        if cooldown == 0:
            raise self.fail("cooldown", "must not be zero")
        max_age, unit, reason = self.duration("max_age", "7d"), self.left.pop("unit", None), self.left.pop("reason", "")
        if unit is not None and not (isinstance(unit, str) and unit):
            raise self.fail("unit", "must be a name")
        try:
            if not (isinstance(reason, str) and reason.format(**PLACEHOLDERS)):
                raise self.fail("reason", "must be a sentence")
        except (KeyError, ValueError, IndexError, AttributeError) as error:
            raise self.fail("reason", f"has other placeholders than {', '.join(PLACEHOLDERS)}: {error}") from error
        drop = self._drop() if "drop" in self.left else None
        when = self._when()
        if bool(when) == (drop is not None):
            raise self.fail("when", "or drop must be given, and not both")
        close, acknowledge = self._answers("close"), self._answers("acknowledge")
        self.end("severity, reason, scope, cooldown, after, max_age, unit, when, drop, close, acknowledge")
        return Rule(name, severity, reason, scope, cooldown, after, max_age, unit, when, drop, close, acknowledge)

    def _inner(self, key: str, table: Any) -> _Reader:
        return _Reader(self.source, f"{self._called}: {key}", table, self._rule, key)

    def _drop(self) -> Drop:
        reader = self._inner("drop", self.left.pop("drop"))
        by, to = reader.number("by", 0, 2, required=True), reader.number("to", -1, 1, required=True)
        recovered, within = reader.number("recovered_at", -1, 1), reader.duration("within", "14d")
        reader.end("by, to, within, recovered_at")
        assert by is not None
        assert to is not None
        return Drop(by, to, within, max(to, 0.0) if recovered is None else recovered)

    def _when(self) -> tuple[Condition, ...]:
        tables = self.left.pop("when", [])
        if not isinstance(tables, list):
            raise self.fail("when", "must be a list of conditions")
        return tuple(self._inner("when", table)._condition() for table in tables)

    def _condition(self) -> Condition:
        points = self.source.touchpoints
        named = self.words("touchpoints", points)
        roles = self.words("case_roles", CASE_ROLES)
        if roles is not None:
            having = self.source.with_roles(roles)
            named = [*having] if named is None else [name for name in named if name in having]
        aspects = self.words("aspects", {*parents(self.source.aspects)})
        instrument = self.word("instrument", INSTRUMENTS) if "instrument" in self.left else None
        answer, score = self.number("answer_at_most", 0, 10), self.number("score_at_most", -1, 1)
        reach = self.number("reach_at_least", 0, 2**62)
        spoken = self.words("concerns", CONCERNS)
        unread, in_case = self.flag("unread"), self.flag("in_case")
        given = {key: self.left.pop(key) for key in CONDITION_KEYS if key in self.left}
        try:
            tests = tests_of(given, self.source.brands)
        except FieldTestError as error:
            raise self.fail(error.key, error.problem) from error
        self.end(
            "touchpoints, case_roles, aspects, instrument, answer_at_most, score_at_most, reach_at_least, concerns, "
            "unread, in_case, " + ", ".join(CONDITION_KEYS)
        )
        if answer is not None and instrument is None:
            raise self.fail("answer_at_most", "needs an instrument")
        nothing = all(one is None for one in (named, aspects, instrument, score, reach, spoken))
        if nothing and not unread and not in_case and not tests:
            raise RuleError(f"{self._where()}: a condition without a key would hold for every event")
        return Condition(
            None if named is None else frozenset(named),
            None if aspects is None else frozenset(aspects),
            instrument,
            answer,
            score,
            None if reach is None else int(reach),
            None if spoken is None else frozenset(spoken),
            unread,
            in_case,
            tests,
        )

    def _answers(self, key: str) -> Answers:
        reader = self._inner(key, self.left.pop(key, {}))
        points = self.source.touchpoints
        anywhere = {*(reader.words("touchpoints", points) or ())}
        milestones = reader.words("milestones", tuple(MILESTONES)) or ()
        anywhere |= {name for name, point in points.items() if point.milestone in milestones}
        anywhere |= self.source.with_roles(reader.words("case_roles_of_customer", CASE_ROLES) or ())
        in_case = self.source.with_roles(reader.words("case_roles", CASE_ROLES) or ())
        reader.end("touchpoints, milestones, case_roles, case_roles_of_customer")
        return Answers(frozenset(in_case), frozenset(anywhere))
