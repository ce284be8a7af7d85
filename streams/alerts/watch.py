"""The alerts in a customer's state, and how signals and answers open and close them. Pure.

Signals of one rule, customer, scope and cooldown window are one alert. It says:

- occurred_at, event_id, reason, unit: of the earliest of its signals; where that names no unit, the one that it is
  attributed to, else the care centre of its brand has to act (streams.alerts.owner);
- acknowledged_at: the first answer after that which the rule names as acknowledging or closing;
- closed_at: the first closing answer after the latest of its signals. A new signal in the same window opens it again;
- handler, snoozed_until: what people have answered (streams.alerts.work), which acknowledges and closes it, too.

All of that is a function of the sets of signals and answers. Whether an alert was raised, and when, is an observation.
A rule with a delay (`after`) raises, and opens again, only in a turn of its timer, and ignores a signal that was closed
in time. It also ignores signals that were too old (`max_age`) when the alert was raised, except one that is known to
have raised it: the state may have been rebuilt since.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from streams.alerts.owner import Owners, as_said
from streams.alerts.rules import Answers, Rule
from streams.alerts.signals import KEPT_MS, Answer, Signal, Signals
from streams.alerts.work import worked
from streams.guest.plan import Outbox

PROFILES = ("negative", "non_committal", "advocate")
NEGATIVE, NON_COMMITTAL, ADVOCATE = range(3)
"""Indexes into PROFILES. Everybody begins as non_committal."""
UNKNOWN = -1
KEPT_ALERTS = 64


class Alert(msgspec.Struct, array_like=True):
    """An alert as it was last published. Times are epoch ms, None: not yet."""

    alert_id: str
    rule: str
    severity: str
    journey_id: str | None
    unit: str | None
    event_id: bytes
    reason: str
    at: int
    raised_at: int
    closed_at: int | None = None
    acknowledged_at: int | None = None
    latest: int = 0
    """Time of the latest of its signals."""
    case_id: str | None = None
    touchpoint: str | None = None
    handler: str | None = None
    """Who has taken it, or was assigned to it."""
    snoozed_until: int | None = None
    brand: str | None = None
    """Brand of its earliest cause."""
    tier: str | None = None
    """Loyalty tier of the customer when it was raised."""
    causes: int = 1
    """How many events caused it."""
    basis: str | None = None
    """What its unit rests on; None: of an alert that was raised by a version that did not ask."""
    owner: str | None = None
    """Who has to act: its unit, else the care centre of its brand."""


class Watch(msgspec.Struct, array_like=True):
    """What a root remembers in order to notice changes. Only alerts and moves depend on it."""

    due: int = 0
    """When the next timer is due, epoch ms; 0: none."""
    fired: bool = False
    """Whether a timer has raised an alert since the last message; it may be unpublished."""
    profile: int = NON_COMMITTAL
    """Index into PROFILES of the last observed profile; UNKNOWN: the next one is no move."""
    peak: float = 0.0
    peak_at: int = 0
    """The highest recent 30-day score, from which drops are measured, and its time; 0: none."""
    drops: list[Signal] = []
    alerts: list[Alert] = []
    moves: list[tuple[Any, ...]] = []
    """The moves of the last turn that had any, with their version (streams.alerts.moves): published again if that turn
    is replayed."""
    guest: Outbox | None = None
    """The invitations and messages to its customer."""
    brands: dict[bytes, str] = {}
    """Event id -> the brand that its attribute names, of the moves remembered."""


def alert_id(rule: Rule, customer_id: str, signal: Signal) -> str:
    """Id of the alert that a signal belongs to, 32 hex digits: of its rule, customer, scope and cooldown window."""
    scope = {
        "customer": "",
        "journey": signal.booking_ref or "",
        "case": signal.case_id or signal.event_id.hex(),
        "event": signal.event_id.hex(),
    }[rule.scope]
    window = 0 if rule.scope == "event" else signal.at // rule.cooldown
    return blake2b("\0".join((rule.name, customer_id, scope, str(window))).encode(), digest_size=16).hexdigest()


def settle(
    rules: Mapping[str, Rule],
    customer_id: str,
    told: Signals | None,
    watch: Watch,
    now: int,
    due_until: int = 0,
    tier: str | None = None,
    owners: Owners = as_said,
) -> list[Alert]:
    """Bring a root's alerts up to date with what its events say.

    Args:
        told: signals and answers of the whole customer.
        watch: is changed: its alerts and the time of its next timer.
        now: the worker's clock, epoch ms: nothing is raised for what is older than its rule's max_age.
        due_until: time up to which timers may go off; 0 in any turn but a timer's.
        tier: the customer's loyalty tier, which an alert that is raised now keeps.
        owners: finds who has to act.

    Returns:
        The alerts that are new or have changed.
    """
    known = {alert.alert_id: alert for alert in watch.alerts}
    if not known and told is None and not watch.drops:
        watch.due = 0
        return []
    answers: Sequence[Answer] = () if told is None else told.answers
    groups: dict[str, list[Signal]] = {}
    for signal in (*_matched(rules, told, watch, now), *watch.drops):
        rule = rules.get(signal.rule)
        if rule is not None:
            groups.setdefault(alert_id(rule, customer_id, signal), []).append(signal)
    changed, kept, due = [], [], 0
    for key, signals in groups.items():
        rule = rules[signals[0].rule]
        alert = known.pop(key, None)
        raised_at = alert.raised_at if alert else min((s.raised for s in signals if s.raised), default=now)
        latest = 0 if alert is None else alert.latest
        standing, next_due = _standing(rule, signals, answers, raised_at, max(due_until, latest + rule.after))
        due = min(filter(None, (due, next_due)), default=0)
        if not standing:
            if alert is None:
                continue
            standing = [signal for signal in signals if signal.at <= latest] or signals
        asked = owners if alert is None or alert.basis is not None else as_said
        current = _alert(rule, key, customer_id, standing, answers, raised_at, asked)
        current.tier = tier if alert is None else alert.tier
        kept.append(current)
        if current != alert:
            changed.append(current)
    for alert in known.values():  # it has no signals any more
        if now - alert.latest > KEPT_MS:
            continue
        if alert.closed_at is None:  # its events turned out to belong to another customer
            alert.closed_at = now
            changed.append(alert)
        kept.append(alert)
    watch.alerts = sorted(kept, key=lambda alert: (alert.latest, alert.alert_id))[-KEPT_ALERTS:]
    watch.due = due
    return changed


def release(watch: Watch, now: int) -> list[Alert]:
    """Close the open alerts of a customer that became part of another one. Returns them."""
    closed = []
    for alert in watch.alerts:
        if alert.closed_at is None:
            alert.closed_at = now
            closed.append(alert)
    watch.due, watch.profile, watch.peak_at, watch.drops = 0, UNKNOWN, 0, []
    return closed


def _matched(rules: Mapping[str, Rule], told: Signals | None, watch: Watch, now: int) -> list[Signal]:
    """The signals of events. Drops among them, which a rebuild brings, are added to the drops that the watch keeps."""
    if told is None:
        return []
    signals = []
    for signal in told.signals:
        if signal.rule not in rules or rules[signal.rule].drop is None:
            signals.append(signal)
        elif now - signal.at <= KEPT_MS and not any(drop.event_id == signal.event_id for drop in watch.drops):
            watch.drops.append(signal)
    return signals


def _standing(
    rule: Rule, signals: Iterable[Signal], answers: Sequence[Answer], raised_at: int, until: int
) -> tuple[list[Signal], int]:
    """The signals that count for an alert, and when the next of the others is due (0: none).

    Args:
        raised_at: when it was raised, or would be, now.
        until: timers up to then have gone off.
    """
    standing, due = [], 0
    for signal in signals:
        deadline = signal.at + rule.after
        if deadline < raised_at - rule.max_age and not signal.raised:
            continue
        if rule.after:
            closed = next((answer.at for answer in answers if _answers(rule.close, rule, signal, answer)), None)
            if closed is not None and closed <= deadline:
                continue
            if deadline > until and not signal.raised:
                due = min(due, deadline) if due else deadline
                continue
        standing.append(signal)
    return standing, due


def _alert(
    rule: Rule,
    key: str,
    customer_id: str,
    signals: Sequence[Signal],
    answers: Sequence[Answer],
    raised_at: int,
    owners: Owners,
) -> Alert:
    first = min(signals, key=lambda signal: (signal.at, signal.event_id))
    last = max(signals, key=lambda signal: (signal.at, signal.event_id))
    closed = next((answer.at for answer in answers if _answers(rule.close, rule, last, answer)), None)
    if last.ended and (closed is None or last.ended < closed):
        closed = last.ended
    reacted = next(
        (
            answer.at
            for answer in answers
            if _answers(rule.acknowledge, rule, first, answer) or _answers(rule.close, rule, first, answer)
        ),
        None,
    )
    work = worked(key, signals, answers)
    closed = min((at for at in (closed, work.resolved) if at is not None), default=None)
    reacted = min((at for at in (reacted, work.reacted) if at is not None), default=None)
    ref = first.booking_ref
    journey_id = None if ref is None else f"{customer_id}/{ref}"
    whose = owners(first)
    what = (journey_id, whose.unit, first.event_id, first.reason, first.at, raised_at)
    case_id = first.case_id if first.has_case else None
    about = (case_id, first.touchpoint, work.handler, work.snoozed_until)
    alert = Alert(key, rule.name, rule.severity, *what, closed, reacted, last.at, *about)
    alert.brand, alert.causes = whose.brand, len({signal.event_id for signal in signals})
    if whose.basis is not None:
        alert.basis, alert.owner = whose.basis, whose.owner
    return alert


def _answers(named: Answers, rule: Rule, signal: Signal, answer: Answer) -> bool:
    """Whether an answer is one of those that the rule names, is no earlier than the signal, and is about the same
    thing."""
    if answer.at < signal.at or answer.event_id == signal.event_id:
        return False
    if answer.touchpoint in named.in_case and answer.case_id is not None and answer.case_id == signal.case_id:
        return True
    if answer.touchpoint not in named.anywhere or (answer.alert_id is not None and answer.case_id is None):
        return False  # a person who settles one alert has not settled the customer's others
    other_journey = signal.booking_ref and answer.booking_ref and signal.booking_ref != answer.booking_ref
    return rule.scope == "customer" or not other_journey


def alert_row(customer_id: str, alert: Alert, version: int) -> tuple[Any, ...]:
    """A record of alert.avsc."""
    text = alert.event_id.hex()
    event_id = f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
    return (
        alert.alert_id,
        alert.rule,
        alert.severity,
        customer_id,
        alert.journey_id,
        alert.unit,
        event_id,
        alert.reason,
        alert.at,
        alert.raised_at,
        alert.closed_at,
        alert.acknowledged_at,
        alert.case_id,
        alert.touchpoint,
        alert.handler,
        alert.snoozed_until,
        alert.brand,
        alert.tier,
        alert.causes,
        alert.basis,
        alert.unit if alert.basis is None else alert.owner,
        version,
    )
