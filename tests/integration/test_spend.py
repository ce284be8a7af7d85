"""Money: booked, kept and lost, in major units; by hand, and the hotel file."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from streams.verify import money, store
from streams.verify.compare import compare
from tests.integration.test_attribution import event, stored
from tests.integration.test_clickhouse_queries import ask
from tests.support.clickhouse import ClickHouse
from tests.support.sink_rows import DAY, NOON


def paid(ref: str, day: int, touchpoint: str, minor: int | None = None, currency: str = "SAR") -> dict[str, Any]:
    """An event of customer:c about a booking, with money."""
    amount = {} if minor is None else {"money": {"amount_minor": minor, "currency": currency}}
    channel = touchpoint.partition(".")[0]
    return event("c", NOON + day * DAY, channel, booking_ref=ref, touchpoint=touchpoint, unit="H", **amount)


TRIPS = (
    # Stayed, with extras, and something given back after a complaint.
    *(paid("A", 0, "booking.confirmed", 42_000), paid("A", 9, "stay.arrived")),
    paid("A", 12, "stay.checked_out", 1_050),
    paid("A", 20, "post_travel.complaint_resolved", -5_000),
    # Paid in Kuwaiti dinars, which have three places, cancelled, and four fifths given back.
    *(paid("B", 0, "booking.confirmed", 12_500, "KWD"), paid("B", 3, "booking.cancelled")),
    paid("B", 4, "booking.refund_paid", -10_000, "KWD"),
    # Agreed in yen, which have none, not shown up, and half of it charged.
    *(paid("C", 0, "booking.confirmed", 10_000, "JPY"), paid("C", 5, "check_in.no_show", 5_000, "JPY")),
    # Agreed and cancelled: never had.
    *(paid("D", 0, "booking.confirmed", 10_000, "EUR"), paid("D", 5, "booking.cancelled")),
    # Cancelled, and booked again under the same reference.
    *(paid("E", 0, "booking.confirmed", 700, "IDR"), paid("E", 1, "booking.cancelled")),
    paid("E", 2, "booking.confirmed", 900, "IDR"),
)  # fmt: skip


def test_booked_kept_and_lost(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    expected = stored(clickhouse, *TRIPS)
    rows = {row[1]: row[3:8] for row in ask(clickhouse, "spend")}
    assert rows == {
        "SAR": (Decimal("430.5"), Decimal("380.5"), 50, 0, 0),
        "KWD": (Decimal("12.5"), Decimal("2.5"), 10, 10, 0),
        "JPY": (10_000, 5_000, 5_000, 0, 5_000),
        "EUR": (100, 0, 100, 100, 0),
        "IDR": (16, 16, 0, 0, 0),
    }
    assert {(row[0], row[1]) for row in ask(clickhouse, "spend", by="unit")} == {("H", currency) for currency in rows}
    spent = {"EUR": 0, "IDR": 16, "JPY": 5_000, "KWD": Decimal("2.5"), "SAR": Decimal("380.5")}
    assert clickhouse.rows("SELECT spend FROM customer_spend") == [(spent,)]
    comparison = compare("s", expected.journey_spend, store.journey_spend(clickhouse.client), money.KEY)
    assert (comparison.rows, comparison.differences.to_dicts()) == (5, [])
