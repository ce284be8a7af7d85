"""JSON Lines: every line is a row of its channel's frame or a bad line, whole, with the right reason."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any
from uuid import uuid5

import polars as pl
import pytest

from schemas.records import CHANNELS, polars_schema
from streams.sources import files, jsonl
from streams.sources.event_ids import NAMESPACE
from streams.sources.events import BadLine, SourceError
from streams.text.shown import shown_line

MINIMAL: dict[str, Any] = {
    "channel": "stay",
    "event_id": "0190b3c4-0000-7000-8000-000000000001",
    "occurred_at": "2024-05-01T12:00:00Z",
    "ids": [{"kind": "customer", "value": "c1"}],
    "touchpoint": "stay.arrived",
    "medium": "in_person",
}


def read(path: Path, **options: Any) -> tuple[dict[str, list[dict[str, Any]]], list[BadLine]]:
    rows: dict[str, list[dict[str, Any]]] = {}
    bad: list[BadLine] = []
    for batch in jsonl.read(str(path), **options):
        assert dict(batch.frame.schema) == polars_schema(batch.channel)
        rows.setdefault(batch.channel, []).extend(batch.frame.to_dicts())
        bad += batch.bad
    return {channel: some for channel, some in rows.items() if some}, bad


def read_line(tmp_path: Path, line: bytes | dict[str, Any]) -> dict[str, Any]:
    rows, bad = read_one(tmp_path, line)
    assert bad == []
    [[row]] = rows.values()
    return row


def read_bad(tmp_path: Path, line: bytes | dict[str, Any]) -> BadLine:
    rows, bad = read_one(tmp_path, line)
    assert rows == {}
    [one] = bad
    assert one.payload == (line if isinstance(line, bytes) else json.dumps(line).encode())
    return one


def read_one(tmp_path: Path, line: bytes | dict[str, Any]) -> tuple[dict[str, list[dict[str, Any]]], list[BadLine]]:
    path = tmp_path / "events.jsonl"
    path.write_bytes((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n")
    return read(path)


def test_absent_fields_are_null_and_absent_arrays_empty(tmp_path: Path) -> None:
    row = read_line(tmp_path, {k: v for k, v in MINIMAL.items() if k != "ids"})
    assert row["ids"] == []
    assert row["attributes"] == []
    assert row["survey"] is row["money"] is row["text"] is row["booking_ref"] is row["facility"] is None


def test_every_field_arrives(tmp_path: Path) -> None:
    event = MINIMAL | {
        "channel": "post_travel",
        "ids": [{"kind": "email_sha256", "value": "ab"}, {"kind": "device", "value": "d"}],
        "booking_ref": "B1",
        "unit": "Hotel",
        "agent_id": "a",
        "locale": "ar-SA",
        "country": "SA",
        "survey": {"instrument": "nps", "score": 9},
        "text": "شكرا",
        "money": {"amount_minor": -500, "currency": "SAR"},
        "case_id": "case",
        "attributes": [{"key": "k", "value": "v"}],
        "platform": "site",
        "reach": 1000,
        "aspect_ratings": [{"aspect": "staff", "rating": 4}],
    }
    row = read_line(tmp_path, event)
    expected = {k: v for k, v in event.items() if k != "channel"} | {"occurred_at": 1714564800000}
    assert row == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (1714564800000, 1714564800000),
        (1714564800000.0, 1714564800000),
        ("2024-05-01T12:00:00Z", 1714564800000),
        ("2024-05-01T12:00:00", 1714564800000),
        ("2024-05-01 15:00:00.1239+03:00", 1714564800123),
        ("2024-05-01T12:00:00.5-00:30", 1714566600500),
        ("20240501T120000Z", 1714564800000),
        ("2024-05-01", 1714521600000),
        ("1969-12-31T23:59:59.999Z", -1),
        (-1, -1),
    ],
)
def test_times(tmp_path: Path, given: Any, expected: int) -> None:
    assert read_line(tmp_path, MINIMAL | {"occurred_at": given})["occurred_at"] == expected


@pytest.mark.parametrize("channel", CHANNELS)
def test_batches_carry_their_channel(tmp_path: Path, channel: str) -> None:
    rows, bad = read_one(tmp_path, MINIMAL | {"channel": channel})
    assert list(rows) == [channel]
    assert bad == []


def test_unknown_fields_become_attributes(tmp_path: Path) -> None:
    more = {"nights": 3, "vip": True, "tags": ["a", 1], "note": "نص", "none": None}
    row = read_line(tmp_path, MINIMAL | {"attributes": [{"key": "k", "value": "v"}]} | more)
    assert row["attributes"] == [
        {"key": "k", "value": "v"},
        {"key": "nights", "value": "3"},  # a field of bookings, not of stays
        {"key": "vip", "value": "true"},
        {"key": "tags", "value": '["a",1]'},
        {"key": "note", "value": "نص"},
    ]


def test_whole_floats_are_integers(tmp_path: Path) -> None:
    row = read_line(tmp_path, MINIMAL | {"wait_seconds": 2.0, "money": {"amount_minor": 10.0, "currency": "EUR"}})
    assert row["wait_seconds"] == 2
    assert row["money"] == {"amount_minor": 10, "currency": "EUR"}


def test_what_enrich_judges_passes(tmp_path: Path) -> None:
    row = read_line(
        tmp_path,
        MINIMAL
        | {"event_id": "no uuid", "ids": [], "survey": {"instrument": "nps", "score": 99}, "country": "Nowhere"},
    )
    assert row["event_id"] == "no uuid"
    assert row["survey"] == {"instrument": "nps", "score": 99.0}


@pytest.mark.parametrize(
    ("line", "reason", "said"),
    [
        (b"{", "undecodable", "not JSON"),
        (b'"text"', "undecodable", "not a JSON object"),
        (b"\xff\xfe", "undecodable", "not JSON"),
        (b'{"a": NaN}', "undecodable", "not JSON"),
        (b"{} {}", "undecodable", "not JSON"),
        (b"[" * 100_000, "undecodable", "not JSON"),
        (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "undecodable", "not JSON"),
        (b'{"channel":' + b"[" * 1_000 + b"]" * 1_000 + b"}", "undecodable", "channel"),
        ({k: v for k, v in MINIMAL.items() if k != "channel"}, "undecodable", "channel is missing"),
        (MINIMAL | {"channel": "checkin"}, "undecodable", "check_in"),
        (MINIMAL | {"channel": ["stay"]}, "undecodable", "channel"),
        (MINIMAL | {"medium": "telepathy"}, "undecodable", "$.medium"),
        (MINIMAL | {"touchpoint": None}, "undecodable", "$.touchpoint"),
        (MINIMAL | {"ids": ["c1"]}, "undecodable", "$.ids[0]"),
        (MINIMAL | {"ids": [{"kind": "customer", "value": "c", "more": 1}]}, "undecodable", "more"),
        (MINIMAL | {"wait_seconds": 2.5}, "undecodable", "$.wait_seconds"),
        (MINIMAL | {"wait_seconds": True}, "undecodable", "$.wait_seconds"),
        (MINIMAL | {"wait_seconds": 2**63}, "undecodable", "$.wait_seconds"),
        (MINIMAL | {"wait_seconds": 1e300}, "undecodable", "$.wait_seconds"),
        (MINIMAL | {"text": 5}, "undecodable", "$.text"),
        (MINIMAL | {"attributes": {"k": "v"}, "vip": 1}, "undecodable", "$.attributes"),
        (MINIMAL | {"survey": {"instrument": "gut", "score": 1}}, "bad_survey", "gut"),
        (MINIMAL | {"survey": {"instrument": "nps"}}, "bad_survey", "score"),
        (MINIMAL | {"survey": {"instrument": "nps", "score": "nine"}}, "bad_survey", "score"),
        (MINIMAL | {"money": {"amount_minor": 1.5, "currency": "EUR"}}, "bad_money", "amount_minor"),
        (MINIMAL | {"country": 7}, "bad_country", "$.country"),
        ({k: v for k, v in MINIMAL.items() if k != "event_id"}, "bad_event_id", "event_id"),
        (MINIMAL | {"event_id": 7}, "bad_event_id", "event_id"),
        ({k: v for k, v in MINIMAL.items() if k != "occurred_at"}, "bad_time", "occurred_at"),
        (MINIMAL | {"occurred_at": None}, "bad_time", "occurred_at"),
        (MINIMAL | {"occurred_at": "yesterday"}, "bad_time", "yesterday"),
        (MINIMAL | {"occurred_at": "2024-02-30T00:00:00Z"}, "bad_time", "2024-02-30"),
        (MINIMAL | {"occurred_at": 1e300}, "bad_time", "1e+300"),
        (MINIMAL | {"occurred_at": "yesterday", "vip": 1}, "bad_time", "yesterday"),
    ],
)
def test_bad_lines(tmp_path: Path, line: bytes | dict[str, Any], reason: str, said: str) -> None:
    bad = read_bad(tmp_path, line)
    assert bad.reason == reason
    assert said in bad.detail
    assert bad.line == 1
    assert bad.file.endswith("events.jsonl")


@pytest.mark.parametrize(
    "ids",
    [
        '{"kind": "email", "value": "Amina@Example.com"}',
        '["Amina@Example.com"]',
        '"Amina@Example.com"',
        '[{"kind": "email_sha256", "value": ["Amina@Example.com"]}]',
        '[{"kind": "phone", "value": 966501234567}]',
        r'[{"kind": "phone", "value": "\u002B966501234567"}]',
        r'[{"kind": "email", "value": "amina\u0040example.com"}]',
        '[{"kind": "email", "value": ' + "[" * 900 + '"Amina@Example.com"' + "]" * 900 + "}]",
    ],
)
def test_what_is_in_clear_is_not_shown_whatever_its_form(tmp_path: Path, ids: str) -> None:
    rest = {name: value for name, value in MINIMAL.items() if name != "ids"} | {"occurred_at": "yesterday"}
    path = tmp_path / "events.jsonl"
    path.write_text(json.dumps(rest)[:-1] + f', "ids": {ids}}}\n')
    rows, [bad] = read(path)
    assert not rows
    assert b"amina" not in shown_line(bad.payload).lower()
    assert b"966501234567" not in shown_line(bad.payload)


def test_lone_surrogates_are_refused(tmp_path: Path) -> None:
    line = json.dumps(MINIMAL).replace('"c1"', '"\\ud800"').encode()
    assert read_bad(tmp_path, line).reason == "undecodable"


def test_lines_are_counted_over_batches_and_blank_lines(tmp_path: Path) -> None:
    good = json.dumps(MINIMAL)
    path = tmp_path / "events.jsonl"
    path.write_bytes(f"\ufeff{good}\r\n\r\nnot json\r\n  \n{good}\n{good}\n[]".encode())
    for size in (1, 2, 3, 100):
        rows, bad = read(path, batch_size=size)
        assert len(rows["stay"]) == 3
        assert [(one.line, one.payload) for one in bad] == [(3, b"not json"), (7, b"[]")]


def test_gzip_is_recognised_whatever_the_name(tmp_path: Path) -> None:
    path = tmp_path / "events"
    path.write_bytes(gzip.compress(json.dumps(MINIMAL).encode()))
    rows, bad = read(path)
    assert len(rows["stay"]) == 1
    assert bad == []


def test_broken_gzip_is_said_after_what_could_be_read(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl.gz"
    lines = b"".join(
        json.dumps(MINIMAL | {"event_id": str(n), "text": str(hash(str(n)))}).encode() + b"\n" for n in range(50_000)
    )
    path.write_bytes(gzip.compress(lines)[:-1000])
    frames: list[pl.DataFrame] = []
    with pytest.raises(SourceError, match="broken"):
        frames.extend(batch.frame for batch in jsonl.read(str(path), batch_size=1000))
    assert sum(frame.height for frame in frames) > 40_000


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.BufferedReader(io.BytesIO(json.dumps(MINIMAL).encode() + b"\nx\n"))  # type: ignore[arg-type]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(stdin))
    rows, bad = read(Path("-"))
    assert len(rows["stay"]) == 1
    assert [(one.file, one.line) for one in bad] == [("<stdin>", 2)]


def test_a_line_too_long_for_kafka_is_kept_in_part(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    huge = json.dumps(MINIMAL | {"text": "x" * 3_000_000}).encode()
    path.write_bytes(b"first\n" + huge + b"\n" + json.dumps(MINIMAL).encode())
    rows, bad = read(path)
    assert len(rows["stay"]) == 1
    assert [(one.line, one.reason) for one in bad] == [(1, "undecodable"), (2, "too_long")]
    assert bad[1].payload == huge[: files.MAX_LINE_BYTES]
    assert str(len(huge)) in bad[1].detail


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file"):
        list(jsonl.read(str(tmp_path / "none.jsonl")))


def test_words_and_numbers_in_other_spellings(tmp_path: Path) -> None:
    """Case and separators say nothing; what would be a guess stays as it is."""
    line = MINIMAL | {
        "channel": "Check-In",
        "touchpoint": "CHECK-IN.COMPLETED",
        "medium": "In Person",
        "country": "sa",
        "money": {"amount_minor": " 4200 ", "currency": "sar"},
        "survey": {"instrument": "NPS", "score": "9.5"},
        "wait_seconds": "12.0",
        "delay_minutes": "",
        "unit": "",
    }
    rows, bad = read_one(tmp_path, line)
    assert bad == []
    [row] = rows["check_in"]
    assert (row["touchpoint"], row["medium"], row["country"]) == ("check_in.completed", "in_person", "SA")
    assert row["money"] == {"amount_minor": 4200, "currency": "SAR"}
    assert row["survey"] == {"instrument": "nps", "score": 9.5}
    assert (row["wait_seconds"], row["delay_minutes"], row["unit"]) == (12, None, None)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"touchpoint": "My Own"}, ("touchpoint", "My Own")),
        ({"country": "KSA"}, ("country", "KSA")),
        ({"touchpoint": "Stay Arrived"}, ("touchpoint", "stay.arrived")),
    ],
)
def test_what_no_spelling_explains_stays(tmp_path: Path, given: dict[str, str], kept: tuple[str, str]) -> None:
    rows, _ = read_one(tmp_path, MINIMAL | given)
    [[row]] = rows.values()
    assert row[kept[0]] == kept[1]


def test_with_a_source_ids_may_be_of_any_form(tmp_path: Path) -> None:
    event = {"channel": "stay", "occurred_at": 1_700_000_000_000, "ids": [{"kind": "customer", "value": "C"}],
             "touchpoint": "stay.arrived", "medium": "web"}  # fmt: skip
    named = [17, "ajs-next-5f", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "6f3c2a52-3d0e-4f6c-9a0f-1d1f0f7f0a01"]
    file = tmp_path / "events.jsonl"
    file.write_text("\n".join(json.dumps({**event, "event_id": name}) for name in named))
    (batch,) = jsonl.read(str(file), source="erp")
    assert batch.bad == []
    made = [str(uuid5(uuid5(NAMESPACE, "erp"), str(name))) for name in named[:3]]
    assert batch.frame["event_id"].to_list() == [*made, named[3]]
    kept = [[(one["key"], one["value"]) for one in some] for some in batch.frame["attributes"].to_list()]
    assert kept == [*([("source_event_id", str(name))] for name in named[:3]), []]
    (without,) = jsonl.read(str(file))
    assert [one.line for one in without.bad] == [1], "without a source a number is no id"
