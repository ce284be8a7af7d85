"""The simulator: its options, its words, and the situations that it is there to make."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from importlib.resources import files
from pathlib import Path
from random import Random
from typing import Any

import pytest

from streams.model import catalogue
from streams.sources import jsonl, simulate
from streams.sources.simulate import Options, block, cases, simulation
from streams.sources.simulate.options import LANGUAGES
from streams.sources.simulate.texts import write as write_text
from streams.sources.simulate.truth import MILESTONES
from streams.sources.simulate.world import KINDS

Stream = tuple[list[dict[str, Any]], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def stream() -> Stream:
    truth: list[dict[str, Any]] = []
    events = list(simulate.simulate(Options(customers=1500, bad=0.02, trips=1.8), truth.append))
    return events, truth


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"customers": 0}, "customers"),
        ({"trips": 0.5}, "trips"),
        ({"days": 3}, "days"),
        ({"disorder": 1.1}, "disorder"),
        ({"part_cancelled": 2}, "part_cancelled"),
        ({"unfinished": -0.1}, "unfinished"),
        ({"duplicates": -1}, "duplicates"),
        ({"languages": ()}, "languages"),
        ({"languages": ("en", "tlh")}, "languages"),
        ({"bad_kinds": ("ugly",)}, "bad_kinds"),
    ],
)
def test_options_that_make_no_sense(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Options(**wrong)


def test_touchpoints_are_the_catalogues(stream: Stream) -> None:
    known = catalogue.load()
    used = {event["touchpoint"]: event["channel"] for event in stream[0] if event["touchpoint"] != 7}
    assert used == {touchpoint: known[touchpoint].channel for touchpoint in used}
    assert len(used) > 60


def test_the_truths_milestones_and_case_roles_are_the_catalogues() -> None:
    known = catalogue.load().values()
    assert {point.name: point.milestone for point in known if point.milestone} == {
        touchpoint: status for touchpoint, (status, _) in MILESTONES.items()
    }
    roles = {point.name: point.case_role for point in known}
    assert {touchpoint: roles[touchpoint] for touchpoint in cases.ROLES} == cases.ROLES


def test_what_opens_a_case_has_one(stream: Stream) -> None:
    # An opening without a case id would be a case of its own that the truth knows nothing of.
    known = catalogue.load()
    for event in stream[0]:
        if event["touchpoint"] in known and known[event["touchpoint"]].case_role:
            assert event["case_id"]


def test_every_kind_of_situation_occurs(stream: Stream) -> None:
    events, truth = stream
    assert {event["channel"] for event in events} == {"booking", "check_in", "stay", "post_travel"}
    assert {event["attributes"][0]["value"] for event in events if event["touchpoint"] == "booking.confirmed"} == {
        kind.name for kind in KINDS
    }
    assert {event.get("locale", "en")[:2] for event in events} >= set(LANGUAGES)
    kinds = Counter(one["kind"] for event in events if isinstance(event["ids"], list) for one in event["ids"])
    assert set(kinds) == {*("customer", "loyalty", "guest_profile", "email_sha256", "phone_sha256", "social", "device")}
    # Events that name a booking and nobody, and events that name somebody and no booking.
    assert any(not event["ids"] and event.get("booking_ref") for event in events)
    assert any(event["ids"] and not event.get("booking_ref") for event in events)
    assert any(event.get("money", {}).get("amount_minor", 0) < 0 for event in events)
    summary = truth[-1]
    statuses = {"exploring", "booked", "cancelled", "no_show", "checked_in", "in_stay", "completed"}
    assert set(summary["journeys_by_status"]) == statuses
    customers = [record for record in truth if record["record"] == "customer"]
    # Kiosks and mailboxes that were used by themselves, people who only looked, and repeat travellers.
    shared = {(record["kind"], record["value"]) for record in truth if record["record"] == "shared"}
    assert {kind for kind, _ in shared} == {"device", "email_sha256"}
    assert any((record["kind"], record["value"]) in shared for record in customers)
    assert any(record["kind"] == "device" for record in customers)
    bookings = Counter(
        record["customer_id"] for record in truth if record["record"] == "journey" and record["booking_ref"]
    )
    assert max(bookings.values()) >= 3
    assert {record["kind"] for record in truth if record["record"] == "journey"} == {"booking", "visit"}
    states = {(record["status"], record["reopened_at"] is not None) for record in truth if record["record"] == "case"}
    assert states == {("open", False), ("open", True), ("resolved", False), ("resolved", True)}


def test_group_bookings_have_several_customers(stream: Stream) -> None:
    travellers: dict[str, set[str]] = {}
    for record in stream[1]:
        if record["record"] == "journey" and record["booking_ref"]:
            travellers.setdefault(record["booking_ref"], set()).add(record["customer_id"])
    assert sum(len(some) > 1 for some in travellers.values()) > 50


def test_beginnings_are_anonymous_and_become_known(stream: Stream) -> None:
    events, truth = stream
    owners = {
        (one["kind"], one["value"]): record["customer_id"]
        for record in truth
        if record["record"] == "customer"
        for one in record["identifiers"]
    }
    alone = {
        event["ids"][0]["value"]
        for event in events
        if isinstance(event["ids"], list) and [one["kind"] for one in event["ids"]] == ["device"]
    }
    known = {value for value in alone if not owners.get(("device", value), "device:").startswith("device:")}
    assert len(known) > 100


def test_written_files_are_input_and_truth(tmp_path: Path) -> None:
    summary = simulate.write(Options(customers=80, bad=0.2), tmp_path / "e.jsonl", tmp_path / "t.jsonl")
    batches = list(jsonl.read(str(tmp_path / "e.jsonl")))
    assert sum(batch.frame.height + len(batch.bad) for batch in batches) == summary["events"]
    unreadable = {line.reason for batch in batches for line in batch.bad}
    assert unreadable <= {"undecodable", "bad_time"}
    assert json.loads((tmp_path / "t.jsonl").read_bytes().splitlines()[-1]) == summary
    assert simulate.write(Options(customers=80, bad=0.2), tmp_path / "only.jsonl") == summary
    assert (tmp_path / "only.jsonl").read_bytes() == (tmp_path / "e.jsonl").read_bytes()


def test_events_come_before_all_blocks_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def make(options: Options, number: int) -> block.Block:
        made.append(number)
        return block.make_block(options, number)

    monkeypatch.setattr(simulation, "make_block", make)
    events = simulation.simulate(Options(customers=1000, block=50))
    next(events)
    assert len(made) < 5
    list(events)
    assert made == list(range(20))


def test_texts_exist_for_every_language_and_aspect() -> None:
    aspects = {aspect for kind in KINDS for aspect in kind.aspects}
    for language in LANGUAGES:
        for polarity in ("positive", "negative", "neutral"):
            for aspect in aspects:
                assert write_text(Random(1), language, polarity, aspect)


def test_moments_are_of_their_stage() -> None:
    known = catalogue.load()
    table = files(simulate).joinpath("moments.csv").read_text("utf-8")
    for row in csv.DictReader(table.splitlines()):
        assert known[row["touchpoint"]].channel == row["stage"]
        assert known[row["touchpoint"]].case_role is None
        assert set(row["kinds"].split()) <= {kind.name for kind in KINDS}


def test_event_ids_are_uuids(stream: Stream) -> None:
    pattern = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
    good = [event for event in stream[0] if pattern.fullmatch(event["event_id"])]
    assert len(stream[0]) - len(good) == stream[1][-1]["bad_by_reason"]["bad_event_id"]


def test_batches_are_the_events_as_columns() -> None:
    options = Options(customers=60, bad=0.3)
    truth: list[dict[str, Any]] = []
    batches = list(simulate.batches(options, truth.append, batch_size=100))
    assert max(batch.frame.height for batch in batches) <= 100
    good = [event_id for batch in batches for event_id in batch.frame["event_id"]]
    lines = [line.line for batch in batches for line in batch.bad]
    events = list(simulate.simulate(options))
    assert len(good) + len(lines) == len(events) == truth[-1]["events"]
    assert sorted(good) == sorted(event["event_id"] for n, event in enumerate(events, 1) if n not in lines)


def test_part_cancellations_and_bookings_that_end_by_the_clock() -> None:
    truth: list[dict[str, Any]] = []
    options = Options(customers=400, part_cancelled=0.5, unfinished=0.3, duplicates=0, late=0, disorder=0)
    events = list(simulate.simulate(options, truth.append))
    confirmed = {e["booking_ref"]: e for e in events if e["touchpoint"] == "booking.confirmed"}
    parts = [e for e in events if e["touchpoint"] == "booking.part_cancelled"]
    shorter = [e for e in parts if "nights" in e]
    assert 5 < len(shorter) < len(parts) - 5
    for event in parts:
        booked = confirmed[event["booking_ref"]]
        assert -booked["money"]["amount_minor"] < event["money"]["amount_minor"] < 0
        assert (event["party_size"] < booked["party_size"]) != (event.get("nights") == booked["nights"] - 1)
    unfinished = {one["booking_ref"]: one["status_now"] for one in truth if one["record"] == "unfinished"}
    assert {*unfinished.values()} == {"lapsed", "completed"}
    assert all(e["touchpoint"] != "stay.checked_out" for e in events if e.get("booking_ref") in unfinished)
    usual = list(simulate.simulate(Options(customers=400, duplicates=0, late=0, disorder=0)))
    assert not {"booking.part_cancelled"} & {event["touchpoint"] for event in usual}
