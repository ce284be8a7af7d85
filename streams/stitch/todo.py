"""What may be done for a customer next, as a root publishes it (streams.alerts.next_actions). Pure.

One record a customer has all of it, and is published where it changes; a record without any takes it back. The state
remembers what was published last (`Subject.actions`). A customer without a reason for any action has no record.

A state that was written by a version without next actions does not say what is published: nothing, or what a version
with them said before a rollback. Then a record is published in any case, without any action where there is none.
"""

from __future__ import annotations

from collections.abc import Collection
from hashlib import blake2b
from typing import Final

import msgspec

from streams.alerts import next_actions as do
from streams.alerts.next_actions import Action, Habit
from streams.alerts.watch import Alert, Watch
from streams.guest.quiet import zone_of
from streams.model.guests import Guests
from streams.model.identifiers import customer_id
from streams.model.vocabulary import ADVOCATE_AT, DAY_MS, INSTRUMENTS, NEGATIVE_AT
from streams.model.zones import ZoneInfo
from streams.stitch.changes import Changes
from streams.stitch.facts import ANSWERED, ARRIVES, SPOKE, TOLD
from streams.stitch.journey import Journey
from streams.stitch.placement import joined, journeys_of, placed, spans_of
from streams.stitch.rows import rounded
from streams.stitch.subject import NOTHING, TAKEN_BACK, Subject
from streams.stitch.summary import HIDDEN, Loose, Summary, str_of

_ALERTS: Final[Collection[Alert]] = ()
_Answer = tuple[int, bytes, float, str]
"""(at, event id, score, instrument) of an answer to a survey."""
_ASKED: Final = tuple(name in do.SURVEYS for name in INSTRUMENTS)
_MARGIN: Final = 1e-6
"""Within this distance of a bound, rounding may put a score on either side."""
_BOOKED: Final = 0
_IN_USE: Final = ("booked", "checked_in")
_SLACK_MS: Final = 2 * DAY_MS
"""By more than this no clock of the world differs from UTC."""


def may_act(summary: Summary, watch: Watch | None, alone: bool = True) -> bool:
    """Whether there may be a reason in a summary of events; False is certain. Most customers have none.

    watch: of the root. alone: whether it is all that is known of the customer. Of several summaries none may have a
    reason by itself while all have one together, but for their opinions: these are then taken without the prior.
    """
    if summary.cases or (watch is not None and watch.alerts):
        return True
    rolling = summary.rolling
    if rolling.at and abs(rolling.s30) >= (ADVOCATE_AT - _MARGIN) * (rolling.w30 + alone):
        return True  # as it was at the last opinion: it has only faded since
    if len(summary.preferences) > 1 and _may_arrive(summary, alone):
        return True
    for journey in summary.bookings.values():
        for index, answer in journey.surveys.items():
            if _is_bad(index, answer[2]):
                return True
    for loose in summary.loose:
        if isinstance(loose.channel, Journey) or (loose.survey is not None and _is_bad(*loose.survey)):
            return True
    return False


def _may_arrive(summary: Summary, alone: bool) -> bool:
    """Whether there may be a stay to prepare: one that is not over, and, if this is all that is known, a habit."""
    arrives, has_habit = False, not alone
    stated = summary.preferences
    for key in stated:
        if not key.startswith(HIDDEN):
            has_habit = has_habit or do.is_habit(key, stated[key][2])
        elif not arrives and key.startswith(ARRIVES):
            arrives = stated[key][2] >= do.day(summary.last - _SLACK_MS, do.UTC)
    return arrives and has_habit


def _is_bad(index: int, score: float) -> bool:
    """Whether an answer is one to follow up. index: of INSTRUMENTS."""
    return _ASKED[index] and do.is_bad(INSTRUMENTS[index], score)


def has_said(state: Subject) -> bool:
    """Whether something may be published of a subject that is to be taken back where it does not hold any more."""
    return state.actions != NOTHING


def post(changes: Changes, name: str, state: Subject, whole: Summary, guests: Guests, replay: bool) -> None:
    """Publish what may be done for a root, where that has changed. whole: its summary, parts included.

    guests: of the model, which says whose clock shows which day. replay: whether to publish it in any case.
    """
    customer = customer_id(name)
    _post(changes, customer, state, actions_of(customer, whole, state.watch, guests), replay)


def leave(changes: Changes, name: str, state: Subject, replay: bool) -> None:
    """Take all back: the subject is no customer any more."""
    if has_said(state):
        _post(changes, customer_id(name), state, [], replay)


def _post(changes: Changes, customer: str, state: Subject, found: list[Action], replay: bool) -> None:
    if not found and not has_said(state):
        return
    said = _hash(found) if found else TAKEN_BACK
    if replay or state.actions != said:
        changes.next_actions.append((customer, found, state.version))
    state.actions = said


def _hash(found: list[Action]) -> int:
    """63 bits, as a signed number holds them, and neither NOTHING nor TAKEN_BACK."""
    return int.from_bytes(blake2b(msgspec.msgpack.encode(found), digest_size=8).digest(), "big") >> 1 | 2


def actions_of(customer: str, whole: Summary, watch: Watch | None, guests: Guests) -> list[Action]:
    """What may be done for a customer, in order.

    whole: all that is known of them. watch: their alerts. guests: as for `post`.
    """
    found: list[Action] = []
    last, stated, rolling = whole.last, whole.preferences, whole.rolling
    alerts = _ALERTS if watch is None else [one for one in watch.alerts if one.closed_at is None]
    found += [
        do.answer_alert(one.alert_id, one.rule, one.unit, one.at, one.reason, zone_of(guests, one.unit))
        for one in alerts
        if one.severity == "critical"
    ]
    is_well = not alerts
    told = stated.get(TOLD)
    for case_id, case in whole.cases.items():
        if case.status == "open":
            is_well = False
            if since := max(case.opened, case.reopened):
                unit = None if case.first is None else case.first[3]
                zone = zone_of(guests, unit)
                found.append(do.call_about_case(case_id, unit, since, bool(case.responded), zone))
        elif last < case.resolved + do.TOLD_MS:
            of_it = stated.get(TOLD + case_id)
            told_at = max(0 if one is None else one[0] for one in (told, of_it))
            if told_at < case.resolved:
                unit = None if case.first is None else case.first[3]
                found.append(do.tell_improvement(case_id, case.resolved, zone_of(guests, unit)))
    if rolling.at:
        score = rounded(rolling.score_30(last))
        bound = NEGATIVE_AT if score <= NEGATIVE_AT else ADVOCATE_AT if score >= ADVOCATE_AT else 0.0
        ends = do.fades_at(rolling.at, rolling.w30, rolling.s30, bound) if bound else 0
        if ends > last:
            if bound < 0:
                call = do.manager_call(score, rolling.evidence(), _spent(whole), ends)
                if call is not None:
                    found.append(call)
            elif is_well and _may_be_asked(whole):
                found.append(do.ask_for_review(score, rolling.evidence(), last, ends))
    if (answer := _latest_answer(whole)) is not None:
        at, event_id, score, instrument = answer
        answered = stated.get(ANSWERED)
        is_open = last < at + do.FOLLOWED_MS and (answered is None or answered[0] < at)
        if is_open and do.is_bad(instrument, score):
            found.append(do.follow_up_detractor(instrument, score, at, str_of(event_id), zone_of(guests, None)))
    if len(stated) > 1 and _may_arrive(whole, alone=True):
        found += _stays(customer, whole, zone_of(guests, None))
    return do.ordered(found) if len(found) > 1 else found


def _spent(whole: Summary) -> dict[str, int]:
    """Currency -> minor units."""
    spent: dict[str, int] = {}
    for journey in whole.bookings.values():
        for currency, amount in journey.spend.items():
            spent[currency] = spent.get(currency, 0) + amount
    for loose in whole.loose:
        if isinstance(loose.channel, Journey):
            for currency, amount in loose.channel.spend.items():
                spent[currency] = spent.get(currency, 0) + amount
        elif loose.spent is not None:
            currency, amount = loose.spent
            spent[currency] = spent.get(currency, 0) + amount
    return spent


def _may_be_asked(whole: Summary) -> bool:
    """Whether somebody who has nothing open may be asked for a review."""
    stated = whole.preferences
    if SPOKE in stated or ("messages" in stated and stated["messages"][2] == "no"):
        return False
    return any(one.journey.status == "completed" for one in journeys_of(whole))


def _later(one: _Answer | None, other: _Answer) -> _Answer:
    """The later of two answers; of two copies of one event, which may differ, the larger."""
    return other if one is None or other > one else one


def _latest_answer(whole: Summary) -> _Answer | None:
    """The latest answer to a survey of SURVEYS."""
    found: _Answer | None = None
    for journey in whole.bookings.values():
        for index, answer in journey.surveys.items():
            if _ASKED[index]:
                found = _later(found, (*answer, INSTRUMENTS[index]))
    for loose in whole.loose:
        if isinstance(loose.channel, Journey):
            for index, answer in loose.channel.surveys.items():
                if _ASKED[index]:
                    found = _later(found, (*answer, INSTRUMENTS[index]))
        elif loose.survey is not None:
            index, score = loose.survey
            if _ASKED[index]:
                found = _later(found, (loose.at, loose.event_id, score, INSTRUMENTS[index]))
    return found


def _stays(customer: str, whole: Summary, zone: ZoneInfo) -> list[Action]:
    """Stays to prepare."""
    found: list[Action] = []
    stated, last = whole.preferences, whole.last
    guests: dict[str, list[Loose]] | None = None
    habits: list[Habit] | None = None
    for key, (_, _, planned, _) in stated.items():
        if not key.startswith(ARRIVES):
            continue
        ref = key.removeprefix(ARRIVES)
        booking = whole.bookings.get(ref)
        if booking is None:
            continue
        if guests is None:  # events without the reference may have ended the stay
            guests = placed(spans_of(whole.bookings), whole.loose)[0] if whole.loose else {}
        journey = joined(booking, guests.get(ref, ()))
        booked_at = journey.milestones.get(_BOOKED, 0)
        if not booked_at or journey.status not in _IN_USE:
            continue
        if habits is None:
            habits = [
                Habit(of, value, evidence, at)
                for of, (at, _, value, evidence) in sorted(stated.items(), key=lambda each: each[0])
                if not of.startswith(HIDDEN) and do.is_habit(of, value)
            ]
        stay = do.prepare_stay(f"{customer}/{ref}", do.arrival(planned), booked_at, habits, zone)
        if stay is not None and stay.ends_at is not None and stay.ends_at > last:
            found.append(stay)
    return found
