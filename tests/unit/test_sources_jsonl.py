"""JSON Lines: every line is a row of its channel's frame or a bad line, whole, with the right reason."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid5

import polars as pl
import pytest
from backports import zstd

from schemas.records import CHANNELS, polars_schema
from streams.sources import files, jsonl
from streams.sources.event_ids import NAMESPACE
from streams.sources.events import BadLine, SourceError
from streams.sources.spelling import near
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
        (b"\xff\xfa", "undecodable", "not JSON"),
        (b'{"a": NaN}', "undecodable", "not JSON"),
        (b"{} {}", "undecodable", "not JSON"),
        (b" " + b'{"a":' + b"[" * 100_000, "undecodable", "not JSON at column"),
        (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "undecodable", "not JSON"),
        (b'{"channel":' + b"[" * 1_000 + b"]" * 1_000 + b"}", "undecodable", "channel"),
        ({k: v for k, v in MINIMAL.items() if k not in ("channel", "touchpoint")}, "undecodable", "channel is missing"),
        (MINIMAL | {"channel": "checkin"}, "undecodable", "check_in"),
        (MINIMAL | {"channel": ["stay"]}, "undecodable", "channel"),
        (MINIMAL | {"medium": "telepathy"}, "undecodable", "$.medium"),
        (MINIMAL | {"touchpoint": None}, "undecodable", "$.touchpoint"),
        (MINIMAL | {"ids": ["c1"]}, "undecodable", "$.ids[0]"),
        (MINIMAL | {"ids": [{"kind": "customer", "value": "c", "more": 1}]}, "undecodable", "more"),
        (MINIMAL | {"attributes": ["k"], "vip": 1}, "undecodable", "$.attributes"),
        (MINIMAL | {"ids": {"customer": ["c1"]}}, "undecodable", "ids"),
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


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        ("wait_seconds", 2.5, "2.5"),
        ("wait_seconds", True, "true"),
        ("wait_seconds", 2**63, str(2**63)),
        ("wait_seconds", 1e300, "1e+300"),
        ("wait_seconds", "soon", "soon"),
        ("text", 5, "5"),
        ("survey", {"instrument": "gut", "score": 1}, '{"instrument":"gut","score":1}'),
        ("survey", {"instrument": "nps"}, '{"instrument":"nps"}'),
        ("survey", {"instrument": "nps", "score": "nine"}, '{"instrument":"nps","score":"nine"}'),
        ("money", {"amount_minor": 1.5, "currency": "EUR"}, '{"amount_minor":1.5,"currency":"EUR"}'),
        ("country", 7, "7"),
    ],
)
def test_an_optional_field_that_cannot_be_read_is_an_attribute_and_counted(
    tmp_path: Path, name: str, given: Any, kept: str
) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(json.dumps(MINIMAL | {name: given, "vip": 1}))
    [batch] = jsonl.read(str(path))
    [row] = batch.frame.to_dicts()
    assert row[name] is None
    assert row["attributes"] == [{"key": "vip", "value": "1"}, {"key": f"{name}.unread", "value": kept}]
    assert batch.unread == {name: 1}
    assert batch.bad == []


@pytest.mark.parametrize("empty", ["", "  ", None])
def test_an_empty_text_is_null_in_every_optional_field(tmp_path: Path, empty: str | None) -> None:
    optional = ["unit", "agent_id", "locale", "country", "survey", "text", "money", "case_id", "wait_seconds", "seat"]
    row = read_line(tmp_path, MINIMAL | {"channel": "check_in"} | dict.fromkeys(optional, empty))
    assert [row.get(name) for name in optional] == [None] * len(optional)
    row = read_line(tmp_path, MINIMAL | {"money": {"amount_minor": "", "currency": ""}})
    assert row["money"] is None
    assert row["attributes"] == []


@pytest.mark.parametrize("form", ["array", "pretty array", "objects over lines"])
def test_an_array_is_events_too(tmp_path: Path, form: str) -> None:
    events = [MINIMAL, MINIMAL | {"occurred_at": "soon"}, MINIMAL | {"channel": "booking"}]
    path = tmp_path / "events.json"
    pretty = [json.dumps(event, indent=1) for event in events]
    path.write_text(
        {
            "array": json.dumps(events),
            "pretty array": f"[\n{','.join(pretty)}]",
            "objects over lines": "\n".join(pretty),
        }[form]
    )
    rows, [bad] = read(path, batch_size=2)
    assert {channel: len(some) for channel, some in rows.items()} == {"stay": 1, "booking": 1}
    lines = pretty[0].count("\n") + 1
    assert bad.line == {"array": 1, "pretty array": lines + 1, "objects over lines": lines + 1}[form]
    assert bad.detail == "item 2: occurred_at is 'soon', which is not an ISO 8601 time"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a;b;c\n" * 400_000, "no file of events: none of the first 20,000 lines is one"),
        (b'{"res_no": 7, "status": "OUT"}\n' * 1_000, "channel is missing"),
        (json.dumps([{"res_no": 7}] * 1_000).encode(), "rihla map init"),
        (b"[1, 2]\n{}", "there is more after the array"),
        (b"PK\x03\x04" + bytes(1000), "a ZIP archive"),
        (b"PAR1" + bytes(1000), "a Parquet file"),
        ('{"a": 1}\n'.encode("utf-16-le"), "zero bytes"),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "events"
    path.write_bytes(content)
    with pytest.raises(SourceError, match="events") as error:
        list(jsonl.read(str(path)))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


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


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": zstd.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}


@pytest.mark.parametrize("form", PACKED)
def test_compression_is_recognised_whatever_the_name(tmp_path: Path, form: str) -> None:
    path = tmp_path / "events"
    pack = PACKED[form]
    path.write_bytes(pack(json.dumps(MINIMAL).encode() + b"\n") + pack(json.dumps(MINIMAL).encode() + b"\n"))
    rows, bad = read(path)  # of both members
    assert len(rows["stay"]) == 2
    assert bad == []


@pytest.mark.parametrize("form", PACKED)
@pytest.mark.parametrize("fault", ["truncated", "garbled"])
def test_what_is_broken_is_said_after_what_could_be_read(tmp_path: Path, form: str, fault: str) -> None:
    path = tmp_path / "events.jsonl"
    text = random.Random(1)
    first, *lines = [json.dumps(MINIMAL | {"text": str(text.random())}).encode() + b"\n" for n in range(30_000)]
    packed = PACKED[form](first) + PACKED[form](b"".join(lines))
    path.write_bytes(packed[:-1000] if fault == "truncated" else packed[:-5000] + bytes(5000))
    frames: list[pl.DataFrame] = []
    with pytest.raises(SourceError, match=f"the {form} data is broken after [1-9][0-9,]* bytes of text .*were read"):
        frames.extend(batch.frame for batch in jsonl.read(str(path), batch_size=1000))
    read = sum(frame.height for frame in frames)
    assert read > (1 if form in ("bzip2", "xz") else 25_000)  # these unpack whole blocks
    assert read < 30_000


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_says_the_encoding(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes((json.dumps(MINIMAL | {"text": "شكرا"}, ensure_ascii=False) + "\r\n").encode(encoding))
    rows, bad = read(path)
    assert [row["text"] for row in rows["stay"]] == ["شكرا"]
    assert bad == []


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
        ({"touchpoint": "Stay Arrived"}, ("touchpoint", "stay.arrived")),
    ],
)
def test_what_no_spelling_explains_stays(tmp_path: Path, given: dict[str, str], kept: tuple[str, str]) -> None:
    rows, _ = read_one(tmp_path, MINIMAL | given)
    [[row]] = rows.values()
    assert row[kept[0]] == kept[1]


def test_a_country_that_is_no_code_costs_the_event_nothing(tmp_path: Path) -> None:
    """Three letters are understood; of a name nothing is guessed, and it stays as an attribute."""
    given = ["SAU", "xk", "KSA", "Saudi Arabia", None]
    path = tmp_path / "events.jsonl"
    path.write_text("\n".join(json.dumps(MINIMAL | {"country": one}) for one in given))
    [batch] = jsonl.read(str(path))
    assert batch.bad == []
    assert batch.frame["country"].to_list() == ["SA", "XK", None, None, None]
    unread = {"key": "country.unread", "value": "KSA"}
    assert batch.frame["attributes"].to_list() == [[], [], [unread], [unread | {"value": "Saudi Arabia"}], []]
    assert batch.unread == {"country": 2}


def test_a_channel_is_what_the_touchpoint_begins_with(tmp_path: Path) -> None:
    bare = {name: value for name, value in MINIMAL.items() if name != "channel"}
    named = ["check_in.my_own", "Booking Confirmed", "identity.linked"]
    path = tmp_path / "named.jsonl"
    path.write_text("\n".join(json.dumps(bare | {"touchpoint": one}) for one in named))
    rows, bad = read(path)
    assert bad == []
    found = sorted((channel, row["touchpoint"]) for channel, some in rows.items() for row in some)
    assert found == [("booking", "booking.confirmed"), ("booking", "identity.linked"), ("check_in", "check_in.my_own")]
    assert "the touchpoint begins with none" in read_bad(tmp_path, bare | {"touchpoint": "Room cleaned"}).detail


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


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("stay.arived", "stay.arrived"),
        ("No Show", "check_in.no_show"),
        ("checkedout", "stay.checked_out"),
        ("complaint made", "booking.complaint_made"),
    ],
)
def test_near_names_are_found_with_their_channel_or_without(written: str, meant: str) -> None:
    assert meant in near(written)
    assert near("xyzzy") == []
