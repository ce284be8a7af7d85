"""The views that analysts read are exact, whatever was written underneath, in whatever order and how often."""

from __future__ import annotations

import datetime as dt
import itertools
import random
from typing import Any
from uuid import UUID

import pytest

from sinks.clickhouse.tables import TABLES
from sinks.first_copies import PAUSE, FirstCopies
from streams.kafka.progress import RecordBatch
from streams.kafka.record_batch import RecordColumns
from tests.support.clickhouse import ClickHouse
from tests.support.sink_rows import DAY, NOON, frame, interaction, journey

VERSIONED = [table for table in TABLES.values() if table.versioned]


ROW: dict[str, Any] = {
    "event_id": "e1",
    "subject": "customer:1",
    "kind": "customer",
    "value": "1",
    "topic": "t",
    "rate": 1.0,
    "member": True,
    "actions": [{"action": "prepare_stay", "reason": "", "evidence": "", "begins_at": None, "ends_at": None}],
}
"""What a row of any topic says."""


def when(ms: int) -> dt.datetime:
    """Epoch milliseconds as clickhouse-connect gives them."""
    return dt.datetime(1970, 1, 1) + dt.timedelta(milliseconds=ms)


@pytest.mark.parametrize("topic", list(TABLES))
def test_a_row_written_twice_is_seen_once(clickhouse: ClickHouse, topic: str) -> None:
    clickhouse.migrated()
    rows = frame(TABLES[topic].schema, ROW)
    for _ in range(3):
        clickhouse.write(topic, rows)
    assert clickhouse.rows(f"SELECT count() FROM {TABLES[topic].view}") == [(1,)]
    clickhouse.client.command(f"OPTIMIZE TABLE {TABLES[topic].store} FINAL")
    assert clickhouse.rows(f"SELECT count() FROM {TABLES[topic].view}") == [(1,)]


@pytest.mark.parametrize("topic", list(TABLES))
def test_a_row_twice_in_one_batch_is_seen_once(clickhouse: ClickHouse, topic: str) -> None:
    clickhouse.migrated()
    clickhouse.write(topic, frame(TABLES[topic].schema, *[ROW] * 5))
    assert clickhouse.rows(f"SELECT count() FROM {TABLES[topic].view}") == [(1,)]


@pytest.mark.parametrize("order", itertools.permutations(range(3)))
@pytest.mark.parametrize("together", [False, True])
def test_the_highest_version_wins_in_any_order(
    clickhouse: ClickHouse, order: tuple[int, int, int], together: bool
) -> None:
    clickhouse.migrated()
    states = [
        journey("c1", "B1", NOON, NOON, version=1, status="booked"),
        journey("c1", "B1", NOON, NOON + DAY, version=2, status="checked_in"),
        journey("c1", "B1", NOON, NOON + 2 * DAY, version=3, status="in_stay"),
    ]
    batches = [[states[i] for i in order]] if together else [[states[i]] for i in order]
    for batch in batches:
        clickhouse.write("journeys", frame("journey", *batch))
    expected = [("c1/B1", "in_stay", when(NOON + 2 * DAY))]
    assert clickhouse.rows("SELECT journey_id, status, last_event_at FROM journeys") == expected


def test_withdrawn_rows_are_gone_until_a_higher_version(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    for version, withdrawn, seen in ((5, True, 0), (4, False, 0), (6, False, 1), (5, True, 1), (7, True, 0)):
        row = journey("c1", "B1", NOON, NOON, version=version, withdrawn=withdrawn)
        clickhouse.write("journeys", frame("journey", row))
        clickhouse.write(
            "customers", frame("customer", {"customer_id": "c", "version": version, "withdrawn": withdrawn})
        )
        clickhouse.write("cases", frame("case", {"case_id": "c", "version": version, "withdrawn": withdrawn}))
        for view in ("journeys", "customers", "cases"):
            assert clickhouse.rows(f"SELECT count() FROM {view}") == [(seen,)], (view, version)


def test_a_later_epoch_wins_over_any_version(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    old = frame("journey", journey("c1", "B1", NOON, NOON, version=900, status="cancelled"))
    new = frame("journey", journey("c1", "B1", NOON, NOON, version=1, status="booked"))
    clickhouse.write("journeys", new, epoch=2)
    clickhouse.write("journeys", old, epoch=1)
    assert clickhouse.rows("SELECT status FROM journeys") == [("booked",)]


def test_different_content_under_one_event_id_does_not_depend_on_order(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    twins = [
        frame("interaction", interaction("customer:1", NOON, event_id="e1", touchpoint=touchpoint))
        for touchpoint in ("stay.arrived", "stay.checked_out", "stay.breakfast_served")
    ]
    seen = set()
    for order in itertools.permutations(twins):
        clickhouse.without_interactions()
        for rows in order:
            clickhouse.write("interactions", rows)
        seen.add(tuple(clickhouse.rows("SELECT touchpoint FROM interactions")))
    assert len(seen) == 1
    assert all(len(rows) == 1 for rows in seen)


def test_the_order_of_time_has_what_the_order_of_the_key_has(clickhouse: ClickHouse) -> None:
    """Copies of a few events that disagree on the day, in batches and epochs at random, merged in between: after each
    batch every event is there once, with the version that counts, on its day. Some batches are stored by a worker that
    knows which events are new, and loses the partition now and then to one that does not."""
    clickhouse.migrated()
    chance = random.Random(3)
    known_copies = FirstCopies(clickhouse.connect, lambda: hours[0])
    hours, offset, is_mine, surely_new = [0.0], 0, False, 0
    same = (
        "SELECT subject, event_id, occurred_at, touchpoint, {version}, epoch FROM {table} FINAL "
        "ORDER BY subject, event_id, occurred_at"
    )
    by_key = same.format(version="version", table="interactions_store")
    by_time = same.format(version="intDiv(rank, 2)", table="interactions_by_time_store")
    days: set[object] = set()
    for turn in range(24):
        copies = [
            interaction(
                f"customer:{chance.randrange(3)}",
                NOON + chance.randrange(4) * DAY,
                event_id=str(UUID(int=chance.randrange(12))),
                touchpoint=chance.choice(("stay.arrived", "stay.checked_out")),
            )
            for _ in range(chance.randrange(1, 7))
        ]
        mark = None
        if chance.random() < 0.7:
            if not is_mine:
                offset += 1  # what the other worker read
            columns = RecordColumns()
            columns.append(offset, 0, None, None)
            offset, hours[0] = offset + 1, hours[0] + PAUSE
            known_copies.reading([RecordBatch(columns, "cx.interactions", 0, 1)])
            known_copies.wait()
            mark = known_copies.mark
        is_mine = mark is not None
        clickhouse.write("interactions", frame("interaction", *copies), epoch=turn // 9, mark=mark)
        surely_new += clickhouse.rows("SELECT countIf(first_copy) FROM interactions_store")[0] > (0,)
        if chance.random() < 0.3:
            table = chance.choice(("interactions_store", "interactions_by_time_store", "interaction_days_store"))
            clickhouse.client.command(f"OPTIMIZE TABLE {table} FINAL")
        known = clickhouse.rows(by_key)
        assert clickhouse.rows(by_time) == known
        since, until = when(NOON + DAY), when(NOON + 2 * DAY)
        window = f"occurred_at >= '{since}' AND occurred_at < '{until}'"
        shown = f"SELECT event_id, subject FROM contacts WHERE {window} ORDER BY subject, event_id"
        assert clickhouse.rows(shown) == [(row[1], row[0]) for row in known if row[2] == since]
        days |= {row[2] for row in known}
    assert len(days) == 4
    assert surely_new
    copies_stored = "SELECT countIf(gone), count() FROM interactions_by_time_store"
    assert all(int(str(count)) > 10 for count in clickhouse.rows(copies_stored)[0])


def test_every_field_arrives_as_it_was(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    row = interaction(
        "customer:C1",
        NOON + 123,
        event_id="e1",
        ids=[{"kind": "customer", "value": "C1"}, {"kind": "device", "value": "d 'x' \\"}],
        booking_ref="B1",
        survey={"instrument": "nps", "score": 9.0},
        text="الطعام الحلال ممتاز 🕌\n'quoted'",
        money={"amount_minor": -1250, "currency": "SAR"},
        attributes=[{"key": "source", "value": "crm"}, {"key": "empty", "value": ""}],
        score=0.5,
        score_source="survey",
        conflict=True,
        aspects=[{"aspect": "halal_food", "score": 0.9}, {"aspect": "price", "score": None}],
        aspect_ratings=[{"aspect": "room", "rating": 4.5}],
        nights=3,
        arrival_date="2024-03-01",
    )
    clickhouse.write("interactions", frame("interaction", row, interaction("customer:C2", NOON, event_id="e2")))
    columns = (
        "occurred_at, ids, survey.instrument, survey.score, text, money.amount_minor, money.currency, attributes, "
        "score, conflict, aspects, aspect_ratings, nights, arrival_date, unit, customer_id, journey_id"
    )
    first, second = clickhouse.rows(f"SELECT {columns} FROM interactions ORDER BY event_id")
    assert first == (
        when(NOON + 123),
        [{"kind": "customer", "value": "C1"}, {"kind": "device", "value": "d 'x' \\"}],
        "nps",
        9.0,
        "الطعام الحلال ممتاز 🕌\n'quoted'",
        -1250,
        "SAR",
        {"source": "crm", "empty": ""},
        0.5,
        True,
        [{"aspect": "halal_food", "score": 0.9}, {"aspect": "price", "score": None}],
        [{"aspect": "room", "rating": 4.5}],
        3,
        "2024-03-01",
        None,
        "C1",
        "C1/B1",
    )
    assert second[2:8] == (None, None, None, None, None, {})
    assert second[-2:] == ("C2", None)


def test_nested_fields_of_journeys_and_customers(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    spend = [{"currency": "EUR", "amount_minor": 12_000}, {"currency": "SAR", "amount_minor": -50}]
    clickhouse.write("journeys", frame("journey", journey("c1", "B1", NOON, NOON, spend=spend, nps=9.0)))
    assert clickhouse.rows("SELECT spend, spend['EUR'], nps, csat FROM journeys") == [
        ({"EUR": 12_000, "SAR": -50}, 12_000, 9.0, None)
    ]
    preference = {"key": "diet", "value": "halal", "evidence": 2, "last_at": NOON}
    clickhouse.write("customers", frame("customer", {"customer_id": "c1", "preferences": [preference]}))
    assert clickhouse.rows("SELECT preferences FROM customers") == [([{**preference, "last_at": when(NOON)}],)]


def test_a_late_link_restates_history(clickhouse: ClickHouse) -> None:
    """Customer and journey of an interaction are resolved when it is read."""
    clickhouse.migrated()
    events = [
        interaction("email_sha256:ab", NOON, booking_ref="B1"),
        interaction("customer:7", NOON, booking_ref="B1"),
        interaction("booking_ref:B1", NOON, booking_ref="B1"),
    ]
    clickhouse.write("interactions", frame("interaction", *events))
    resolved = "SELECT subject, customer_id, journey_id FROM interactions ORDER BY subject"
    assert clickhouse.rows(resolved) == [
        ("booking_ref:B1", "booking_ref:B1", "booking_ref:B1/B1"),
        ("customer:7", "7", "7/B1"),
        ("email_sha256:ab", "email_sha256:ab", "email_sha256:ab/B1"),
    ]
    email = {"kind": "email_sha256", "value": "ab", "root": "customer:7", "customer_id": "7"}
    booking = {"kind": "booking_ref", "value": "B1", "root": "customer:7", "customer_id": "7"}
    clickhouse.write("identities", frame("identity", {**email, "version": 1}, {**booking, "version": 1}))
    assert clickhouse.rows("SELECT DISTINCT customer_id, journey_id FROM interactions") == [("7", "7/B1")]
    # A later decision takes the link back.
    own = {"root": "email_sha256:ab", "customer_id": "email_sha256:ab", "shared": True, "version": 2}
    clickhouse.write("identities", frame("identity", {**email, **own}))
    assert clickhouse.rows("SELECT customer_id FROM interactions WHERE subject = 'email_sha256:ab'") == [
        ("email_sha256:ab",)
    ]


def test_identities_and_identifiers(clickhouse: ClickHouse) -> None:
    """Every customer's own name is there, published or not, and just once."""
    clickhouse.migrated()
    customers = [
        {"customer_id": "7", "kind": "customer", "value": "7"},
        {"customer_id": "device:d", "kind": "device", "value": "d"},
        {"customer_id": "gone", "kind": "customer", "value": "gone", "withdrawn": True},
    ]
    clickhouse.write("customers", frame("customer", *customers))
    linked = {"root": "customer:7", "customer_id": "7"}
    clickhouse.write(
        "identities",
        frame(
            "identity",
            {"kind": "customer", "value": "7", **linked},
            {"kind": "email_sha256", "value": "ab", **linked},
            {"kind": "email_sha256", "value": "ab", **linked},
        ),
    )
    assert clickhouse.rows("SELECT kind, value, customer_id FROM identities ORDER BY ALL") == [
        ("customer", "7", "7"),
        ("device", "d", "device:d"),
        ("email_sha256", "ab", "7"),
    ]
    assert clickhouse.rows("SELECT customer_id, identifiers FROM customers ORDER BY customer_id") == [
        ("7", [{"kind": "customer", "value": "7"}, {"kind": "email_sha256", "value": "ab"}]),
        ("device:d", [{"kind": "device", "value": "d"}]),
    ]


def expected_journey(journeys: list[dict[str, Any]], at: int) -> str | None:
    """DESIGN's rule for an event without a booking_ref, as plainly as can be."""
    near = [
        trip
        for trip in journeys
        if trip["kind"] == "booking" and trip["span_start"] - 30 * DAY <= at <= trip["span_end"] + 30 * DAY
    ]
    before = [trip for trip in near if trip["span_start"] <= at]
    if before:
        best = min(before, key=lambda trip: (-trip["span_start"], trip["booking_ref"]))
        return str(best["journey_id"])
    if near:
        return str(min(near, key=lambda trip: (trip["span_start"], trip["booking_ref"]))["journey_id"])
    visits = [
        trip for trip in journeys if trip["kind"] == "visit" and trip["started_at"] <= at <= trip["last_event_at"]
    ]
    return str(visits[0]["journey_id"]) if visits else None


def test_loose_events_find_their_journey(clickhouse: ClickHouse) -> None:
    """Random bookings and visits, events around every edge, to the millisecond: the view agrees with the plain rule."""
    clickhouse.migrated()
    chance = random.Random(7)
    journeys: list[dict[str, Any]] = []
    events: list[tuple[str, int, str | None]] = []
    for number in range(60):
        customer = f"c{number}"
        own = []
        for booking in range(chance.randrange(4)):
            start = NOON + chance.choice([0, 5, 20, 40, 70, 200]) * DAY
            own.append(journey(customer, f"B{booking}", start, start + chance.choice([0, 3, 50]) * DAY))
        own.append(journey(customer, f"visit/{number}", NOON - 400 * DAY, NOON - 390 * DAY))
        journeys += own
        edges = [trip[edge] for trip in own for edge in ("started_at", "last_event_at")]
        shifts = (-31 * DAY, -30 * DAY - 1, -30 * DAY, -1, 0, 1, 30 * DAY, 30 * DAY + 1)
        times = [edge + shift for edge in edges for shift in shifts]
        events += [(customer, at, expected_journey(own, at)) for at in times]
    rows = [interaction(f"customer:{customer}", at, touchpoint=f"t{i}") for i, (customer, at, _) in enumerate(events)]
    clickhouse.write("journeys", frame("journey", *journeys))
    clickhouse.write("interactions", frame("interaction", *rows))
    found = dict(clickhouse.rows("SELECT toUInt32(substring(touchpoint, 2)), journey_id FROM interactions"))
    assert found == {number: journey_id for number, (_, _, journey_id) in enumerate(events)}
    assert None in found.values()
    assert any(journey_id and "visit" in journey_id for journey_id in found.values())


def test_settings_of_the_reader_change_nothing(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    clickhouse.write(
        "interactions", frame("interaction", interaction("customer:1", NOON), interaction("social:x", NOON))
    )
    clickhouse.write(
        "identities", frame("identity", {"kind": "social", "value": "x", "customer_id": "1", "root": "customer:1"})
    )
    clickhouse.write("journeys", frame("journey", journey("1", "B1", NOON, NOON)))
    clickhouse.write("customers", frame("customer", {"customer_id": "9", "kind": "customer", "value": "9"}))
    for settings in ({}, {"join_use_nulls": 1}, {"final": 1}, {"max_threads": 1}, {"join_algorithm": "grace_hash"}):
        client = clickhouse.client
        answer = client.query(
            "SELECT DISTINCT customer_id, journey_id FROM interactions", settings=settings
        ).result_rows
        assert answer == [("1", "1/B1")], settings
        identifiers = client.query("SELECT identifiers FROM customers", settings=settings).result_rows
        assert identifiers == [([{"kind": "customer", "value": "9"}],)], settings


def test_dead_letters_of_different_starts_do_not_hide_each_other(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    letter = {
        "topic": "cx.stay",
        "partition": 0,
        "offset": 0,
        "key": b"\xff\x00",
        "payload": b"\x00bad",
        "failed_at": NOON,
    }
    clickhouse.write("dead-letters", frame("dead_letter", letter), epoch=1)
    clickhouse.write("dead-letters", frame("dead_letter", {**letter, "failed_at": NOON + 1, "attempts": 2}), epoch=1)
    assert clickhouse.rows("SELECT count(), max(attempts), hex(any(key)), hex(any(payload)) FROM dead_letters") == [
        (1, 2, "FF00", "00626164")
    ]
    clickhouse.write("dead-letters", frame("dead_letter", letter), epoch=2)
    clickhouse.write("dead-letters", frame("dead_letter", {**letter, "payload": b"other"}), epoch=2)
    assert clickhouse.rows("SELECT count() FROM dead_letters") == [(3,)]


def test_alerts_are_closed_by_their_next_version(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    raised = {"alert_id": "a1", "rule": "detractor", "occurred_at": NOON, "raised_at": NOON, "version": 1}
    clickhouse.write("alerts", frame("alert", {**raised, "closed_at": NOON + 5, "version": 2}))
    clickhouse.write("alerts", frame("alert", raised))
    assert clickhouse.rows("SELECT alert_id, closed_at FROM alerts") == [("a1", when(NOON + 5))]
