"""What to do for a customer next, and why: rules in order, the first that holds is the best. Pure.

The rules, their sentences and their order are those of the view next_best_actions (docs/recovery.md); a test holds the
two to each other. It is a function of what is known of the customer, of what the model says of actions, and of the
clock: days are 24 hours, days of arrival are dates, UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple

from streams.model.actions import Actions
from streams.model.vocabulary import ADVOCATE_AT, DAY_MS, NEGATIVE_AT

UNANSWERED_DAYS, UNRESOLVED_DAYS = 2, 5
"""Days after which a case is overdue: without any answer, and without a resolution."""
FOLLOWED_DAYS: Final = 30
"""Days for which a bad answer to a survey is to be followed up."""
TOLD_DAYS: Final = 90
"""Days for which an improvement is still news."""
SPOKEN_DAYS: Final = 90
"""Days after their last event for which an advocate is asked for a review."""
AHEAD_DAYS: Final = 60
"""Days before its arrival from which a stay is prepared."""
NO_HABITS: Final = frozenset(("language", "meal_plan", "room_type", "messages"))
"""Preferences that nobody prepares a stay for."""
ANSWERING: Final = re.compile("_(answered|resolved|paid|given|told|done|delivered|traced|returned)$")
"""Touchpoints at which somebody of the company has answered the customer, where they are no survey."""
SPEAKING: Final = frozenset({"post_travel.referral_made", "post_travel.review_posted", "post_travel.review_requested"})
TOLD: Final = "post_travel.improvement_told"
SURVEYS: Final = ("nps", "csat", "stars")


class Action(NamedTuple):
    """Something to do. priority: the rank of the action, 1 first. evidence: what it rests on."""

    priority: int
    action: str
    reason: str
    evidence: str


class Open(NamedTuple):
    """An open alert."""

    severity: str
    at: int
    rule: str
    unit: str | None
    reason: str
    alert_id: str


class Matter(NamedTuple):
    """A case; times are epoch ms, 0: none. since: when it was opened, or reopened if that was later."""

    case_id: str
    unit: str | None
    is_open: bool
    since: int
    answered: bool
    resolved_at: int
    told_at: int


class Answer(NamedTuple):
    """The latest answer to a survey of SURVEYS."""

    at: int
    instrument: str
    score: float
    unit: str | None
    event_id: str

    @property
    def is_bad(self) -> bool:
        """Whether somebody should follow it up: NPS 0 to 6, CSAT and stars 1 and 2."""
        return self.score <= (6 if self.instrument == "nps" else 2)


class Trip(NamedTuple):
    """A journey that is booked; `arrives` is its planned day."""

    journey_id: str
    arrives: date
    booked_at: int


class Habit(NamedTuple):
    """A preference."""

    key: str
    value: str
    evidence: int
    last_at: int


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a customer. Times are epoch ms, 0: never."""

    last_event_at: int
    sentiment: float | None = None
    """The 30-day score, faded until now; None: nothing was ever expressed."""
    evidence: float = 0.0
    alerts: Sequence[Open] = ()
    cases: Sequence[Matter] = ()
    open_cases: int = 0
    spend: Mapping[str, int] | None = None
    """Currency -> minor units."""
    survey: Answer | None = None
    answered_at: int = 0
    """When somebody of the company last answered, resolved, gave ... something."""
    spoke: bool = False
    """Whether they have recommended or reviewed us, or were asked to."""
    completed: int = 0
    """Journeys that are completed now."""
    trips: Sequence[Trip] = ()
    habits: Sequence[Habit] = ()


def next_actions(known: Known, actions: Actions, now: int) -> list[Action]:
    """What to do for a customer, the most urgent first.

    actions: what the model says of each: its rank, and whether it is proposed. now: epoch ms.
    """
    found = []
    for name, reason, evidence in _rules(known, now):
        if (said := actions.by_name[name]).propose:
            found.append(Action(said.rank, name, reason, evidence))
    return sorted(found, key=lambda one: (one.priority, one.evidence))


def _rules(known: Known, now: int) -> Iterator[tuple[str, str, str]]:
    for alert in known.alerts:
        if alert.severity == "critical":
            about = f"{alert.rule}, {alert.unit}" if alert.unit else alert.rule
            reason = f"A critical alert ({about}) is open since {_day(alert.at)}: {alert.reason}"
            yield "answer_alert", reason, f"alert {alert.alert_id}"
    for case in known.cases:
        if case.is_open and case.since and _is_overdue(case, now):
            days, place = (now - case.since) // DAY_MS, f" of {case.unit}" if case.unit else ""
            how = "answered but not resolved" if case.answered else "without any answer"
            yield "call_about_case", f"Case {case.case_id}{place} has been open for {days} days, {how}", _case(case)
    felt = f"30-day sentiment {_number(round(known.sentiment or 0.0, 2))} now"
    spent = {currency: minor for currency, minor in (known.spend or {}).items() if minor > 0}
    if known.sentiment is not None and known.sentiment <= NEGATIVE_AT and spent:
        sums = ", ".join(f"{minor} {currency}" for currency, minor in sorted(spent.items()))
        reason = f"Feels badly about us ({felt}) and has spent {sums} (minor units)"
        yield "manager_call", reason, f"profile negative, evidence {_number(round(known.evidence, 1))}"
    survey = known.survey
    if survey is not None and survey.is_bad and known.answered_at < survey.at > now - FOLLOWED_DAYS * DAY_MS:
        place = f" about {survey.unit}" if survey.unit else ""
        said = f"Answered {survey.instrument} with {_number(survey.score)} on {_day(survey.at)}{place}"
        yield "follow_up_detractor", f"{said}, and nobody has answered since", f"event {survey.event_id}"
    for case in known.cases:
        is_new = not case.is_open and case.resolved_at > now - TOLD_DAYS * DAY_MS
        if is_new and case.told_at < case.resolved_at:
            when = f"was resolved on {_day(case.resolved_at)}"
            told = f"Case {case.case_id} {when}, and the customer was not told what was improved"
            yield "tell_improvement", told, _case(case)
    today = datetime.fromtimestamp(now / 1000, UTC).date()
    for trip in known.trips:
        if not today <= trip.arrives <= today + timedelta(days=AHEAD_DAYS):
            continue
        wanted = [one for one in known.habits if one.last_at < trip.booked_at and _is_habit(one)]
        if wanted:
            reason = f"Arrives on {trip.arrives} and has asked for or used before: {', '.join(map(_shown, wanted))}"
            yield "prepare_stay", reason, f"journey {trip.journey_id}"
    if _may_be_asked(known, now):
        journeys = f"{known.completed} completed journey{'' if known.completed == 1 else 's'}"
        reason = f"An advocate ({felt}) with {journeys} who has not recommended or reviewed us yet"
        yield "ask_for_review", reason, f"profile advocate, evidence {_number(round(known.evidence, 1))}"


def _is_overdue(case: Matter, now: int) -> bool:
    age = now - case.since
    return age > UNRESOLVED_DAYS * DAY_MS or (not case.answered and age > UNANSWERED_DAYS * DAY_MS)


def _may_be_asked(known: Known, now: int) -> bool:
    is_silent = any(one.key == "messages" and one.value == "no" for one in known.habits)
    is_advocate = known.sentiment is not None and known.sentiment >= ADVOCATE_AT
    is_recent = known.last_event_at > now - SPOKEN_DAYS * DAY_MS
    is_well = not (known.open_cases or known.alerts)
    return is_advocate and known.completed > 0 and is_recent and not known.spoke and is_well and not is_silent


def _is_habit(one: Habit) -> bool:
    return one.value != "no" and one.key not in NO_HABITS


def _shown(one: Habit) -> str:
    value = "" if one.value == "yes" else f" {one.value}"
    return f"{one.key}{value} ({one.evidence}x, last {_day(one.last_at)})"


def _case(case: Matter) -> str:
    return f"case {case.case_id}"


def _day(at: int) -> str:
    try:
        return datetime.fromtimestamp(at / 1000, UTC).date().isoformat()
    except (ValueError, OverflowError, OSError):  # of a time that no calendar has
        return "an unknown day"


def _number(value: float) -> str:
    """A number as ClickHouse writes it: whole ones without a point."""
    return str(int(value)) if value == int(value) else repr(value)
