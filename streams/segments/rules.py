"""The segments of a model: what must hold of a customer's state. Pure.

Membership is a function of a customer's rows in the tables, so of the set of events and the model: no clock is
asked. The conditions are written as those of alerts are (streams.alerts.conditions).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from streams.alerts.conditions import FieldTestError, bounds, tests_of, words
from streams.errors import RihlaError
from streams.guest.consent import ANY, Said, is_allowed
from streams.guest.consent import word as consent_word
from streams.model.company import Model
from streams.model.currencies import major
from streams.model.forms import STAGES
from streams.model.places import line_of
from streams.model.vocabulary import INSTRUMENTS

PROFILES: Final = ("negative", "non_committal", "advocate")
NUMBERS: Final = (
    *("sentiment_7d", "sentiment_30d", "sentiment_90d", "evidence", "interactions", "journeys", "open_cases"),
    *INSTRUMENTS,
)
"""Keys with bounds: columns of customers, and the customer's latest answers to surveys."""
LISTS: Final[Mapping[str, tuple[str, ...] | None]] = {"profiles": PROFILES, "statuses": STAGES, "languages": None}
"""Keys with a list: of these words, or of any words."""
SHARED: Final = ("money", "brands", "loyalty_tiers", "countries")
"""Keys that conditions of alerts have as well."""
KEYS: Final = (*NUMBERS, *LISTS, *SHARED, "preferences", "consents")
HINT: Final = "docs/segments.md lists the keys; rihla model check FOLDER reads it again"

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


class SegmentError(RihlaError):
    """A segment that cannot be used; the message names file, line and what is wrong there."""


@dataclass(frozen=True, slots=True)
class Known:
    """The facts about a customer that conditions test; those that no segment of the model tests may be left out.

    money: currency -> amount spent, minor units. words: the customer's values by key of a condition.
    """

    numbers: Mapping[str, float | None]
    words: Mapping[str, Collection[str]]
    money: Mapping[str, int] = field(default_factory=dict)
    preferences: Mapping[str, str] = field(default_factory=dict)
    consents: Sequence[Said] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """One test of a customer's state. name: the currency of money ("": any), the key of a preference, or the purpose of
    a consent."""

    key: str
    name: str = ""
    words: frozenset[str] = frozenset()
    at_least: float | None = None
    at_most: float | None = None

    def holds(self, known: Known) -> bool:
        """Whether it holds; a test of an unknown value does not."""
        if self.key in NUMBERS:
            return self._between(known.numbers.get(self.key))
        if self.key == "money":
            spent = known.money.items()
            return any(self._between(major(one, amount)) for one, amount in spent if self.name in ("", one))
        if self.key == "preferences":
            return known.preferences.get(self.name, "").lower() in self.words
        if self.key == "consents":
            return any(is_allowed(known.consents, self.name, channel, unsaid=False) for channel in self.words)
        return not self.words.isdisjoint(known.words.get(self.key, ()))

    def _between(self, number: float | None) -> bool:
        if number is None:
            return False
        return (self.at_least is None or number >= self.at_least) and (self.at_most is None or number <= self.at_most)


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment: all tests of one of the conditions must hold."""

    name: str
    doc: str
    when: tuple[tuple[Question, ...], ...]

    def holds(self, known: Known) -> bool:
        """Whether a customer belongs to it."""
        return any(all(test.holds(known) for test in condition) for condition in self.when)


@dataclass(frozen=True, slots=True)
class Segments:
    """The segments of a model, by name."""

    by_name: Mapping[str, Segment]

    @property
    def asked(self) -> frozenset[str]:
        """The keys of all conditions."""
        every = [condition for one in self.by_name.values() for condition in one.when]
        return frozenset(test.key for condition in every for test in condition)

    def of(self, known: Known) -> set[str]:
        """Names of the segments to which a customer belongs."""
        return {name for name, one in self.by_name.items() if one.holds(known)}


NO_SEGMENTS: Final = Segments({})


@cache
def of(model: Model) -> Segments:
    """The segments of a model. Raises SegmentError at the first mistake."""
    return Segments({name: _segment(model, name, table) for name, table in model.segments.items()})


def _segment(model: Model, name: str, table: Any) -> Segment:
    def fail(problem: str, key: str | None = None) -> SegmentError:
        line = line_of(model.segments_text, (name, key))
        return SegmentError(f"segments {model.segments_source}: line {line}: {name}: {problem}", HINT)

    if not _NAME.fullmatch(name):
        raise fail("a segment's name is small letters, digits and _")
    if not isinstance(table, dict):
        raise fail("is no table")
    left = dict(table)
    doc, when = left.pop("doc", ""), left.pop("when", None)
    if not isinstance(doc, str):
        raise fail("doc must be a sentence", "doc")
    if left:
        raise fail(f"{', '.join(sorted(left))} is no key here; there are doc and when", min(left))
    if not isinstance(when, list) or not when or not all(isinstance(one, dict) and one for one in when):
        raise fail("when must be a list of conditions, none of them empty", "when")
    conditions = []
    for condition in when:
        try:
            conditions.append(tuple(test for key, value in condition.items() for test in _tests(key, value, model)))
        except FieldTestError as error:
            raise fail(f"when: {error.key} {error.problem}", "when") from error
    return Segment(name, doc, tuple(conditions))


def _tests(key: str, value: Any, model: Model) -> Iterator[Question]:
    if key in NUMBERS:
        if not isinstance(value, dict):
            raise FieldTestError(key, "must be a table such as { at_least = 1 }")
        yield Question(key, "", frozenset(), *bounds(key, value, key))
    elif key in LISTS:
        given, known = words(key, value), LISTS[key]
        if known is not None and (odd := [one for one in given if one not in known]):
            raise FieldTestError(key, f"has {odd[0]!r}; there are {', '.join(known)}")
        yield Question(key, "", frozenset(given))
    elif key in SHARED:
        for one in tests_of({key: value}, model.brands):
            yield Question(key, one.name if key == "money" else "", frozenset(one.words), one.at_least, one.at_most)
    elif key == "preferences":
        if not isinstance(value, dict) or not value:
            raise FieldTestError(key, 'must be a table such as { diet = ["vegetarian"] }')
        for name, wanted in value.items():
            yield Question(key, name, frozenset(words(key, wanted if isinstance(wanted, list) else [wanted])))
    elif key == "consents":
        if not isinstance(value, dict) or not value:
            raise FieldTestError(key, 'must be a table such as { marketing = ["email"] }')
        for purpose, channels in value.items():
            ways = {consent_word(one) for one in words(key, channels)}
            if ANY in (consent_word(purpose), *ways):
                raise FieldTestError(key, "is of a purpose and channels by their names: consent is specific")
            yield Question(key, consent_word(purpose), frozenset(ways))
    else:
        raise FieldTestError(key, f"is no key of a condition; there are {', '.join(KEYS)}")
