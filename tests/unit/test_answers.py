"""A person's answer as an event, and what it makes of the alert."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from streams.loop.answers import PAST, TOUCHPOINTS, VERBS, AnswerError, answer_event, given
from streams.model import catalogue
from streams.sources.jsonl import row_of_object
from tests.support.alert_worlds import HOUR, NOW, World, event


def row(answer: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The event of an answer as an interaction."""
    base = event(0, 0, answer["touchpoint"])
    return {**base, **{name: answer[name] for name in base if name in answer}, **more}


def raised(touchpoint: str = "stay.halal_breach", **said: Any) -> tuple[World, dict[str, Any]]:
    world = World()
    world.take([event(1, 0, touchpoint, unit="HTL", booking_ref="R1", **said)])
    (alert,) = [one for one in world.alerts.values() if one["rule"] == "halal_breach"]
    return world, alert


def current(world: World, alert: dict[str, Any]) -> dict[str, Any]:
    return world.alerts[alert["alert_id"]]


def test_every_answer_is_a_touchpoint_of_every_channel() -> None:
    points = catalogue.load()
    for touchpoint, verb in TOUCHPOINTS.items():
        point = points[touchpoint]
        assert point.prior is None  # a manager's click is no opinion of the guest's
        assert point.case_role == {"answer": "response", "resolve": "resolve"}.get(verb)


def test_an_alert_says_what_it_is_about() -> None:
    _, alert = raised(case_id="K-1")
    assert (alert["case_id"], alert["touchpoint"], alert["handler"]) == ("K-1", "stay.halal_breach", None)


def test_the_event_is_one_that_producers_could_send() -> None:
    _, alert = raised()
    said = answer_event("alert", alert, "take", "Fatima", NOW + 5, "on my way")
    read = row_of_object(dict(said))
    assert (read.touchpoint, read.agent_id, read.booking_ref) == ("stay.case_taken", "Fatima", "R1")
    assert [(one.kind, one.value) for one in read.ids] == [("customer", "a")]
    assert said["case_id"] == alert["case_id"]


def test_the_same_click_twice_is_one_event_and_another_click_is_another() -> None:
    _, alert = raised()
    first = answer_event("alert", alert, "take", "Fatima", NOW + 5)
    again = answer_event("alert", alert, "take", " Fatima ", NOW + 9)
    assert first["event_id"] == again["event_id"]
    others = [
        answer_event("alert", alert, "take", "Omar", NOW + 5),
        answer_event("alert", alert, "resolve", "Fatima", NOW + 5),
        answer_event("alert", alert, "take", "Fatima", NOW + 5, "a note"),
        answer_event("alert", alert, "take", "Fatima", NOW + 5, click="2"),
        answer_event("alert", {**alert, "version": alert["version"] + 1}, "take", "Fatima", NOW + 5),
    ]
    assert len({first["event_id"], *(one["event_id"] for one in others)}) == 6
    assert UUID(first["event_id"]).version == 5


def test_taken_then_resolved_closes_this_alert_and_no_other() -> None:
    world, alert = raised("stay.halal_meal_missing")
    world.take([event(2, 1, "post_travel.nps_answered", nps=1)])
    world.take([row(answer_event("alert", alert, "take", "Fatima", NOW + 5))])
    taken = current(world, alert)
    assert (taken["handler"], taken["acknowledged_at"], taken["closed_at"]) == ("Fatima", NOW + 5, None)
    world.take([row(answer_event("alert", taken, "resolve", "Fatima", NOW + 9, "spoke to the kitchen"))])
    assert current(world, alert)["closed_at"] == NOW + 9
    assert world.open() == {"detractor": ["a"]}


def test_resolving_an_alert_resolves_its_case_and_what_hangs_on_that() -> None:
    world, alert = raised()
    world.take([event(2, 1, "post_travel.nps_answered", nps=1)])
    world.take([row(answer_event("alert", alert, "resolve", "Fatima", NOW + 9))])
    assert world.open() == {}


def test_order_does_not_matter() -> None:
    _, alert = raised()
    answers = [
        row(answer_event("alert", alert, verb, who, NOW + at, **more))
        for verb, who, at, more in (
            ("take", "Omar", 2, {}),
            ("decline", "Omar", 4, {}),
            ("assign", "Omar", 5, {"to": "Fatima"}),
            ("snooze", "Fatima", 6, {"until": NOW + HOUR}),
            ("resolve", "Fatima", 8, {}),
        )
    ]
    seen = set()
    for order in (answers, answers[::-1], answers[2:] + answers[:2]):
        world, alert = raised()
        for one in order:
            world.take([one])
        found = current(world, alert)
        seen.add(tuple(found[name] for name in ("handler", "acknowledged_at", "closed_at", "snoozed_until")))
    assert seen == {("Fatima", NOW + 5, NOW + 8, NOW + HOUR)}


def test_not_mine_opens_it_for_others() -> None:
    world, alert = raised()
    world.take([row(answer_event("alert", alert, "take", "Omar", NOW + 2))])
    world.take([row(answer_event("alert", alert, "decline", "Fatima", NOW + 3))])
    assert current(world, alert)["handler"] == "Omar"  # it was not hers to decline
    world.take([row(answer_event("alert", alert, "decline", "Omar", NOW + 4))])
    found = current(world, alert)
    assert (found["handler"], found["acknowledged_at"]) == (None, None)


def test_an_answer_to_a_case_counts_for_the_alerts_of_the_case() -> None:
    world, alert = raised(case_id="K-1")
    case = {**dict.fromkeys(("journey_id", "unit")), "case_id": "K-1", "customer_id": "a", "version": 3}
    case |= {"opened_at": NOW, "touchpoint": "stay.halal_breach"}
    world.take([row(answer_event("case", case, "take", "Omar", NOW + 2))])
    assert current(world, alert)["handler"] == "Omar"
    other = {**case, "case_id": "K-2"}
    world.take([row(answer_event("case", other, "decline", "Omar", NOW + 3))])
    assert current(world, alert)["handler"] == "Omar"


def test_the_cause_finds_it_under_another_id() -> None:
    world, alert = raised()
    said = row(answer_event("alert", alert, "take", "Omar", NOW + 2))
    for one in said["attributes"]:
        if one["key"] == "alert":
            one["value"] = "gone"
    world.take([said])
    assert current(world, alert)["handler"] == "Omar"


@pytest.mark.parametrize(
    ("verb", "person", "more", "says"),
    [
        ("take", "fatima@example.com", {}, "no address"),
        ("take", "", {}, "name"),
        ("assign", "Omar", {}, "to whom"),
        ("take", "Omar", {"to": "Fatima"}, "to whom"),
        ("snooze", "Omar", {}, "until when"),
        ("snooze", "Omar", {"until": NOW - 1}, "to come"),
        ("forget", "Omar", {}, "no answer"),
    ],
)
def test_what_nobody_could_answer(verb: Any, person: str, more: dict[str, Any], says: str) -> None:
    _, alert = raised()
    with pytest.raises(AnswerError, match=says):
        answer_event("alert", alert, verb, person, NOW, **more)


@pytest.mark.parametrize(
    ("customer_id", "journey_id", "ids", "booking"),
    [
        ("C:1", "C:1/R/2", [("customer", "C:1")], "R/2"),
        ("loyalty:L9", "loyalty:L9/visit/2026-01-01T00:00:00Z-00", [("loyalty", "L9")], None),
        ("booking_ref:R7", "booking_ref:R7/R7", [], "R7"),
        ("C", None, [("customer", "C")], None),
    ],
)
def test_whose_answer_it_is(customer_id: str, journey_id: str | None, ids: Any, booking: str | None) -> None:
    _, alert = raised()
    said = answer_event("alert", {**alert, "customer_id": customer_id, "journey_id": journey_id}, "take", "Omar", NOW)
    assert [(one["kind"], one["value"]) for one in said["ids"]] == ids
    assert said["booking_ref"] == booking


def test_what_cannot_be_read_counts_as_not_said() -> None:
    odd = [{"key": "alert_cause", "value": "x/notanid"}, {"key": "snoozed_until", "value": "soon"}]
    assert given("stay.case_snoozed", "Omar", odd) == ("snooze", None, None, "Omar", 0)
    assert given("stay.case_taken", None, None) == ("take", None, None, None, 0)
    assert set(PAST) == set(VERBS)
