"""Stitch's core with alerts and moves, without Kafka: a batch is a slice of a list, a crash loses a batch's output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import polars as pl

from schemas.records import polars_schema
from streams.alerts.match import Matcher, Raised
from streams.alerts.rules import load
from streams.alerts.tally import OpenAlerts, Transition, open_of
from streams.alerts.timers import Timers, due_of
from streams.model.brands import Brands
from streams.model.company import built_in
from streams.stitch.changes import Changes
from streams.stitch.events import Events
from streams.stitch.fold import fold_due, fold_messages
from streams.stitch.membership import said_of_groups
from streams.stitch.messages import Messages, Sent
from streams.stitch.observer import RuleContext
from streams.stitch.peek import watch_of

HOUR = 3_600_000
DAY = 24 * HOUR
NOW = 1_795_000_000_000
"""The worker's clock, epoch ms."""

ALERT, MOVE, CASE = polars_schema("alert"), polars_schema("move"), polars_schema("case")
INTERACTION = polars_schema("interaction")


def event(number: int, at: int, touchpoint: str, **said: Any) -> dict[str, Any]:
    """An interaction as a row in frame form; `at` is in ms after NOW. nps=3 is a survey; subject goes beside it."""
    nps = said.pop("nps", None)
    if nps is not None:
        said["survey"] = {"instrument": "nps", "score": float(nps)}
    if said.get("score") is not None:
        said.setdefault("score_weight", 1.0)
    aspects = [{"aspect": aspect, "score": score} for aspect, score in said.pop("aspects", [])]
    return {
        **dict.fromkeys(INTERACTION),
        "event_id": str(UUID(int=number + 1)),
        "occurred_at": NOW + at,
        "ids": [],
        "touchpoint": touchpoint,
        "channel": touchpoint.partition(".")[0],
        "medium": "web",
        "conflict": False,
        "attributes": [],
        "aspects": aspects,
        "aspect_ratings": [],
        "subject": "customer:a",
        **said,
    }


@dataclass
class World:
    """States, topics, timers, and what was published, of one partition."""

    now: int = NOW
    states: dict[bytes, bytes] = field(default_factory=dict)
    parts: list[tuple[str, str, int, bytes | None]] = field(default_factory=list)
    parts_read: int = 0
    offset: int = 0
    identity_offset: int = 0
    alerts: dict[str, dict[str, Any]] = field(default_factory=dict)
    moves: dict[str, dict[str, Any]] = field(default_factory=dict)
    cases: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    timers: Timers = field(default_factory=Timers)
    opened: OpenAlerts = field(default_factory=OpenAlerts)
    transitions: list[Transition] = field(default_factory=list)
    published: int = 0
    epoch: int = 0
    brands: Brands = field(default_factory=lambda: built_in().brands)

    def __post_init__(self) -> None:
        self.events, self.rules = Events(replace(built_in(), brands=self.brands)), load()
        self.matcher = Matcher(self.rules, brands=self.brands)

    @property
    def context(self) -> RuleContext:
        return RuleContext(self.rules, self.now, brands=self.brands)

    def take(
        self,
        rows: Sequence[dict[str, Any]],
        crash: bool = False,
        restored: Sequence[int] = (),
        raised: Mapping[int, Raised] | None = None,
    ) -> None:
        """A batch of interactions."""
        frame = pl.DataFrame(list(rows), schema=INTERACTION)
        offsets = range(self.offset, self.offset + frame.height)
        self.offset += frame.height
        grouped = self.events.by_subject(
            frame,
            frame["subject"].to_list(),
            offsets,
            self.matcher.watched(frame, self.now, restored, raised),
            restored,
            spoken=said_of_groups(frame),
        )
        self._run(lambda: fold_messages(self.states.get, Messages(grouped), self.context), crash)

    def tell(self, subject: str, root: str, version: int, crash: bool = False) -> None:
        """A change of a subject's root."""
        said = {subject: [(self.identity_offset, root, version)]}
        self.identity_offset += 1
        self._run(lambda: fold_messages(self.states.get, Messages(identities=said), self.context), crash)

    def deliver(self, most: int = 1_000_000, crash: bool = False) -> None:
        """Parts that were sent."""
        chunk = self.parts[self.parts_read : self.parts_read + most]
        grouped: dict[str, list[Sent]] = {}
        for offset, (target, *sent) in enumerate(chunk, start=self.parts_read):
            grouped.setdefault(target, []).append((offset, *sent))
        self.parts_read += len(chunk)
        if grouped:
            self._run(lambda: fold_messages(self.states.get, Messages(parts=grouped), self.context), crash)

    def tick(self, until: int | None = None, crash: bool = False) -> list[str]:
        """The timers that are due; who fired."""
        names = [key.decode() for key in self.timers.take(self.now if until is None else until, 100)]
        if names:
            changes = fold_due(self.states.get, names, self.context, self.now if until is None else until)
            self._store(changes)
            if not crash:
                self._publish(changes)
        return names

    def rebuilt(self, rows: Sequence[dict[str, Any]], now: int) -> World:
        """A world whose state is made anew from stored interactions; the alerts and moves are those of this one."""
        world = World(now, alerts=dict(self.alerts), moves=dict(self.moves), epoch=self.epoch + 1)
        raised: dict[int, dict[str, tuple[int, str]]] = {}
        for row, interaction in enumerate(rows):
            for alert in self.alerts.values():
                if alert["closed_at"] is None and alert["event_id"] == interaction["event_id"]:
                    raised.setdefault(row, {})[alert["rule"]] = alert["raised_at"], alert["reason"]
        world.take(rows, restored=range(len(rows)), raised=raised)
        return world

    def restart(self) -> None:
        """A worker that begins with nothing but the states."""
        self.timers, self.opened = Timers(), OpenAlerts()
        watches = {key: watch_of(state) for key, state in self.states.items()}
        self.timers.update({key: due_of(watch) for key, watch in watches.items()})
        self.opened.update({key: open_of(watch) for key, watch in watches.items()})

    def open(self) -> dict[str, list[str]]:
        """Rule -> customers with an open alert."""
        found: dict[str, list[str]] = {}
        for alert in self.alerts.values():
            if alert["closed_at"] is None:
                found.setdefault(alert["rule"], []).append(alert["customer_id"])
        return {rule: sorted(customers) for rule, customers in found.items()}

    def _run(self, fold: Any, crash: bool) -> None:
        changes = fold()
        self._store(changes)
        if crash:
            changes = fold()  # what the first published is lost; its messages are read again
            self._store(changes)
        self._publish(changes)

    def _store(self, changes: Changes) -> None:
        self.states.update(changes.states)
        self.timers.update(changes.due)
        self.opened.update(changes.opened)
        self.transitions += changes.transitions

    def _publish(self, changes: Changes) -> None:
        self.parts += changes.parts
        self.published += len(changes.alerts)
        for table, schema, rows in ((self.alerts, ALERT, changes.alerts), (self.moves, MOVE, changes.moves)):
            for row in rows:
                record = dict(zip(schema, row, strict=True))
                record["version"] += self.epoch << 44
                key = row[0]
                if key not in table or record["version"] >= table[key]["version"]:
                    table[key] = record
        for row in changes.cases:
            record = dict(zip(CASE, row, strict=True))
            known = self.cases.get(row[:2])
            if known is None or record["version"] >= known["version"]:
                self.cases[row[:2]] = record
