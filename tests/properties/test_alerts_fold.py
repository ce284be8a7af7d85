"""Alerts and moves through stitch's core: whatever the order, batches and crashes, the same alerts, open or closed."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.alerts.tally import CLOSED, RAISED
from tests.support.alert_worlds import DAY, HOUR, NOW, World, event

SUBJECTS = ("customer:a", "loyalty:l", "device:d")
TOUCHPOINTS = (
    "stay.halal_breach",
    "stay.complaint_made",
    "stay.complaint_answered",
    "stay.complaint_resolved",
    "stay.complaint_reopened",
    "post_travel.nps_answered",
    "booking.payment_failed",
    "booking.payment_made",
    "post_travel.review_posted",
    "stay.wifi_used",
)
specs = st.lists(
    st.tuples(
        st.sampled_from(SUBJECTS),
        st.integers(-20 * 24, 0),
        st.sampled_from(TOUCHPOINTS),
        st.sampled_from([None, "R1", "R2"]),
        st.sampled_from([None, "c1"]),
        st.sampled_from([None, -1.0, -0.2, 0.5]),
    ),
    min_size=1,
    max_size=14,
)

waits = st.lists(
    st.tuples(
        st.just(SUBJECTS[0]),
        st.integers(-36, 0),
        st.sampled_from(["booking.payment_failed", "booking.payment_failed", "booking.payment_made"]),
        st.just("R1"),
        st.just("c1"),
        st.none(),
    ),
    min_size=2,
    max_size=10,
)
"""What rules with a delay wait for, again and again about the same thing."""


def rows_of(given_specs: Any, one: bool) -> list[dict[str, Any]]:
    rows = []
    for number, (subject, hours, touchpoint, ref, case, score) in enumerate(given_specs):
        said: dict[str, Any] = {"booking_ref": ref, "case_id": case, "score": score}
        if touchpoint == "post_travel.nps_answered":
            said["nps"] = number % 11
        if touchpoint == "post_travel.review_posted":
            said["reach"] = 500
        said["subject"] = SUBJECTS[0] if one else subject
        rows.append(event(number, hours * HOUR, touchpoint, **said))
    return rows


def play(world: World, rows: list[dict[str, Any]], rng: Random, crashes: bool) -> None:
    at = 0
    while at < len(rows):
        size = rng.randrange(1, 6)
        world.take(rows[at : at + size], crash=crashes and rng.random() < 0.4)
        world.deliver(rng.randrange(1, 4), crash=crashes and rng.random() < 0.4)
        if rng.random() < 0.2:
            world.restart()
        at += size
    while world.parts_read < len(world.parts):
        world.deliver(3, crash=crashes and rng.random() < 0.4)


def told(world: World, rules: frozenset[str] | None = None, *aside: str) -> dict[str, tuple[Any, ...]]:
    """What the alerts say, raised_at, version and the fields `aside` left out."""
    return {
        key: tuple(value for name, value in alert.items() if name not in ("raised_at", "version", *aside))
        for key, alert in world.alerts.items()
        if (rules is None or alert["rule"] in rules) and alert["rule"] != "sentiment_drop"
    }


@settings(max_examples=150, deadline=None)
@given(specs, st.integers(0, 2**32))
def test_order_batches_duplicates_and_crashes_change_no_alert(given_specs: Any, seed: int) -> None:
    rng = Random(seed)
    rows = rows_of(given_specs, one=True)
    plain = World()
    play(plain, rows, rng, crashes=False)
    plain.tick()
    for _ in range(2):
        other, mixed = World(), [*rows, *(row for row in rows if rng.random() < 0.4)]
        rng.shuffle(mixed)
        play(other, mixed, rng, crashes=True)
        other.tick()
        assert told(other) == told(plain)
        for world in (plain, other):
            assert +world.opened.count == open_alerts(world)
            became = Counter(one.what for one in world.transitions)
            assert became[RAISED] - became[CLOSED] == open_alerts(world).total()


@settings(max_examples=150, deadline=None)
@given(specs, st.integers(0, 2**32))
def test_identifiers_that_turn_out_to_be_one_customer_leave_its_alerts_open_and_no_others(
    given_specs: Any, seed: int
) -> None:
    rng = Random(seed)
    rows = rows_of(given_specs, one=False)
    early, late = World(), World()
    for world in (early, late):
        if world is early:
            for version, subject in enumerate(SUBJECTS[1:], start=1):
                world.tell(subject, SUBJECTS[0], version)
        mixed = list(rows)
        rng.shuffle(mixed)
        play(world, mixed, rng, crashes=True)
        if world is late:
            for version, subject in enumerate(SUBJECTS[1:], start=1):
                world.tell(subject, SUBJECTS[0], version, crash=rng.random() < 0.5)
            world.deliver()
        world.tick()
    final = {key: said for key, said in told(late).items() if said[3] == "a"}
    assert final == told(early)
    assert {customer for customers in late.open().values() for customer in customers} <= {"a"}


@settings(max_examples=150, deadline=None)
@given(st.one_of(specs, waits), st.integers(0, 2**32))
def test_timers_that_go_off_while_events_come_give_the_same_alerts_as_at_the_end(given_specs: Any, seed: int) -> None:
    rng = Random(seed)
    rows = sorted(rows_of(given_specs, one=True), key=lambda row: row["occurred_at"])
    live, late = World(), World()
    for row in rows:
        live.tick(until=row["occurred_at"] - 1, crash=rng.random() < 0.2)
        live.take([row], crash=rng.random() < 0.2)
        if rng.random() < 0.2:
            live.restart()
    rng.shuffle(rows)
    play(late, rows, rng, crashes=True)
    live.tick()
    late.tick()
    late.take([event(99, 0, "stay.wifi_used")])  # another turn changes nothing
    assert told(live) == told(late)


@settings(max_examples=100, deadline=None)
@given(specs, st.integers(0, 60), st.integers(0, 2**32))
def test_a_rebuild_keeps_what_is_open_and_raises_no_history(given_specs: Any, days: int, seed: int) -> None:
    rng = Random(seed)
    rows = rows_of(given_specs, one=True)
    world = World()
    play(world, rows, rng, crashes=False)
    world.tick()
    rng.shuffle(rows)
    rebuilt = world.rebuilt(rows, NOW + days * DAY)
    rebuilt.tick()
    known = told(world, None, "causes")
    assert {key: alert for key, alert in told(rebuilt, None, "causes").items() if key in world.alerts} == known
    assert all(rebuilt.alerts[key]["causes"] >= world.alerts[key]["causes"] for key in known), "deadlines have passed"
    assert all(
        world.alerts[key]["raised_at"] == rebuilt.alerts[key]["raised_at"] for key in told(world) if is_open(world, key)
    )


def open_alerts(world: World) -> Counter[tuple[str, str]]:
    return Counter((alert["rule"], alert["severity"]) for alert in world.alerts.values() if alert["closed_at"] is None)


def is_open(world: World, key: str) -> bool:
    return world.alerts[key]["closed_at"] is None


@settings(max_examples=60, deadline=None)
@given(specs, st.integers(0, 2**32))
def test_history_raises_nothing(given_specs: Any, seed: int) -> None:
    world = World(now=NOW + 60 * DAY)
    play(world, rows_of(given_specs, one=False), Random(seed), crashes=True)
    assert world.tick() == []
    assert world.alerts == {}


@settings(max_examples=100, deadline=None)
@given(specs, st.integers(0, 2**32))
def test_moves_of_a_stream_do_not_depend_on_batches_and_lead_from_one_to_the_next(given_specs: Any, seed: int) -> None:
    rng = Random(seed)
    rows = sorted(rows_of(given_specs, one=True), key=lambda row: row["occurred_at"])
    worlds = [World(), World()]
    for world, crashes in zip(worlds, (False, True), strict=True):
        play(world, rows, rng, crashes)
    one, other = ({key: {**row, "version": 0} for key, row in world.moves.items()} for world in worlds)
    assert one == other
    order = {row["event_id"]: number for number, row in enumerate(rows)}
    profile = "non_committal"
    for row in sorted(one.values(), key=lambda row: order[row["event_id"]]):
        assert row["from_profile"] == profile
        profile = row["to_profile"]
        assert profile != row["from_profile"]
