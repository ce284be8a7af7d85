"""Observes one turn of a subject: moves between profiles, and alerts that open and close. Pure.

Nothing here touches what the tables of journeys, customers and cases hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from streams.alerts.moves import Cause, Move, drops, move, move_row
from streams.alerts.owner import Owner
from streams.alerts.rules import Drop, Rule
from streams.alerts.tally import Transition, before, transitions
from streams.alerts.watch import ADVOCATE, NEGATIVE, NON_COMMITTAL, Alert, Watch, alert_row, release, settle
from streams.guest import plan
from streams.guest.notes import Notes
from streams.guest.plan import Invitation, Message, Outbox
from streams.model.brands import Brands
from streams.model.company import built_in
from streams.model.guests import Guests
from streams.model.identifiers import customer_id
from streams.model.vocabulary import ADVOCATE_AT, NEGATIVE_AT
from streams.segments.rules import NO_SEGMENTS, Segments
from streams.stitch.encoding import merged
from streams.stitch.facts import TIER
from streams.stitch.journey import Event
from streams.stitch.owners import Whose
from streams.stitch.rolling import Rolling
from streams.stitch.rows import DIGITS, Row, rounded
from streams.stitch.subject import Subject
from streams.stitch.summary import Summary


@dataclass(slots=True)
class RuleContext:
    """The rules of alerts, the worker's clock (epoch ms) at this batch, and the segments."""

    rules: Mapping[str, Rule]
    now: int
    segments: Segments = NO_SEGMENTS
    guests: Guests = field(default_factory=lambda: built_in().guests)
    """What guests are asked and told."""
    brands: Brands = field(default_factory=lambda: built_in().brands)
    """With their care centres."""
    falls: list[tuple[Rule, Drop]] = field(init=False)
    """The rules that watch for a drop of sentiment, and of what."""
    falls_age: int = field(init=False)
    """The longest max_age of these, ms."""
    worth: float = field(init=False)
    """The lowest score from which any of these can fall."""

    def __post_init__(self) -> None:
        self.falls = [(rule, rule.drop) for rule in self.rules.values() if rule.drop is not None]
        self.falls_age = max((rule.max_age for rule, _ in self.falls), default=-1)
        self.worth = min((drop.to + drop.by for _, drop in self.falls), default=2.0)


_MARGIN: Final = 2 * 10.0**-DIGITS
"""Within this distance of a bound, rounding may put a score on either side."""


def is_quiet(context: RuleContext, state: Subject, event: Event) -> bool:
    """Whether the score after an event of a root without parts certainly shows neither a move nor a drop.

    A cheap test before the full one: True is certain, False is not.
    """
    watch = state.watch
    profile = NON_COMMITTAL if watch is None else watch.profile
    if event.score is None and profile == NON_COMMITTAL:
        return True  # without a score of its own an event only brings the customer's closer to 0
    score = state.own.rolling.score_30(state.own.last)
    if NEGATIVE_AT + _MARGIN < score < ADVOCATE_AT - _MARGIN:
        index = NON_COMMITTAL
    elif score < NEGATIVE_AT - _MARGIN:
        index = NEGATIVE
    elif score > ADVOCATE_AT + _MARGIN:
        index = ADVOCATE
    else:
        return False
    if index != profile:
        return False
    if event.restored or event.at < context.now - context.falls_age:
        return True  # too old for an alert about a drop
    return score < context.worth - _MARGIN and (watch is None or not (watch.peak_at or watch.drops))


def is_settled(watch: Watch | None) -> bool:
    """Whether a turn that has observed nothing, of a customer without signals, leaves a watch as it is."""
    return watch is None or not (
        watch.profile == NON_COMMITTAL or watch.due or watch.fired or watch.drops or watch.alerts or watch.guest
    )


class Observer:
    """Observes one subject in one turn: what is to be published of it is in `moves` and `alerts` at the end."""

    def __init__(self, context: RuleContext, name: str, state: Subject) -> None:
        self._context, self._state = context, state
        self._customer = customer_id(name)
        self._moved: list[Move] = []
        self._brands: dict[bytes, str] = {}
        self.transitions: list[Transition] = []
        """Of alerts, in this turn."""
        self.invitations: list[Row] = []
        self.messages: list[Row] = []
        """Rows of what the customer is asked and told, to publish."""

    def follow(self, event: Event) -> None:
        """Look at the score after an event of a root without parts was added."""
        own = self._state.own
        self._look(own.rolling, own.last, None if event.restored else cause_of(event))

    def look(self, rolling: Rolling, at: int, cause: Cause | None) -> None:
        """Look at the score after a turn in which it may have changed otherwise."""
        self._look(rolling, at, cause)

    def _look(self, rolling: Rolling, at: int, cause: Cause | None) -> None:
        score = rounded(rolling.score_30(at))
        index = NEGATIVE if score <= NEGATIVE_AT else ADVOCATE if score >= ADVOCATE_AT else NON_COMMITTAL
        state, context = self._state, self._context
        watch = state.watch
        if index != (NON_COMMITTAL if watch is None else watch.profile):
            if watch is None:
                watch = state.watch = Watch()
            moved = move(watch, index, score, rounded(rolling.evidence()), cause)
            if moved is not None:
                assert cause is not None
                self._moved.append(moved)
                if cause[5] is not None:
                    self._brands[cause[1]] = cause[5]
        if (
            cause is not None
            and (score >= context.worth or (watch is not None and (watch.peak_at or watch.drops)))
            and cause[0] >= context.now - context.falls_age
        ):
            if watch is None:
                watch = state.watch = Watch()
            drops(context.falls, watch, score, cause, context.now)

    def finish(self, whole: Summary, replay: bool) -> tuple[list[Row], list[Row]]:
        """Bring a root's alerts up to date. Returns the rows of alerts and moves to publish; on a replay all that are
        remembered.

        whole: the summary of the whole customer; of its bookings any part.
        """
        told = whole.signals
        state, version = self._state, self._state.version
        watch = state.watch
        if watch is None:
            watch = state.watch = Watch()
        alerts: Sequence[Alert] = ()
        if told is not None or watch.alerts or watch.drops:
            alerts = self._settle(whole, watch)
        else:
            watch.due = 0
        self._write(None if told is None else told.guest, watch, replay or watch.fired)
        if replay or watch.fired:
            alerts = watch.alerts
        watch.fired = False
        moved: list[tuple[Any, ...]] = [(*told, version) for told in self._moved]
        if replay:
            watch.moves = moved = [*watch.moves, *moved]
            watch.brands = {**watch.brands, **self._brands}
        elif moved:
            watch.moves, watch.brands = moved, self._brands
        brands = watch.brands
        if watch == _NOTHING:
            state.watch = None

        def of_move(told: Move) -> Owner:
            return self._owners().of_move(told, brands.get(told[3]))

        return self._rows(alerts), [move_row(self._customer, told, of_move) for told in moved]

    def due(self, until: int) -> list[Row]:
        """A timer's turn. Returns the rows of alerts that are due by `until`, and of those that may not have been
        published."""
        state = self._state
        watch = state.watch
        if watch is None or not state.is_root:
            return []
        whole = merged(state)
        alerts = self._settle(whole, watch, until)
        self._write(None if whole.signals is None else whole.signals.guest, watch, watch.fired, until)
        if watch.fired:
            alerts = watch.alerts
        watch.fired = bool(alerts or self.invitations or self.messages)
        return self._rows(alerts)

    def leave(self, replay: bool) -> list[Row]:
        """Close the open alerts of a subject that is no customer, or no longer one. Returns their rows."""
        watch = self._state.watch
        assert watch is not None
        known = before(watch)
        closed = release(watch, self._context.now)
        self.transitions += transitions(known, closed)
        if watch.guest is not None:
            self._publish(*plan.leave(watch.guest))
        if replay or watch.fired:
            closed = watch.alerts
        watch.fired = False
        return self._rows(closed)

    def _write(self, notes: Notes | None, watch: Watch, everything: bool, until: int = 0) -> None:
        """Bring what the customer is asked and told up to date. until: of a timer, the time up to which it goes off."""
        box = watch.guest
        if box is None:
            if notes is None:
                return
            box = Outbox()
        is_grave = any(one.closed_at is None and one.severity in ("high", "critical") for one in watch.alerts)
        now = until or self._context.now
        changed = plan.settle(self._context.guests, self._customer, notes, box, is_grave, now, until > 0)
        watch.guest = box if box != _EMPTY else None
        watch.due = min(filter(None, (watch.due, box.due)), default=0)
        self._publish(*((box.invitations, box.messages) if everything else changed))

    def _publish(self, invitations: Iterable[Invitation], messages: Iterable[Message]) -> None:
        guests, version = self._context.guests, self._state.version
        self.invitations += [plan.invitation_row(guests, self._customer, one, version) for one in invitations]
        self.messages += [plan.message_row(self._customer, one, version) for one in messages]

    def _settle(self, whole: Summary, watch: Watch, due_until: int = 0) -> Sequence[Alert]:
        known = before(watch)
        rules, now = self._context.rules, self._context.now
        stated = whole.preferences.get(TIER)
        tier = None if stated is None else stated[2]
        changed = settle(rules, self._customer, whole.signals, watch, now, due_until, tier, self._owners())
        self.transitions += transitions(known, changed)
        return changed

    def _owners(self) -> Whose:
        # Of a customer with parts the summary of a turn has only some bookings.
        return Whose(self._context.brands, lambda: merged(self._state))

    def _rows(self, alerts: Iterable[Alert]) -> list[Row]:
        return [alert_row(self._customer, alert, self._state.version) for alert in alerts]


_NOTHING: Final = Watch(profile=NON_COMMITTAL)
_EMPTY: Final = Outbox()


def cause_of(event: Event) -> Cause:
    """An event as the cause of what it changes."""
    return event.at, event.event_id, event.touchpoint, event.unit, event.booking_ref, event.brand
