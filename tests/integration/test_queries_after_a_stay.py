"""A cancellation or a no-show that is reported after the guest had come undoes no trip, in no named query."""

from __future__ import annotations

from sinks.clickhouse.held import HELD
from tests.integration.test_clickhouse_queries import ask
from tests.integration.test_experience_queries import write
from tests.support.clickhouse import ClickHouse
from tests.support.sink_rows import DAY, NOON, frame, interaction, journey


def test_what_comes_after_the_guest_undoes_no_trip(clickhouse: ClickHouse) -> None:
    """a stayed and left; a day later its property's system closed the booking as cancelled. b arrived, and the night
    audit called it a no-show all the same. c did cancel, before anything else: the only one that is lost. a came
    back after 100 days; nobody has recommended anything."""
    clickhouse.migrated()
    came = {"booked_at": NOON, "arrived_at": NOON + 10 * DAY, "booking_interactions": 1}
    closed, audited = NOON + 14 * DAY, NOON + 11 * DAY
    left = {"checked_out_at": NOON + 13 * DAY, "cancelled_at": closed, "status": "cancelled"}
    again = NOON + 100 * DAY
    write(
        clickhouse,
        "journeys",
        journey("a", "B1", NOON, closed, **came, **left),
        journey("a", "B2", again, again, booked_at=again, status="booked"),
        journey("b", "B1", NOON, audited, **came, no_show_at=audited, status="no_show"),
        journey("c", "B1", NOON, NOON + DAY, booked_at=NOON, cancelled_at=NOON + DAY, status="cancelled"),
    )
    complaint = {"touchpoint": "stay.complaint_made", "score": -1.0, "medium": "app"}
    write(
        clickhouse,
        "interactions",
        interaction("customer:a", NOON + 12 * DAY, booking_ref="B1", **complaint),
        interaction("customer:a", closed, booking_ref="B1", touchpoint="booking.cancelled", medium="system"),
        interaction("customer:b", audited - DAY, booking_ref="B1", **complaint),
        interaction("customer:b", audited, booking_ref="B1", touchpoint="check_in.no_show", medium="system"),
        interaction("customer:c", NOON + DAY, booking_ref="B1", touchpoint="booking.cancelled", medium="web"),
    )
    people = [{"customer_id": name, "last_event_at": NOON, "profile": "advocate"} for name in "abc"]
    clickhouse.write("customers", frame("customer", *people))

    assert {row[1]: (row[2], row[5]) for row in ask(clickhouse, "funnel") if row[2]} == {
        "booked": (4, 1),  # two of a; lost: c
        "checked_in": (2, 0),
        "in_stay": (2, 0),  # b is in its stay
        "completed": (1, 0),  # a
    }
    assert {row[0]: row[5] for row in ask(clickhouse, "paths") if row[1] == "(end)"} == {
        "booking.cancelled": 0.5,  # twice, of which c was lost at one
        "check_in.no_show": 0.0,
    }
    assert {row[0]: row[3:5] for row in ask(clickhouse, "pain_points")} == {
        "stay.complaint_made": (0.0, 0.0),
        "booking.cancelled": (0.5, 0.0),
        "check_in.no_show": (0.0, 0.0),
    }
    assert {row[1]: row[9] for row in ask(clickhouse, "journey_map", by="all")} == {
        "app": 0.0,
        "system": 0.0,
        "web": 1.0,
    }
    assert ask(clickhouse, "repeat", within_days="100")[0][1:5] == (
        2,
        3,
        0,
        0,
    )  # a, twice, and b; nobody's time is over
    assert ask(clickhouse, "repeat", within_days="80")[0][1:5] == (2, 3, 2, 0)
    assert ask(clickhouse, "repeat", within_days="86")[0][1:5] == (2, 3, 2, 1)  # a's time begins on day 14
    assert ask(clickhouse, "referral")[0][6] == 1  # a has completed a trip


def test_held_is_that_of_the_view(clickhouse: ClickHouse) -> None:
    """Every order of booking, arrival, departure and ending, each known or not, by the query's text and by the view."""
    clickhouse.migrated()
    times = (None, NOON, NOON + DAY, NOON + 2 * DAY)
    rows = [
        journey(
            "a", f"{status}{booked}{arrived}{left}", NOON, NOON, status=status,
            booked_at=times[booked], arrived_at=times[arrived], checked_out_at=times[left],
        )
        for status in ("booked", "cancelled", "no_show", "in_stay")
        for booked in range(4)
        for arrived in range(4)
        for left in range(4)
    ]  # fmt: skip
    write(clickhouse, "journeys", *rows)
    by_text = clickhouse.rows(f"SELECT journey_id, {HELD} FROM journeys ORDER BY 1")
    assert by_text == clickhouse.rows("SELECT journey_id, held FROM journeys_now ORDER BY 1")
    assert {held for _, held in by_text} == {"booked", "cancelled", "no_show", "in_stay", "completed"}
