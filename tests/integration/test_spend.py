"""Money: booked, kept and lost, in major units; by hand, and the hotel file."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from streams.master import files
from streams.master import store as store_of_master
from streams.master.rates import Rate, faults
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
HAD = (
    # Stayed, and cancelled afterwards: a cancellation undoes no stay that was had.
    *(paid("F", 0, "booking.confirmed", 80_000), paid("F", 9, "stay.arrived"), paid("F", 12, "stay.checked_out")),
    paid("F", 13, "booking.cancelled"),
    # Told to be a no-show, with a charge that was not due, after the arrival.
    *(paid("G", 0, "booking.confirmed", 700, "USD"), paid("G", 9, "stay.arrived")),
    paid("G", 10, "check_in.no_show", 100, "USD"),
    # Stayed, booked again under the same reference, and that cancelled: none is kept, as of any other.
    *(paid("H", 0, "booking.confirmed", 300, "GBP"), paid("H", 1, "stay.checked_out")),
    *(paid("H", 2, "booking.confirmed", 500, "GBP"), paid("H", 3, "booking.cancelled")),
    # Three rooms: one cancelled and given back, one not shown up and charged, the third never heard of.
    *(paid("I", 0, "booking.confirmed", 30_000, "EUR"), paid("I", 2, "booking.part_cancelled", -10_000, "EUR")),
    paid("I", 9, "check_in.no_show", 5_000, "EUR"),
    # The same in yen, and somebody came an hour later.
    *(paid("J", 0, "booking.confirmed", 30_000, "JPY"), paid("J", 2, "booking.part_cancelled", -10_000, "JPY")),
    *(paid("J", 9, "check_in.no_show", 5_000, "JPY"), paid("J", 10, "stay.arrived")),
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


def test_what_is_told_in_another_currency_is_rounded(clickhouse: ClickHouse) -> None:
    """1,234.567 x 12.2 is 15,061.7174, which no float is: cut off, it was 15,061.7173."""
    clickhouse.migrated()
    stored(clickhouse, paid("A", 0, "booking.confirmed", 1_234_567, "KWD"))
    rate = Rate("KWD", "SAR", "2023-12-01", 12.2)
    store_of_master.insert(clickhouse.client, "rates", [store_of_master.row_of(rate)], 1)
    told = Decimal("15061.7174")
    assert [row[1:5] for row in ask(clickhouse, "spend", currency="SAR")] == [("SAR", 1, told, told)]


@pytest.mark.parametrize("currency", ["XXQ", "sar"])
def test_a_currency_that_is_none_is_refused(clickhouse: ClickHouse, currency: str) -> None:
    """Not passed over: each amount stayed in its own currency, with no word about it."""
    clickhouse.migrated()
    stored(clickhouse, paid("A", 0, "booking.confirmed", 1_000, "KWD"))
    with pytest.raises(DatabaseError, match="currency is an ISO 4217 code in capitals"):
        ask(clickhouse, "spend", currency=currency)


@pytest.mark.parametrize("rate", ["inf", "nan", "0", "-4", "1e300"])
def test_a_rate_that_is_none_is_refused(tmp_path: Path, rate: str) -> None:
    path = tmp_path / "rates.csv"
    path.write_text(f"currency,base,valid_from,rate\nKWD,SAR,2025-01-01,{rate}\n")
    with pytest.raises(files.MasterError, match="line 2: rate: Expected"):
        files.read(path, "rate", Rate)


def test_what_a_stay_that_was_had_brought_in_is_kept(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    expected = stored(clickhouse, *HAD)
    spent = "SELECT currency, spend_booked, spend_kept, spend_lost FROM journey_spend ORDER BY currency"
    assert clickhouse.rows(spent) == [
        ("EUR", 300, 50, 250),
        ("GBP", 8, 0, 8),
        ("JPY", 35_000, 25_000, 10_000),
        ("SAR", 800, 800, 0),
        ("USD", 8, 8, 0),
    ]
    comparison = compare("s", expected.journey_spend, store.journey_spend(clickhouse.client), money.KEY)
    assert (comparison.rows, comparison.differences.to_dicts()) == (5, [])


def test_one_currency_for_all(clickhouse: ClickHouse, tmp_path: Path) -> None:
    """At the rate of the day of a journey's first amount, the other way around where that is what is said."""
    clickhouse.migrated()
    stored(clickhouse, *TRIPS)
    path = tmp_path / "rates.csv"
    path.write_text(
        "currency,base,valid_from,rate\nKWD,SAR,2023-12-01,12\nKWD,SAR,2024-01-02,99\nSAR,JPY,2023-01-01,40\n"
        "EUR,SAR,2024-06-01,4\n"  # too late for what was booked in January
    )
    found = files.read(path, "rate", Rate)
    assert list(faults(found)) == []
    store_of_master.insert(clickhouse.client, "rates", [store_of_master.row_of(rate) for _, rate in found], 1)
    rows = {row[1]: row[2:6] for row in ask(clickhouse, "spend", currency="SAR")}
    assert rows == {
        "SAR": (3, Decimal("430.5") + 150 + 250, Decimal("380.5") + 30 + 125, 50 + 120 + 125),
        "EUR": (1, 100, 0, 100),
        "IDR": (1, 16, 16, 0),
    }
    wrong = [Rate("SAR", "SAR", "2024-01-01", 1.0), Rate("SAR", "XQX", "soon", 1.0), Rate("SAR", "XQX", "soon", 2.0)]
    assert list(faults([*enumerate(wrong, 1)])) == [
        "line 1: SAR is worth one of itself",
        "line 2: there is no currency XQX in ISO 4217",
        "line 2: valid_from 'soon' is no time from 1970 to 2199",
        "line 3: there is no currency XQX in ISO 4217",
        "line 3: valid_from 'soon' is no time from 1970 to 2199",
        "line 3: is on line 2 already: SAR in XQX from soon",
    ]
