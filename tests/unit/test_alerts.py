"""Each rule that comes with Rihla: what raises its alert, what acknowledges and closes it, and what does not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.alert_worlds import DAY, HOUR, NOW, World, event

MINUTE = HOUR // 60


def one(world: World, rule: str) -> dict[str, Any]:
    """The only alert of a rule."""
    (alert,) = [alert for alert in world.alerts.values() if alert["rule"] == rule]
    return alert


@pytest.mark.parametrize(("answer", "raised"), [(0, True), (6, True), (7, False), (10, False)])
def test_detractor(answer: float, raised: bool) -> None:
    world = World()
    world.take([event(1, 0, "post_travel.nps_answered", nps=answer, unit="HTL")])
    assert ("detractor" in world.open()) == raised
    if raised:
        alert = one(world, "detractor")
        assert alert["reason"] == f"answered {answer} of 10 to whether they would recommend us"
        assert (alert["severity"], alert["unit"], alert["occurred_at"], alert["raised_at"]) == ("high", "HTL", NOW, NOW)
        world.take([event(2, 5, "post_travel.improvement_told")])
        assert one(world, "detractor")["closed_at"] == NOW + 5


def test_another_answer_within_the_cooldown_is_the_same_alert_and_opens_it_again() -> None:
    start = (NOW // (7 * DAY)) * 7 * DAY - NOW  # of the window
    world = World()
    world.take([event(1, start, "post_travel.nps_answered", nps=1)])
    world.take([event(2, start + 1, "post_travel.goodwill_given")])
    assert world.open() == {}
    world.take([event(3, start + 2, "post_travel.nps_answered", nps=2)])
    assert world.open() == {"detractor": ["a"]}
    assert one(world, "detractor")["occurred_at"] == NOW + start
    world.take([event(4, start + 7 * DAY, "post_travel.nps_answered", nps=2)])
    assert world.open() == {"detractor": ["a", "a"]}


@pytest.mark.parametrize(
    ("score", "reach", "raised"), [(-0.3, 100, True), (-0.9, 5000, True), (-0.9, 99, False), (-0.2, 5000, False)]
)
def test_negative_review_with_reach(score: float, reach: int, raised: bool) -> None:
    world = World()
    world.take([event(1, 0, "post_travel.review_posted", score=score, reach=reach)])
    assert ("negative_review" in world.open()) == raised


@pytest.mark.parametrize(
    ("said", "raised"),
    [
        ({"touchpoint": "stay.halal_breach"}, True),
        ({"touchpoint": "post_travel.review_posted", "aspects": [("prayer", -0.6)]}, True),
        ({"touchpoint": "post_travel.review_posted", "aspects": [("food", 0.2), ("halal_food", -0.1)]}, True),
        ({"touchpoint": "post_travel.review_posted", "aspects": [("halal_food", None)], "score": -0.5}, True),
        ({"touchpoint": "post_travel.review_posted", "aspects": [("halal_food", 0.8), ("wifi", -0.9)]}, False),
        ({"touchpoint": "post_travel.review_posted", "aspects": [("halal_food", 0.8)], "score": -0.5}, False),
        ({"touchpoint": "stay.complaint_made", "aspects": [("halal_food", 0.3)]}, True),
        ({"touchpoint": "stay.complaint_made", "aspects": [("wifi", -0.9)]}, False),
    ],
)
def test_halal_breach(said: dict[str, Any], raised: bool) -> None:
    world = World()
    world.take([event(1, 0, **said)])
    assert ("halal_breach" in world.open()) == raised


def test_what_closes_is_of_the_same_case_or_journey() -> None:
    world = World()
    world.take([event(1, 0, "stay.halal_breach", booking_ref="R1", case_id="C1")])
    world.take([event(2, 1, "stay.complaint_resolved", booking_ref="R2", case_id="C2")])
    world.take([event(3, 1, "stay.maintenance_done", booking_ref="R1", case_id="C3")])
    assert world.open() == {"halal_breach": ["a"]}
    world.take([event(4, 2, "stay.complaint_answered", case_id="C1")])
    assert one(world, "halal_breach")["acknowledged_at"] == NOW + 2
    assert one(world, "halal_breach")["closed_at"] is None
    world.take([event(5, 3, "stay.maintenance_done", booking_ref="R9", case_id="C1")])
    assert one(world, "halal_breach")["closed_at"] == NOW + 3


def test_a_case_that_nobody_answers_and_nobody_resolves() -> None:
    world = World()
    world.take([event(1, 0, "stay.complaint_made", case_id="C1"), event(2, 0, "stay.bill_disputed", case_id="C2")])
    world.take([event(3, 2 * HOUR, "stay.complaint_answered", case_id="C1")])
    assert world.tick() == []
    world.now += 24 * HOUR
    world.restart()
    assert world.tick() == ["customer:a"]
    assert one(world, "case_unanswered")["reason"] == "no first response within 1d of stay.bill_disputed"
    world.now += 4 * DAY
    world.take([event(4, 4 * DAY, "stay.complaint_resolved", case_id="C1")])
    world.tick()
    assert world.open() == {"case_unanswered": ["a"], "case_overdue": ["a"]}
    world.take([event(5, 5 * DAY + 1, "stay.complaint_resolved", case_id="C2")])
    assert world.open() == {}


def test_a_timer_goes_by_the_events_read_while_there_are_more_to_read() -> None:
    world = World()
    world.take([event(1, 0, "stay.complaint_made", case_id="C1")])
    world.now += 3 * DAY
    assert world.tick(until=NOW + 23 * HOUR) == []
    world.take([event(2, 23 * HOUR, "stay.complaint_answered", case_id="C1")])
    world.tick()
    assert "case_unanswered" not in world.open()


def test_an_alert_of_a_timer_that_was_stored_and_not_published_is_published_by_the_next_worker() -> None:
    world = World()
    world.take([event(1, 0, "booking.payment_failed", booking_ref="R1")])
    world.now += 6 * HOUR
    world.tick(crash=True)
    assert world.alerts == {}
    world.restart()
    world.tick()
    assert world.open() == {"journey_stalled": ["a"]}


@pytest.mark.parametrize(
    "after", ["booking.payment_made", "booking.confirmed", "check_in.completed", "booking.cancelled"]
)
def test_a_booking_that_goes_on_is_not_stalled(after: str) -> None:
    world = World()
    world.take([event(1, 0, "booking.payment_failed", booking_ref="R1")])
    world.take([event(2, 5 * HOUR, after, booking_ref="R1")])
    world.now += 6 * HOUR
    world.tick()
    assert world.alerts == {}


def test_sentiment_that_drops_and_recovers() -> None:
    world = World()
    scores = (0.9, 0.9, -0.9, -0.9, -0.9, -0.9)
    for number, score in enumerate(scores):
        world.take([event(number, number * MINUTE, "stay.survey_answered", score=score)])
    alert = one(world, "sentiment_drop")
    assert alert["closed_at"] is None
    assert "fell from 0.60 to -0.26" in alert["reason"]
    for number in range(10, 30):
        world.take([event(number, number * MINUTE, "stay.survey_answered", score=0.9)])
    assert one(world, "sentiment_drop")["closed_at"] is not None


def test_a_customer_who_turns_out_to_be_another_keeps_one_open_alert() -> None:
    world = World()
    world.take([event(1, 0, "stay.halal_breach", subject="device:d", booking_ref="R1", case_id="C1")])
    assert world.open() == {"halal_breach": ["device:d"]}
    world.tell("device:d", "customer:a", 1)
    world.deliver()
    assert world.open() == {"halal_breach": ["a"]}
    assert world.moves == {}  # nobody changed their mind
    world.take([event(2, 5, "stay.complaint_resolved", case_id="C1")])
    assert world.open() == {}


def test_moves_tell_their_cause_and_a_rebuild_logs_none() -> None:
    rows = [
        event(1, 0, "stay.survey_answered", score=1.0, unit="H1", booking_ref="R1"),
        event(2, 1, "stay.wifi_used"),
        event(3, 2, "stay.complaint_made", score=-1.0, unit="H2"),
        event(4, 3, "stay.complaint_made", score=-1.0, unit="H2"),
    ]
    world = World()
    world.take(rows)
    moves = sorted(world.moves.values(), key=lambda move: move["occurred_at"])
    told = [(m["from_profile"], m["to_profile"], m["touchpoint"], m["unit"], m["journey_id"]) for m in moves]
    assert told == [
        ("non_committal", "advocate", "stay.survey_answered", "H1", "a/R1"),
        ("advocate", "non_committal", "stay.complaint_made", "H2", None),
        ("non_committal", "negative", "stay.complaint_made", "H2", None),
    ]
    rebuilt = World()
    rebuilt.take(rows, restored=range(len(rows)))
    assert rebuilt.moves == {}
    rebuilt.take([event(9, 9, "stay.survey_answered", score=1.0)])
    assert all(move["event_id"] == event(9, 9, "")["event_id"] for move in rebuilt.moves.values())


def test_a_second_cause_opens_an_alert_with_a_delay_again_only_after_that_delay() -> None:
    window = 7 * DAY - NOW % (7 * DAY)  # all in one window of the cooldown
    world = World(now=NOW + window + 7 * HOUR)
    world.take([event(1, window, "booking.payment_failed", booking_ref="R1")])
    world.tick()
    world.take([event(2, window + 8 * HOUR, "booking.payment_made", booking_ref="R1")])
    world.take([event(3, window + 9 * HOUR, "booking.payment_failed", booking_ref="R1")])
    world.now = NOW + window + 14 * HOUR
    world.tick()
    assert one(world, "journey_stalled")["closed_at"] == NOW + window + 8 * HOUR
    world.now = NOW + window + 15 * HOUR
    world.tick()
    assert one(world, "journey_stalled")["closed_at"] is None


def test_a_cause_that_was_answered_in_time_is_no_part_of_the_alert_of_the_next_one() -> None:
    window = 7 * DAY - NOW % (7 * DAY)
    world = World(now=NOW + window + 10 * HOUR)
    world.take([event(1, window, "booking.payment_failed", booking_ref="R1")])
    world.take([event(2, window + 2 * HOUR, "booking.payment_made", booking_ref="R1")])
    world.take([event(3, window + 3 * HOUR, "booking.payment_failed", booking_ref="R1")])
    world.tick()
    alert = one(world, "journey_stalled")
    assert alert["occurred_at"] == NOW + window + 3 * HOUR
    world.take([event(4, window + 4 * HOUR, "stay.wifi_used", booking_ref="R1")])
    assert {**one(world, "journey_stalled"), "version": alert["version"]} == alert


def test_after_a_rebuild_an_old_alert_is_still_open_and_what_answers_it_closes_it() -> None:
    world = World()
    rows = [
        event(1, 0, "stay.complaint_made", case_id="C1", aspects=[("halal_food", -0.5)]),
        event(2, HOUR, "stay.complaint_made", case_id="C1", aspects=[("halal_food", -0.5)]),
        event(3, 2 * HOUR, "stay.complaint_answered", case_id="C1"),
        *(event(10 + number, number * MINUTE, "stay.survey_answered", score=0.9) for number in range(2)),
        *(event(20 + number, number * MINUTE, "stay.survey_answered", score=-0.9) for number in range(5, 12)),
    ]
    world.take(rows)
    before = dict(world.alerts)
    assert {alert["rule"] for alert in before.values() if alert["closed_at"] is None} >= {
        "halal_breach",
        "sentiment_drop",
    }

    later = world.rebuilt(rows, NOW + 40 * DAY)
    assert said(later) == said(world)
    assert later.tick() == []
    later.take([event(90, 40 * DAY, "stay.complaint_resolved", case_id="C1")])
    assert later.open() == {}
    closed = one(later, "halal_breach")
    assert closed["closed_at"] == NOW + 40 * DAY
    assert {**closed, "closed_at": None, "version": 0} == {**before[closed["alert_id"]], "version": 0}


def said(world: World) -> dict[str, dict[str, Any]]:
    return {key: {**alert, "version": 0} for key, alert in world.alerts.items()}
