"""Matches a batch of interactions, in columns, with the rules. Pure.

All rules look at all rows at once, and only what one of them wants is taken out of the columns. Events too old for
every rule are left aside first, so that loading history costs one comparison a batch.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from uuid import UUID

import numpy as np
import polars as pl

from streams.alerts.rules import Condition, Rule
from streams.alerts.signals import KEPT_MS, Answer, Signal, Watched
from streams.loop import answers
from streams.model import catalogue
from streams.model.brands import Brands
from streams.model.catalogue import Touchpoint
from streams.text.deep import Reader, first_reader

COLUMNS = (
    "event_id",
    "occurred_at",
    "booking_ref",
    "touchpoint",
    "unit",
    "case_id",
    "survey",
    "score",
    "reach",
    "aspects",
    "agent_id",
    "attributes",
    "language",
    "text",
    "channel",
)
"""Fields of interaction.avsc that all rules may look at."""

_SAID = (
    *COLUMNS[:6],
    pl.col("survey").struct.field("score").alias("answer"),
    "score",
    "reach",
    "agent_id",
    "attributes",
    "channel",
)
"""What `_say` is told of a row that some rule wants: rows are made of these only, since lists and texts cost most."""
_NOTHING_SAID = pl.lit([], pl.List(pl.String)).alias("concerns")
_WORDS = r"\p{L}{3,}.*\p{L}{3,}"
"""A text of at least two words: the language of a shorter one cannot be recognised."""

Raised = Mapping[str, tuple[int, str]]
"""Of a restored event: rule -> (raised_at in epoch ms, reason) of the open alerts that it caused."""


class Matcher:
    """Matches batches with a set of rules.

    touchpoints: of the model, by name; None: Rihla's own. brands: of the model; None: events have no brand.
    reader: of texts.
    """

    def __init__(
        self,
        rules: Mapping[str, Rule],
        touchpoints: Mapping[str, Touchpoint] | None = None,
        brands: Brands | None = None,
        reader: Reader = first_reader,
    ) -> None:
        self._reader = reader
        self._brands = brands if brands is not None and brands.units else None
        self._rules = [rule for rule in rules.values() if rule.when]
        known = catalogue.load() if touchpoints is None else touchpoints
        self._opening = frozenset(name for name, point in known.items() if point.case_role == "open")
        asked = [name for rule in self._rules for one in rule.when for test in one.tests for name in test.columns]
        self.columns = tuple(dict.fromkeys((*COLUMNS, *asked)))
        """Fields that these rules look at."""
        self._units = {rule.name: rule.unit for rule in rules.values()}
        self._age = max((rule.after + rule.max_age for rule in rules.values()), default=0)
        answering: set[str] = {*answers.TOUCHPOINTS}
        for rule in rules.values():
            for named in (rule.close, rule.acknowledge):
                answering |= named.in_case | named.anywhere
        every = [condition for rule in self._rules for condition in rule.when]
        self._listens = any(condition.concerns is not None for condition in every)
        self._wanted = [_rule(rule, self._opening).alias(f"rule {rule.name}") for rule in self._rules]
        self._wanted.append(pl.col("touchpoint").is_in(sorted(answering)).alias("answer"))

    def watched(
        self,
        frame: pl.DataFrame,
        now: int,
        restored: Collection[int] = (),
        raised: Mapping[int, Raised] | None = None,
    ) -> dict[int, Watched]:
        """What the events mean for the rules, by row; rows that mean nothing are left out.

        Args:
            frame: interactions in frame form, at least `columns`.
            now: the worker's clock, epoch ms: what is older than a rule's `after` and `max_age` is history.
            restored: rows that were sent again from ClickHouse. They are matched as far back as a state remembers,
                because a worker that had read them when they were new would still remember them.
            raised: of these rows, the open alerts.
        """
        raised = raised or {}
        age = max(self._age, KEPT_MS) if restored else self._age
        is_recent = frame["occurred_at"].to_numpy() >= now - age
        if not is_recent.any():
            return {}
        recent = pl.Series(np.flatnonzero(is_recent))
        part = frame if len(recent) == frame.height else frame.select(self.columns)[recent]
        spoken = self._spoken(part["text"]) if self._listens else _NOTHING_SAID
        hits = part.select(*self.columns, spoken).select(*self._wanted)
        wanting = hits.select(pl.any_horizontal(pl.all())).to_series()
        rows = (wanting | recent.is_in(list(raised))).arg_true() if raised else wanting.arg_true()
        if rows.is_empty():
            return {}
        wanted = part.select(_SAID)[rows]
        matches = zip(recent[rows].to_list(), hits[rows].iter_rows(), wanted.iter_rows(), strict=True)
        return {row: self._say(hit, values, now, row in restored, raised.get(row, {})) for row, hit, values in matches}

    def _say(
        self, hit: tuple[bool, ...], values: tuple[object, ...], now: int, restored: bool, raised: Raised
    ) -> Watched:
        event_id, at, booking_ref, touchpoint, unit, case_id, answered, score, reach, agent, attributes, channel = (
            values
        )
        assert isinstance(event_id, str)
        assert isinstance(at, int)
        assert isinstance(touchpoint, str)
        raw = UUID(event_id).bytes
        own = str(UUID(bytes=raw))  # a complaint without a case id is a case of its own, as in the summaries
        ref = booking_ref if isinstance(booking_ref, str) else None
        case = case_id if isinstance(case_id, str) and case_id else None
        has_case = case is not None or touchpoint in self._opening
        brand = self._brand(_text(unit), attributes)
        signals = []
        for matched, rule in zip(hit, self._rules, strict=False):  # the last of `hit` is the answer
            if matched and rule.name not in raised and (restored or at >= now - rule.after - rule.max_age):
                reason = rule.reason.format(
                    touchpoint=touchpoint,
                    unit=unit or "an unknown unit",
                    answer=float("nan") if answered is None else answered,
                    score=float("nan") if score is None else score,
                    before=float("nan"),
                    reach=reach or 0,
                    after=rule.after_text,
                )
                where = rule.unit or _text(unit)
                about = (where, ref, case or own, 0, 0, has_case, touchpoint, brand, _text(channel))
                signals.append(Signal(at, raw, rule.name, reason, *about))
        for name, (raised_at, reason) in raised.items():
            if name in self._units:
                where = self._units[name] or _text(unit)
                about = (where, ref, case or own, 0, raised_at, has_case, touchpoint, brand, _text(channel))
                signals.append(Signal(at, raw, name, reason, *about))
        answer = Answer(at, raw, touchpoint, ref, case) if hit[-1] else None
        if answer is not None and touchpoint in answers.TOUCHPOINTS:
            given = answers.given(touchpoint, _text(agent), attributes)
            answer = Answer(at, raw, touchpoint, ref, case, given.alert_id, given.cause, given.who, given.until)
        return tuple(signals), answer, ()

    def _spoken(self, texts: pl.Series) -> pl.Series:
        """The concerns that each text raises. Texts that are the same are looked at once."""
        places: dict[str | None, int] = {}
        at = [places.setdefault(text, len(places)) for text in texts.to_list()]
        found = iter(self._reader([text for text in places if text is not None]))
        raised = [[] if text is None else sorted(next(found)) for text in places]
        return pl.Series("concerns", raised, pl.List(pl.String)).gather(at)

    def _brand(self, unit: str | None, attributes: object) -> str | None:
        if self._brands is None:
            return None
        pairs = attributes if isinstance(attributes, list) else ()
        return self._brands.told(unit, ((one["key"], one["value"]) for one in pairs))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _rule(rule: Rule, opening: Collection[str]) -> pl.Expr:
    """Whether any of a rule's conditions holds; never null. opening: touchpoints that open a case."""
    return pl.any_horizontal(*[_condition(condition, opening) for condition in rule.when])


def _condition(condition: Condition, opening: Collection[str]) -> pl.Expr:
    tests = []
    if condition.touchpoints is not None:
        tests.append(pl.col("touchpoint").is_in(sorted(condition.touchpoints)))
    if condition.instrument is not None:
        tests.append(pl.col("survey").struct.field("instrument") == condition.instrument)
    if condition.answer_at_most is not None:
        tests.append(pl.col("survey").struct.field("score") <= condition.answer_at_most)
    if condition.reach_at_least is not None:
        tests.append(pl.col("reach") >= condition.reach_at_least)
    if condition.concerns is not None:
        tests.append(pl.any_horizontal(*[pl.col("concerns").list.contains(one) for one in sorted(condition.concerns)]))
    if condition.unread:
        tests.append(pl.col("language").is_null() & pl.col("text").str.contains(_WORDS))
    if condition.in_case:
        tests.append((pl.col("case_id").fill_null("") != "") | pl.col("touchpoint").is_in(sorted(opening)))
    if condition.aspects is not None:
        tests.append(_aspects(condition))
    elif condition.score_at_most is not None:
        tests.append(pl.col("score") <= condition.score_at_most)
    tests += [test.expr() for test in condition.tests]
    return pl.all_horizontal(*[test.fill_null(False) for test in tests])


def _aspects(condition: Condition) -> pl.Expr:
    """Whether one of the aspects is mentioned and, where the rule has a bound, its own score (else the event's) is low
    enough."""
    assert condition.aspects is not None
    element = pl.element()
    spoken = element.struct.field("aspect").is_in(sorted(condition.aspects))
    if condition.score_at_most is None:
        return pl.col("aspects").list.eval(spoken).list.any()
    own = element.struct.field("score")
    low = pl.col("aspects").list.eval(spoken & (own <= condition.score_at_most).fill_null(False)).list.any()
    unscored = pl.col("aspects").list.eval(spoken & own.is_null()).list.any()
    return low | (unscored & (pl.col("score") <= condition.score_at_most).fill_null(False))
