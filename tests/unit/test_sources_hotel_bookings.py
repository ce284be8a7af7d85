"""Hotel bookings: each row gives its events, its status, or a bad line; reading again gives the same."""

from __future__ import annotations

import gzip
import uuid
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.records import polars_schema
from streams.sources import hotel_bookings
from streams.sources.countries import alpha_2_of
from streams.sources.event_ids import event_uuids, row_keys
from streams.sources.events import BadLine, SourceError

ROW: dict[str, Any] = {
    "hotel": "Resort Hotel",
    "is_canceled": 0,
    "lead_time": 10,
    "arrival_date_year": 2015,
    "arrival_date_month": "July",
    "arrival_date_week_number": 27,
    "arrival_date_day_of_month": 11,
    "stays_in_weekend_nights": 1,
    "stays_in_week_nights": 2,
    "adults": 2,
    "children": 1,
    "babies": 0,
    "meal": "HB",
    "country": "PRT",
    "market_segment": "Direct",
    "distribution_channel": "TA/TO",
    "is_repeated_guest": 0,
    "previous_cancellations": 0,
    "previous_bookings_not_canceled": 0,
    "reserved_room_type": "A",
    "assigned_room_type": "A",
    "booking_changes": 0,
    "deposit_type": "No Deposit",
    "agent": 9,
    "company": "NULL",
    "days_in_waiting_list": 0,
    "customer_type": "Transient",
    "adr": 98.76,
    "required_car_parking_spaces": 0,
    "total_of_special_requests": 0,
    "reservation_status": "Check-Out",
    "reservation_status_date": "2015-07-14",
}
RANKS = {
    "booking.confirmed": 1,
    "booking.cancelled": 2,
    "check_in.no_show": 3,
    "stay.arrived": 5,
    "stay.checked_out": 6,
}


def line(**changes: Any) -> str:
    return ",".join(str(value) for value in (ROW | changes).values())


def write(path: Path, *lines: str) -> str:
    path.write_text("\n".join([",".join(ROW), *lines]) + "\n")
    return str(path)


def read(path: str, **options: Any) -> tuple[list[dict[str, Any]], list[BadLine]]:
    events: list[dict[str, Any]] = []
    bad: list[BadLine] = []
    for batch in hotel_bookings.read(path, **options):
        assert dict(batch.frame.schema) == polars_schema(batch.channel)
        events += [event | {"channel": batch.channel} for event in batch.frame.to_dicts()]
        bad += batch.bad
    return events, bad


def events_of(tmp_path: Path, **changes: Any) -> dict[str, list[dict[str, Any]]]:
    events, bad = read(write(tmp_path / "bookings.csv", line(**changes)))
    assert bad == []
    by_touchpoint: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        by_touchpoint.setdefault(event["touchpoint"], []).append(event)
    return by_touchpoint


def utc(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp() * 1000)  # type: ignore[misc,arg-type]


def test_a_stay(tmp_path: Path) -> None:
    events = events_of(tmp_path)
    assert set(events) == {"booking.confirmed", "stay.arrived", "stay.checked_out"}
    [confirmed] = events["booking.confirmed"]
    assert confirmed["occurred_at"] == utc(2015, 7, 1, 9)
    assert confirmed["ids"] == [{"kind": "customer", "value": "hb-000001"}]
    assert confirmed["booking_ref"] == "HB-000001"
    assert confirmed["unit"] == "Resort Hotel"
    assert confirmed["medium"] == "partner"
    assert confirmed["agent_id"] == "agent-9"
    assert confirmed["country"] == "PT"
    assert confirmed["money"] == {"amount_minor": 3 * 9876, "currency": "EUR"}
    assert confirmed["party_size"] == 3
    assert confirmed["nights"] == 3
    assert confirmed["lead_days"] == 10
    assert confirmed["arrival_date"] == "2015-07-11"
    assert confirmed["meal_plan"] == "HB"
    assert confirmed["room_type"] == "A"
    assert {"key": "deposit_type", "value": "No Deposit"} in confirmed["attributes"]
    assert events["stay.arrived"][0]["occurred_at"] == utc(2015, 7, 11, 15)
    assert events["stay.checked_out"][0]["occurred_at"] == utc(2015, 7, 14, 11)
    assert uuid.UUID(confirmed["event_id"]).version == 8


def test_what_else_a_row_tells(tmp_path: Path) -> None:
    events = events_of(
        tmp_path, days_in_waiting_list=5, total_of_special_requests=2, booking_changes=3, assigned_room_type="C"
    )
    assert events["booking.waitlisted"][0]["waiting_days"] == 5
    assert events["booking.special_request"][0]["special_requests"] == 2
    [moved] = events["check_in.room_changed"]
    assert moved["channel"] == "check_in"
    assert moved["room"] == "C"
    times = [event["occurred_at"] for event in events["booking.modified"]]
    assert len(times) == 3
    assert sorted(times) == times
    assert utc(2015, 7, 1, 9) < times[0]
    assert times[-1] < utc(2015, 7, 11, 15)
    assert len({event["event_id"] for some in events.values() for event in some}) == 9


def test_a_cancelled_booking(tmp_path: Path) -> None:
    events = events_of(
        tmp_path, reservation_status="Canceled", reservation_status_date="2015-07-05", assigned_room_type="C"
    )
    assert set(events) == {"booking.confirmed", "booking.cancelled"}
    assert events["booking.cancelled"][0]["occurred_at"] == utc(2015, 7, 5, 12)


def test_a_no_show(tmp_path: Path) -> None:
    events = events_of(tmp_path, reservation_status="No-Show", reservation_status_date="2015-07-11")
    assert set(events) == {"booking.confirmed", "check_in.no_show"}
    assert events["check_in.no_show"][0]["occurred_at"] == utc(2015, 7, 11, 23)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"meal": "Undefined       "}, {"meal_plan": "SC"}),
        ({"country": "NULL"}, {"country": None}),
        ({"country": "CN"}, {"country": "CN"}),
        ({"country": "TMP"}, {"country": "TL"}),
        ({"children": "NA"}, {"party_size": None}),
        ({"children": "1.0"}, {"party_size": 3}),
        ({"agent": "NULL", "company": "40.0"}, {"agent_id": "company-40"}),
        ({"agent": "NULL"}, {"agent_id": None}),
        ({"distribution_channel": "Undefined"}, {"medium": "system"}),
        ({"adr": "-6.38"}, {"money": {"amount_minor": -1914, "currency": "EUR"}}),
    ],
)
def test_values_of_the_confirmation(tmp_path: Path, changes: dict[str, Any], expected: dict[str, Any]) -> None:
    [confirmed] = events_of(tmp_path, **changes)["booking.confirmed"]
    assert {name: confirmed[name] for name in expected} == expected


def test_an_unknown_country_is_kept_as_given(tmp_path: Path) -> None:
    [confirmed] = events_of(tmp_path, country="XYZ")["booking.confirmed"]
    assert confirmed["country"] is None
    assert {"key": "country_as_given", "value": "XYZ"} in confirmed["attributes"]


@given(
    st.sampled_from(["Canceled", "No-Show", "Check-Out"]),
    st.integers(0, 700),
    st.integers(-900, 60),
    st.integers(0, 4),
)
@settings(max_examples=60, deadline=None)
def test_the_latest_milestone_is_the_rows_status_whatever_its_dates(
    tmp_path_factory: pytest.TempPathFactory, status: str, lead: int, off: int, changes: int
) -> None:
    when = date(2015, 7, 11) + timedelta(days=off)
    row = line(
        lead_time=lead, reservation_status=status, reservation_status_date=when.isoformat(), booking_changes=changes
    )
    events, bad = read(write(tmp_path_factory.mktemp("rows") / "b.csv", row))
    assert bad == []
    assert sum(event["touchpoint"] == "booking.modified" for event in events) == changes
    milestones = [event for event in events if event["touchpoint"] in RANKS]
    latest = max(milestones, key=lambda event: (event["occurred_at"], RANKS[event["touchpoint"]]))
    final = {"Canceled": "booking.cancelled", "No-Show": "check_in.no_show", "Check-Out": "stay.checked_out"}
    assert latest["touchpoint"] == final[status]
    times = [event["occurred_at"] for event in sorted(milestones, key=lambda event: RANKS[event["touchpoint"]])]
    assert sorted(set(times)) == times


@pytest.mark.parametrize(
    ("row", "reason", "said"),
    [
        (line() + ",extra", "undecodable", "32 fields"),
        (line().rpartition(",")[0], "undecodable", "32 fields"),
        ("hello", "undecodable", "32 fields"),
        (line(lead_time="ten"), "undecodable", "lead_time"),
        (line(lead_time="1.5"), "undecodable", "lead_time"),
        (line(lead_time=""), "undecodable", "lead_time"),
        (line(adults=-1), "undecodable", "adults"),
        (line(booking_changes=10**9), "undecodable", "booking_changes"),
        (line(children="some"), "undecodable", "children"),
        (line(adr="dear"), "bad_money", "adr"),
        (line(adr="inf"), "bad_money", "adr"),
        (line(arrival_date_day_of_month=31, arrival_date_month="June"), "bad_time", "arrival_date"),
        (line(arrival_date_month="Juli"), "bad_time", "arrival_date"),
        (line(reservation_status_date="14/07/2015"), "bad_time", "reservation_status_date"),
        (line(reservation_status="Gone"), "undecodable", "reservation_status"),
        (line(hotel=""), "undecodable", "hotel"),
    ],
)
def test_bad_rows(tmp_path: Path, row: str, reason: str, said: str) -> None:
    events, bad = read(write(tmp_path / "bookings.csv", line(), row, line()))
    [one] = bad
    assert (one.line, one.payload, one.reason) == (3, row.encode(), reason)
    assert said in one.detail
    # The numbers of the rows around it are those of their places.
    assert {event["booking_ref"] for event in events} == {"HB-000001", "HB-000003"}


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "bookings.csv"
    path.write_bytes(f"{','.join(ROW)}\n".encode() + line(hotel="@").encode().replace(b"@", b"\xff") + b"\n")
    events, bad = read(str(path))
    assert events == []
    assert [(one.line, one.detail) for one in bad] == [(2, "the row is not UTF-8")]


def test_quoted_fields_and_columns_in_another_order(tmp_path: Path) -> None:
    names = [*reversed(ROW), "further"]
    values = [f'"{ROW[name]}"' for name in reversed(ROW)] + ['"a, b"']
    path = tmp_path / "bookings.csv"
    path.write_text(",".join(names) + "\n" + ",".join(values) + "\n")
    events, bad = read(str(path))
    assert bad == []
    assert [event["touchpoint"] for event in events] == ["booking.confirmed", "stay.arrived", "stay.checked_out"]


def test_the_same_file_gives_the_same_events_whatever_the_batches(tmp_path: Path) -> None:
    path = write(tmp_path / "bookings.csv", *(line(booking_changes=n % 3, adr=n) for n in range(50)), *[line()] * 10)
    zipped = tmp_path / "bookings.csv.gz"
    zipped.write_bytes(gzip.compress(Path(path).read_bytes()))
    one = sorted(read(path)[0], key=lambda event: event["event_id"])
    other = sorted(read(str(zipped), batch_size=7)[0], key=lambda event: event["event_id"])
    assert one == other
    assert len({event["event_id"] for event in one}) == len(one)


def test_bookings_of_companies_are_their_companys(tmp_path: Path) -> None:
    path = write(
        tmp_path / "bookings.csv", line(company=40), line(), line(company="40.0", lead_time=5), line(company=67)
    )
    events = [event for batch in hotel_bookings.read_companies(path) for event in batch.frame.to_dicts()]
    customers = {(event["booking_ref"], event["ids"][0]["value"]) for event in events}
    assert customers == {
        ("HB-000001", "hb-company-40"),
        ("HB-000003", "hb-company-40"),
        ("HB-000004", "hb-company-67"),
    }
    everybodys, _ = read(path)
    assert {event["event_id"] for event in events} < {event["event_id"] for event in everybodys}


def test_a_bookings_events_are_next_to_each_other(tmp_path: Path) -> None:
    path = write(tmp_path / "bookings.csv", *(line(lead_time=n, booking_changes=2) for n in range(40)))
    for batch in hotel_bookings.read(path, batch_size=10):
        references = batch.frame["booking_ref"].rle().struct.field("value")
        assert references.n_unique() == len(references)
        assert batch.frame.select(pl.col("occurred_at").diff().over("booking_ref").min()).item() >= 0


def test_header_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("a,b,c\n1,2,3\n")
    with pytest.raises(SourceError, match="its header lacks lead_time"):
        read(str(path))
    path.write_text("")
    with pytest.raises(SourceError, match="empty"):
        read(str(path))


def test_ids_do_not_depend_on_this_version_of_anything() -> None:
    assert event_uuids(row_keys([b"a", b"b"]), pl.Series([0, 1], dtype=pl.UInt64).to_numpy()).to_list() == [
        "0c7e0df5-c9a6-8f1d-bf1d-f0b4104d6ce0",
        "4899d968-116e-86a3-9861-a26a0602fb30",
    ]


def test_country_codes() -> None:
    codes = alpha_2_of()
    assert codes["SAU"] == codes["SA"] == "SA"
    assert all(len(code) == 2 and code.isupper() for code in codes.values())
