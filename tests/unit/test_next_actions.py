"""What stitch says may be done for customers: each rule on events around START, and when a record is published."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from streams.alerts import rules
from streams.alerts.match import Matcher
from streams.alerts.next_actions import Action, proposed
from streams.guest.noting import Noter
from streams.model.company import built_in
from streams.model.guests import Guests
from streams.stitch.changes import Changes
from streams.stitch.encoding import decode, encode
from streams.stitch.events import Events
from streams.stitch.eviction import evict
from streams.stitch.fold import fold_due, fold_messages, fold_unsaid
from streams.stitch.messages import Messages
from streams.stitch.observer import RuleContext
from streams.stitch.reading import NOTHING as NOTHING_SAID
from streams.stitch.subject import NOTHING, TAKEN_BACK
from tests.support.plain_workers import DAY_MS as DAY
from tests.support.plain_workers import START_MS as START
from tests.support.plain_workers import interaction, log_of

ANN, DEVICE = [("customer", "ann")], [("device", "d")]
MINUTE = 60_000
RULES = rules.of(built_in())
BUILT_IN = built_in().guests
WATCHED = Matcher(RULES, built_in().touchpoints, built_in().brands)
NOTER = Noter(BUILT_IN, built_in().touchpoints)


def day(offset: int) -> str:
    """The date so many days after START, UTC."""
    return dt.datetime.fromtimestamp(START / 1000 + offset * 86_400, dt.UTC).date().isoformat()


class Stitch:
    """One partition of stitch, with all rules of alerts, whose clock stands at START."""

    def __init__(self, guests: Guests = BUILT_IN) -> None:
        self.states: dict[bytes, bytes] = {}
        self.context = RuleContext(RULES, START, guests=guests)
        self.offset = self.number = 0
        self.shown: dict[str, list[Action]] = {}
        """By customer, what was published last."""

    def hear(self, *said: dict[str, Any]) -> Changes:
        """Fold some events in one batch; `ids` is ANN where they say nothing."""
        every = []
        for one in said:
            self.number += 1
            every.append(interaction(self.number, **{"ids": ANN, **one}))
        log = log_of(every)
        offsets = range(self.offset, self.offset + log.height)
        watched = WATCHED.watched(log, START)
        for row, noted in NOTER.noted(log, START).items():
            signals, answer, _ = watched.get(row, NOTHING_SAID)
            watched[row] = signals, answer, noted
        self.offset += log.height
        grouped = Events().by_subject(log, log["subject"].to_list(), offsets, watched)
        return self.apply(fold_messages(self.states.get, Messages(grouped), self.context))

    def apply(self, changes: Changes) -> Changes:
        self.states.update(changes.states)
        for customer, found, _ in changes.next_actions:
            self.shown[customer] = found
        return changes

    def of(self, customer: str = "ann") -> list[Action]:
        return self.shown.get(customer, [])

    def now(self, at: int = START, customer: str = "ann") -> list[str]:
        """Names of what is proposed at a moment."""
        return [one.action for one in proposed(self.of(customer), built_in().actions, at)]


def heard(*said: dict[str, Any]) -> Stitch:
    stitch = Stitch()
    stitch.hear(*said)
    return stitch


def complaint(after: int, case: str = "K1", what: str = "stay.complaint_made", **said: Any) -> dict[str, Any]:
    return {"touchpoint": what, "channel": "stay", "case_id": case, "after": after, **said}


def test_a_case_is_overdue_to_the_millisecond() -> None:
    """Unanswered after two days, answered and unresolved after five, reopened counted from then."""
    stitch = heard(complaint(0, unit="desk"))
    reason = f"Case K1 of desk is open since {day(0)}, without any answer"
    assert stitch.of() == [Action("call_about_case", reason, "case K1", START + 2 * DAY)]
    assert (stitch.now(START + 2 * DAY - 1), stitch.now(START + 2 * DAY)) == ([], ["call_about_case"])
    stitch.hear(
        {"touchpoint": "post_travel.complaint_answered", "channel": "post_travel", "case_id": "K1", "after": DAY}
    )
    (answered,) = stitch.of()
    assert answered.reason.endswith("answered but not resolved")
    assert answered.begins_at == START + 5 * DAY
    stitch.hear(complaint(6 * DAY, what="post_travel.complaint_reopened", channel="post_travel"))
    assert [one.begins_at for one in stitch.of()] == [START + 11 * DAY]


def test_a_manager_calls_who_feels_badly_and_has_spent_until_that_has_faded() -> None:
    """-1 of weight 1 twice: -2 / 3. It is -0.25 where 2 f = 0.25 (2 f + 1): f = 1 / 6, after log2(6) half-lives."""
    angry = {"score": -1.0, "score_weight": 1.0}
    spent = {"money": (90_000, "SAR"), "booking_ref": "R1"}
    assert heard(angry, angry).of() == []
    stitch = heard({**angry, **spent}, angry, {"money": (-100, "EUR")})
    (call,) = stitch.of()
    assert call.reason == "Feels badly about us (30-day sentiment -0.67 at the last event) and has spent 900.00 SAR"
    assert call.evidence == "profile negative, evidence 2"
    assert call.ends_at == round((START + 2.584962500721156 * 30 * DAY) / MINUTE) * MINUTE
    assert (stitch.now(call.ends_at - 1), stitch.now(call.ends_at)) == (["manager_call"], [])
    assert heard({**spent, "score": -0.5, "score_weight": 1.0}).of() == [], "-0.25 exactly: it fades at once"


@pytest.mark.parametrize(
    ("instrument", "score", "after", "follow"),
    [
        ("nps", 3.0, {}, True),
        ("nps", 7.0, {}, False),
        ("csat", 2.0, {}, True),
        ("stars", 3.0, {}, False),
        ("ces", 1.0, {}, False),
        ("nps", 3.0, {"touchpoint": "post_travel.complaint_answered"}, False),
        ("nps", 3.0, {"touchpoint": "booking.page_viewed"}, True),
        ("nps", 3.0, {"survey": ("nps", 9.0)}, False),
        ("nps", 3.0, {"after": 30 * DAY}, False),
    ],
)
def test_detractors(instrument: str, score: float, after: dict[str, Any], follow: bool) -> None:
    stitch = heard({"survey": (instrument, score)}, *([{"after": DAY, **after}] if after else []))
    reason = f"Answered {instrument} with {score:g} on {day(0)}, and nobody has answered since"
    about = "event 00000001-0000-4000-8000-000000000007"
    expected = [Action("follow_up_detractor", reason, about, None, START + 30 * DAY)]
    assert stitch.of() == (expected if follow else [])


def test_improvements_to_tell() -> None:
    """Of two that were resolved: telling of one leaves the other, telling of none in particular is of both."""
    resolved = [complaint(9, case, "post_travel.case_resolved", channel="post_travel") for case in ("K1", "K2")]
    stitch = heard(complaint(0, "K1"), complaint(0, "K2"), *resolved)
    assert [(one.action, one.evidence, one.ends_at) for one in stitch.of()] == [
        ("tell_improvement", "case K1", START + 9 + 90 * DAY),
        ("tell_improvement", "case K2", START + 9 + 90 * DAY),
    ]
    told = {"touchpoint": "post_travel.improvement_told", "channel": "post_travel", "after": DAY}
    stitch.hear({**told, "case_id": "K1"})
    assert [one.evidence for one in stitch.of()] == ["case K2"]
    changes = stitch.hear(told)
    assert [(customer, found) for customer, found, _ in changes.next_actions] == [("ann", [])], "taken back"


def test_preferences_of_who_arrives() -> None:
    """The mat is known from before the booking, the diet was said with it; a cancelled stay is not prepared."""
    mat = {"touchpoint": "stay.prayer_mat_requested", "channel": "stay"}
    booked = {
        "touchpoint": "booking.confirmed", "booking_ref": "R1", "after": DAY, "arrival_date": day(80),
        "attributes": [{"key": "diet", "value": "halal"}],
    }  # fmt: skip
    stitch = heard(mat, booked)
    (stay,) = stitch.of()
    assert stay.reason == f"Arrives on {day(80)} and has asked for or used before: prayer_mat (1x, last {day(0)})"
    midnight = int(dt.datetime.fromisoformat(day(80) + "T00:00Z").timestamp() * 1000)
    assert (stay.evidence, stay.begins_at) == ("journey ann/R1", midnight - 60 * DAY)
    assert stay.ends_at == midnight + DAY
    stitch.hear({"touchpoint": "booking.cancelled", "booking_ref": "R1", "after": 2 * DAY})
    assert stitch.of() == []


def test_advocates_are_asked_once_and_not_while_anything_is_open() -> None:
    happy = {"score": 1.0, "score_weight": 1.0}
    left = {"touchpoint": "stay.checked_out", "channel": "stay", "booking_ref": "R1"}
    stitch = heard(happy, happy, left)
    (ask,) = stitch.of()
    assert ask.action == "ask_for_review"
    assert (ask.ends_at or 0) < START + 90 * DAY, "the feeling has faded before"
    assert "0.67 at the last event) with a completed journey" in ask.reason
    assert heard(happy, happy).of() == []
    for other in ({"touchpoint": "post_travel.referral_made", "channel": "post_travel"}, complaint(1)):
        assert "ask_for_review" not in [one.action for one in heard(happy, happy, happy, left, other).of()]


def test_grave_alerts_come_first_at_once_and_go_as_they_are_closed_or_their_customer_is_another() -> None:
    stitch = heard(complaint(-3 * DAY))
    assert stitch.now() == ["call_about_case"]
    stitch.hear({"touchpoint": "stay.group_member_lost", "channel": "stay", "unit": "hotel"})
    assert stitch.now() == ["answer_alert", "call_about_case"]
    answer = stitch.of()[0]
    assert answer.reason.startswith(f"A critical alert (lost_member, hotel) is open since {day(0)}: ")
    changes = stitch.apply(
        fold_messages(
            stitch.states.get, Messages(identities={"customer:ann": [(0, "customer:abe", 1)]}), stitch.context
        )
    )
    assert [(customer, found) for customer, found, _ in changes.next_actions] == [("ann", [])]


def test_nothing_is_said_of_who_gives_no_reason_and_nothing_twice() -> None:
    stitch = Stitch()
    plain = {"score": 0.2, "score_weight": 1.0, "booking_ref": "R1", "money": (100, "SAR")}
    assert stitch.hear(plain, {"after": DAY}).next_actions == []
    assert decode(stitch.states[b"customer:ann"]).actions == NOTHING
    assert len(stitch.hear(complaint(DAY)).next_actions) == 1
    assert decode(stitch.states[b"customer:ann"]).actions not in (NOTHING, TAKEN_BACK)
    assert stitch.hear({"after": 2 * DAY}).next_actions == [], "nothing of it has changed"


def test_a_state_of_before_says_it_with_its_next_event() -> None:
    stitch = heard(complaint(0))
    of_before(stitch)
    assert [row[1][0].action for row in stitch.hear({"after": 1}).next_actions] == ["call_about_case"]


def of_before(stitch: Stitch, name: str = "customer:ann") -> None:
    """The state of a subject as a version without next actions writes it."""
    state = decode(stitch.states[name.encode()])
    state.actions = None
    stitch.states[name.encode()] = encode(state)


def caught_up(stitch: Stitch, *names: str) -> Changes:
    return stitch.apply(fold_unsaid(stitch.states.get, names, stitch.context.guests))


def test_a_state_of_before_says_it_without_an_event_once() -> None:
    stitch = heard(complaint(0))
    of_before(stitch)
    version = decode(stitch.states[b"customer:ann"]).version
    ((customer, (action,), said),) = caught_up(stitch, "customer:ann", "customer:nobody").next_actions
    assert (customer, action.action, said) == ("ann", "call_about_case", version)
    assert caught_up(stitch, "customer:ann").states == {}
    assert stitch.hear({"after": 1}).next_actions == [], "the next event says nothing new"


def agreed(after: int, *pairs: tuple[str, str], what: str = "given") -> dict[str, Any]:
    attributes = [{"key": key, "value": value} for key, value in pairs]
    return {"touchpoint": f"stay.consent_{what}", "channel": "stay", "after": after, "attributes": attributes}


def test_consents_are_in_the_record_and_said_again_of_states_of_before() -> None:
    stitch = Stitch()
    first = stitch.hear(agreed(-400 * DAY, ("purpose", "survey"), ("channel", "email"), ("source", "form")))
    expected = [("survey", "email", True, "form", START - 400 * DAY)]
    assert [row[15] for row in first.customers] == [expected]
    changes = stitch.hear({"after": 0})
    assert [row[15] for row in changes.customers] == [expected], "a year later, too"
    assert caught_up(stitch, "customer:ann").customers == []
    of_before(stitch)
    assert caught_up(stitch, "customer:ann").customers == changes.customers
    assert caught_up(stitch, "customer:ann").customers == []


def test_a_timer_that_comes_first_says_consents_of_a_state_of_before() -> None:
    stitch = heard(agreed(0, what="withdrawn"), complaint(0))
    of_before(stitch)
    changes = fold_due(stitch.states.get, ["customer:ann"], stitch.context, START + 10 * DAY)
    assert [row[15] for row in changes.customers] == [[("any", "any", False, "", START)]]
    stitch.states.update(changes.states)
    assert caught_up(stitch, "customer:ann").customers == []


def test_who_said_nothing_of_consent_is_not_published_again() -> None:
    stitch = heard(complaint(0))
    of_before(stitch)
    assert caught_up(stitch, "customer:ann").customers == []


def test_what_held_before_a_rollback_and_ended_during_it_is_taken_back() -> None:
    stitch = heard(complaint(0))
    assert stitch.of()
    stitch.hear({"touchpoint": "post_travel.complaint_resolved", "channel": "post_travel", "case_id": "K1", "after": 1})
    stitch.hear({"touchpoint": "post_travel.improvement_told", "channel": "post_travel", "after": 2})
    stitch.shown["ann"] = [Action("call_about_case", "", "case K1")]  # as the version between said nothing
    of_before(stitch)
    caught_up(stitch, "customer:ann")
    assert stitch.of() == []
    assert decode(stitch.states[b"customer:ann"]).actions == NOTHING


def test_who_was_a_customer_and_is_none_any_more_has_all_taken_back() -> None:
    stitch = heard(complaint(0))
    merged = Messages(identities={"customer:ann": [(0, "customer:abe", 1)]})
    stitch.apply(fold_messages(stitch.states.get, merged, stitch.context))
    of_before(stitch)
    assert [row[:2] for row in caught_up(stitch, "customer:ann").next_actions] == [("ann", [])]


def test_who_was_evicted_before_is_asked_back_once() -> None:
    stitch = heard({"survey": ("nps", 3.0), "after": -90 * DAY})
    of_before(stitch)
    stub = evict(stitch.states[b"customer:ann"], before=2**60)
    assert stub is not None
    stitch.states[b"customer:ann"] = stub
    changes = caught_up(stitch, "customer:ann")
    assert ([row[0] for row in changes.recalls], changes.next_actions) == (["customer:ann"], [])
    assert caught_up(stitch, "customer:ann").recalls == []


def test_what_a_timer_changed_is_said_again_until_it_is_known_to_be_published() -> None:
    """A turn that crashed after its state was stored: the timer goes off again, or an event comes first."""
    stitch, unheard = heard(complaint(0)), START + 10 * DAY
    changes = fold_due(stitch.states.get, ["customer:ann"], stitch.context, unheard)
    assert changes.alerts
    assert [row[1][0].action for row in changes.next_actions] == ["call_about_case"]
    stitch.states.update(changes.states)
    assert fold_due(stitch.states.get, ["customer:ann"], stitch.context, unheard).next_actions == changes.next_actions
    assert len(stitch.hear({"after": 1}).next_actions) == 1
    assert stitch.hear({"after": 2}).next_actions == []


def test_days_are_those_of_the_unit_else_of_the_company() -> None:
    """START is 2023-11-14T22:13:20Z: the 15th in Makkah, the 14th in New York."""
    guests = replace(built_in().guests, zone="America/New_York", zones=(("MAKKAH-*", "Asia/Riyadh"),))
    stitch = Stitch(guests)
    stitch.hear(complaint(0, unit="MAKKAH-01"), complaint(0, "K2", unit="BOSTON-01"))
    reasons = [one.reason.partition(",")[0] for one in stitch.of() if one.action == "call_about_case"]
    assert reasons == ["Case K1 of MAKKAH-01 is open since 2023-11-15", "Case K2 of BOSTON-01 is open since 2023-11-14"]
    stitch.hear(
        {"touchpoint": "stay.prayer_mat_requested", "channel": "stay", "after": 0, "ids": [("customer", "bob")]},
        {
            "touchpoint": "booking.confirmed", "booking_ref": "R1", "after": DAY, "arrival_date": "2024-03-10",
            "channel": "booking", "ids": [("customer", "bob")],
        },
    )  # fmt: skip
    (stay,) = [one for one in stitch.of("bob") if one.action == "prepare_stay"]
    assert "last 2023-11-14" in stay.reason
    begins, ends = (dt.datetime.fromtimestamp((at or 0) / 1000, dt.UTC) for at in (stay.begins_at, stay.ends_at))
    assert ends == dt.datetime(2024, 3, 11, 4, tzinfo=dt.UTC), "clocks go forward on that day"
    assert begins == dt.datetime(2024, 3, 10, 5, tzinfo=dt.UTC) - dt.timedelta(days=60)
