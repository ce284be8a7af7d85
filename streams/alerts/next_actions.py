"""What may be done for a customer, from when until when, and why. Pure.

Everything here is a function of what a customer's events (and open alerts) say. No clock is asked: what begins or ends
by the clock alone says when (`begins_at`, `ends_at`), and who reads it compares these with the time. So an overdue case
is due to the millisecond without a timer, and `rihla verify` can compute every row again. Which actions are proposed,
and in which order, the model says (streams.model.actions), by what they were found to change: see `proposed`.

Periods of days are of 24 hours each. Named days, and the day of arrival, are those of a time zone: of the unit that an
action is about, else of the company (`zone` of guests.toml).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from math import log
from typing import Any, Final, NamedTuple

from streams.model.actions import ACTIONS, Actions
from streams.model.currencies import as_text
from streams.model.vocabulary import DAY_MS
from streams.model.zones import ZoneInfo
from streams.model.zones import zone as time_zone

UNANSWERED_MS: Final = 2 * DAY_MS
UNRESOLVED_MS: Final = 5 * DAY_MS
"""After which a case is overdue: without any answer, and without a resolution."""
FOLLOWED_MS: Final = 30 * DAY_MS
"""For how long a bad answer to a survey is to be followed up."""
TOLD_MS: Final = 90 * DAY_MS
"""For how long an improvement is still news."""
SPOKEN_MS: Final = 90 * DAY_MS
"""How long after their last event an advocate is asked for a review."""
AHEAD_DAYS: Final = 60
"""Days before its arrival from which a stay is prepared."""
NO_HABITS: Final = frozenset(("language", "meal_plan", "room_type", "messages"))
"""Preferences that nobody prepares a stay for."""
ANSWERING: Final = re.compile("_(answered|resolved|paid|given|told|done|delivered|traced|returned)$")
"""Touchpoints at which somebody of the company has answered the customer, where they are no survey."""
SPEAKING: Final = frozenset({"post_travel.referral_made", "post_travel.review_posted", "post_travel.review_requested"})
TOLD: Final = "post_travel.improvement_told"
SURVEYS: Final = ("nps", "csat", "stars")
HALF_LIFE_MS: Final = 30 * DAY_MS
_MINUTE: Final = 60_000
_EPOCH: Final = date(1970, 1, 1).toordinal()
UTC: Final = time_zone("UTC")
_UNKNOWN: Final = "an unknown day"


class Action(NamedTuple):
    """Something that may be done. Times are epoch ms.

    evidence: what it rests on. begins_at: None: at once. ends_at: None: until events end it.
    """

    action: str
    reason: str
    evidence: str
    begins_at: int | None = None
    ends_at: int | None = None


class Proposal(NamedTuple):
    """An action that is proposed now. priority: its rank, 1 first."""

    priority: int
    action: str
    reason: str
    evidence: str


class Habit(NamedTuple):
    """A preference."""

    key: str
    value: str
    evidence: int
    last_at: int


def proposed(found: Iterable[Action], model: Actions, now: int) -> list[Proposal]:
    """What to do now of what may be done, the most urgent first.

    model: what it says of each action: its rank, and whether it is proposed. now: epoch ms.
    """
    some = []
    for one in found:
        said = model.by_name.get(one.action)
        is_now = (one.begins_at is None or one.begins_at <= now) and (one.ends_at is None or now < one.ends_at)
        if is_now and said is not None and said.propose:
            some.append(Proposal(said.rank, one.action, one.reason, one.evidence))
    return sorted(some, key=lambda one: (one.priority, one.evidence))


def ordered(found: Iterable[Action]) -> list[Action]:
    """In the order in which they are published."""
    return sorted(found, key=lambda one: (ACTIONS.index(one.action), one.evidence))


def answer_alert(alert_id: str, rule: str, unit: str | None, at: int, reason: str, zone: ZoneInfo) -> Action:
    """A critical alert is open. at: when what it is about happened. zone: of its unit."""
    about = f"{rule}, {unit}" if unit else rule
    return Action(
        "answer_alert", f"A critical alert ({about}) is open since {day(at, zone)}: {reason}", f"alert {alert_id}"
    )


def call_about_case(case_id: str, unit: str | None, since: int, answered: bool, zone: ZoneInfo) -> Action:
    """A case is open. since: when it was opened or, if that was later, reopened. zone: of its unit."""
    how = "answered but not resolved" if answered else "without any answer"
    reason = f"Case {case_id}{f' of {unit}' if unit else ''} is open since {day(since, zone)}, {how}"
    due = since + (UNRESOLVED_MS if answered else UNANSWERED_MS)
    return Action("call_about_case", reason, f"case {case_id}", due)


def manager_call(sentiment: float, evidence: float, spend: Mapping[str, int], fades_at: int) -> Action | None:
    """Somebody with a negative profile. spend: currency -> minor units. fades_at: when the profile is so no longer.

    None where no money was spent.
    """
    spent = sorted((currency, minor) for currency, minor in spend.items() if minor > 0)
    if not spent:
        return None
    sums = ", ".join(as_text(currency, minor) for currency, minor in spent)
    reason = f"Feels badly about us ({felt(sentiment)}) and has spent {sums}"
    return Action("manager_call", reason, f"profile negative, evidence {number(evidence, 1)}", None, fades_at)


def follow_up_detractor(instrument: str, score: float, at: int, event_id: str, zone: ZoneInfo) -> Action:
    """The latest answer to a survey was bad, and nobody has answered since. zone: of the company."""
    said = f"Answered {instrument} with {number(score, 6)} on {day(at, zone)}"
    reason = f"{said}, and nobody has answered since"
    return Action("follow_up_detractor", reason, f"event {event_id}", None, at + FOLLOWED_MS)


def is_bad(instrument: str, score: float) -> bool:
    """Whether somebody should follow up an answer: NPS 0 to 6, CSAT and stars 1 and 2."""
    return score <= (6 if instrument == "nps" else 2)


def tell_improvement(case_id: str, resolved_at: int, zone: ZoneInfo) -> Action:
    """A case was resolved, and its customer was not told since of what was improved. zone: of its unit."""
    when = f"was resolved on {day(resolved_at, zone)}"
    reason = f"Case {case_id} {when}, and the customer was not told what was improved"
    return Action("tell_improvement", reason, f"case {case_id}", None, resolved_at + TOLD_MS)


def is_habit(key: str, value: str) -> bool:
    """Whether a stay is prepared for a preference."""
    return value != "no" and key not in NO_HABITS


def prepare_stay(
    journey_id: str, arrives: date, booked_at: int, habits: Iterable[Habit], zone: ZoneInfo
) -> Action | None:
    """A booked stay, until its day of arrival is over. None where nothing is known that was not said again with the
    booking.

    habits: of which `is_habit` holds. zone: of the company.
    """
    wanted = [one for one in habits if one.last_at < booked_at]
    if not wanted:
        return None
    reason = f"Arrives on {arrives} and has asked for or used before: {', '.join(_shown(one, zone) for one in wanted)}"
    begins, ends = _midnight(arrives, zone) - AHEAD_DAYS * DAY_MS, _midnight(arrives + timedelta(days=1), zone)
    return Action("prepare_stay", reason, f"journey {journey_id}", begins, ends)


def ask_for_review(sentiment: float, evidence: float, last_at: int, fades_at: int) -> Action:
    """An advocate with a completed journey and nothing open, who has not spoken of us. last_at: of their last event."""
    reason = f"An advocate ({felt(sentiment)}) with a completed journey who has not recommended or reviewed us yet"
    about = f"profile advocate, evidence {number(evidence, 1)}"
    return Action("ask_for_review", reason, about, None, min(fades_at, last_at + SPOKEN_MS))


def fades_at(at: int, weight: float, total: float, bound: float) -> int:
    """When a fading score comes back to a bound beyond which it is at `at`; to the minute, epoch ms.

    weight, total: W and S of the 30-day score S / (W + 1), at `at`; both halve every 30 days.
    """
    left = bound / (total - bound * weight) if total != bound * weight else 1.0
    if not 0.0 < left < 1.0 - 1e-6:  # nearer, the order of additions would decide
        return at
    return round((at - log(left) * HALF_LIFE_MS / log(2)) / _MINUTE) * _MINUTE


def arrival(text: str) -> date:
    """A day as events name it (streams.model.days)."""
    return date.fromisoformat(text)


def _midnight(of: date, zone: ZoneInfo) -> int:
    """When a day begins, epoch ms; where clocks leave midnight out, when they would show it by the hour before."""
    return int(datetime(of.year, of.month, of.day, tzinfo=zone).timestamp() * 1000)


def day(at: int, zone: ZoneInfo) -> str:
    """The day of a moment in a time zone, as in `2027-03-01`."""
    if zone is UTC:
        return _day(at // DAY_MS)
    try:
        return datetime.fromtimestamp(at / 1000, UTC).astimezone(zone).date().isoformat()
    except (ValueError, OverflowError, OSError):  # of a time that no calendar has
        return _UNKNOWN


@lru_cache(maxsize=4096)
def _day(number: int) -> str:
    """A day of UTC. number: of days since the epoch."""
    try:
        return date.fromordinal(_EPOCH + number).isoformat()
    except (ValueError, OverflowError):  # as in `day`
        return _UNKNOWN


def felt(sentiment: float) -> str:
    """A 30-day score, for people. Rounded twice, as the first digits would otherwise show the order of additions."""
    return f"30-day sentiment {number(sentiment, 2)} at the last event"


def number(value: float, digits: int) -> str:
    """A number rounded to `digits` decimal places; a whole one without a point."""
    if value != int(value):  # most are whole, and need no rounding
        value = round(round(value, 6), digits)
    return str(int(value)) if value == int(value) else repr(value)


def _shown(one: Habit, zone: ZoneInfo) -> str:
    value = "" if one.value == "yes" else f" {one.value}"
    return f"{one.key}{value} ({one.evidence}x, last {day(one.last_at, zone)})"


def of_record(some: Sequence[Mapping[str, Any]]) -> list[Action]:
    """The actions of a record of next_action.avsc, in its frame form."""
    return [Action(**one) for one in some]
