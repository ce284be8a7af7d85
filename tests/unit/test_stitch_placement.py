"""The rules of journeys, one example each."""

from __future__ import annotations

from streams.stitch.journey import MILESTONES, Event
from streams.stitch.placement import PlacedJourney, journeys_of
from streams.stitch.rolling import DAY_MS
from streams.stitch.summary import Summary, str_of

START = 1_700_000_000_000


def event(number: int, day: float, ref: str | None = None, **more: object) -> Event:
    return Event(START + int(day * DAY_MS), number.to_bytes(16, "big"), ref, "stay.x", 2, **more)  # type: ignore[arg-type]


def journeys(*events: Event) -> dict[str, PlacedJourney]:
    summary = Summary()
    for one in events:
        summary.add(one)
    return {journey.key: journey for journey in journeys_of(summary)}


def test_a_loose_event_belongs_to_the_booking_that_contains_it_widened_by_30_days() -> None:
    found = journeys(event(1, 100, "A"), event(2, 110, "A"), event(3, 70), event(4, 140))
    assert found.keys() == {"A"}
    assert found["A"].journey.interactions == 4
    assert found["A"].span == (START + 100 * DAY_MS, START + 110 * DAY_MS)
    assert len(journeys(event(1, 100, "A"), event(3, 69.999))) == 2


def test_of_several_bookings_the_latest_begun_takes_a_loose_event() -> None:
    found = journeys(event(1, 0, "A"), event(2, 50, "A"), event(3, 10, "B"), event(4, 40, "B"), event(5, 20))
    assert found["B"].journey.interactions == 3


def test_before_all_bookings_the_earliest_takes_a_loose_event() -> None:
    found = journeys(event(1, 20, "A"), event(2, 10, "B"), event(3, 5))
    assert found["B"].journey.interactions == 2


def test_of_equal_starts_the_smaller_reference_takes_a_loose_event() -> None:
    for at in (5, 15):
        found = journeys(event(1, 10, "B"), event(2, 10, "A"), event(3, at))
        assert found["A"].journey.interactions == 2


def test_visits_are_events_at_most_30_days_apart() -> None:
    found = journeys(event(1, 0), event(2, 30), event(3, 60.1), event(4, 61))
    assert sorted(journey.journey.interactions for journey in found.values()) == [2, 2]
    assert all(key.startswith("visit/202") and journey.booking_ref is None for key, journey in found.items())


def test_status_is_that_of_the_latest_milestone_and_at_one_instant_of_the_higher_rank() -> None:
    booked, cancelled, completed = (MILESTONES.index(name) for name in ("booked", "cancelled", "completed"))
    found = journeys(event(1, 5, "A", milestone=booked), event(2, 3, "A", milestone=cancelled))
    assert found["A"].journey.status == "booked"
    found = journeys(event(1, 5, "A", milestone=completed), event(2, 5, "A", milestone=cancelled))
    assert found["A"].journey.status == "completed"
    assert journeys(event(1, 5, "A"))["A"].journey.status == "exploring"


def test_a_case_belongs_to_the_journey_of_its_earliest_event() -> None:
    found = journeys(
        event(1, 0, "A"),
        event(2, 100, "B"),
        event(3, 100, "B", case_role="resolve", case_id="c"),
        event(4, 5, None, case_role="open", case_id="c"),
    )
    assert [case.status for case in found["A"].cases] == ["resolved"]
    assert found["B"].cases == []


def test_a_complaint_without_a_case_id_is_a_case_of_its_own_and_a_contact_is_not() -> None:
    summary = Summary()
    summary.add(event(7, 0, "A", case_role="open"))
    summary.add(event(8, 1, "A", case_role="contact"))
    assert list(summary.cases) == [str_of((7).to_bytes(16, "big"))]
