"""A batch of values to columns: headers, columns wanted, older writers, and what is refused."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from fastavro import parse_schema, schemaless_writer

from schemas import records, single
from schemas.decode import BatchDecoder
from schemas.encode import BatchEncoder
from schemas.numbers import varint
from schemas.registry import LocalRegistry, RegistryError, UnknownSchemaError
from schemas.wire import CONFLUENT, SINGLE_OBJECT, WireHeader, join

REGISTRY = LocalRegistry()
STAY: dict[str, Any] = {
    "event_id": "6f1c1d0e-0000-4000-8000-000000000001",
    "occurred_at": 1_772_323_200_000,
    "ids": [{"kind": "customer", "value": "C1"}],
    "touchpoint": "stay.prayer_mat_requested",
    "medium": "app",
    "survey": {"instrument": "ces", "score": 6.0},
    "text": "أين سجادة الصلاة؟",
    "wait_seconds": 90,
}


class OneSchema:
    """A registry that knows one writer's schema, by any header."""

    def __init__(self, writer: dict[str, Any]) -> None:
        self.writer = parse_schema(writer)

    def writer_schema(self, header: WireHeader) -> dict[str, Any]:
        return self.writer

    def header_for(self, name: str, wire: Any = CONFLUENT) -> bytes:
        return join(WireHeader(CONFLUENT, 1))


def written(writer: dict[str, Any], *rows: dict[str, Any]) -> list[bytes | None]:
    """What a producer with the schema `writer` puts on a topic."""
    payloads: list[bytes | None] = []
    for row in rows:
        out = io.BytesIO()
        schemaless_writer(out, parse_schema(writer), row)
        payloads.append(join(WireHeader(CONFLUENT, 1)) + out.getvalue())
    return payloads


def stay_written_by(change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """The stay schema as some other version had it."""
    schema = records.raw("stay")
    change(schema)
    return schema


def field(schema: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(field for field in schema["fields"] if field["name"] == name)
    return found


def test_a_record_comes_back_as_columns_whatever_its_header() -> None:
    payloads = [single.encode_one("stay", STAY, REGISTRY, wire) for wire in (CONFLUENT, SINGLE_OBJECT, CONFLUENT)]
    decoded = BatchDecoder("stay", REGISTRY).decode(payloads)
    assert decoded.rows.tolist() == [0, 1, 2]
    assert decoded.frame.schema == records.polars_schema("stay")
    absent = dict.fromkeys(records.fields("stay")) | {"attributes": []}
    assert decoded.frame.to_dicts() == [absent | STAY] * 3


def test_what_has_no_value_or_header_or_known_schema_is_an_error_at_its_place() -> None:
    good = single.encode_one("stay", STAY, REGISTRY)
    unknown = join(WireHeader(SINGLE_OBJECT, 5))
    decoded = BatchDecoder("stay", REGISTRY).decode([None, good, b"", b"{}", unknown, good, good[:10], good + b"\0"])
    assert decoded.rows.tolist() == [1, 5]
    assert decoded.frame.height == 2
    details = dict(decoded.errors)
    assert details[0] == "no value"
    assert "header" in details[2]
    assert "header" in details[3]
    assert "schema fingerprint 0000000000000005" in details[4]
    assert "Stay" in details[6]
    assert "1 of" in details[7]
    assert "left over" in details[7]


def test_an_empty_batch() -> None:
    decoded = BatchDecoder("stay", REGISTRY).decode([])
    assert (decoded.frame.height, decoded.rows.tolist(), decoded.errors) == (0, [], [])
    assert decoded.frame.schema == records.polars_schema("stay")


def test_columns_wanted_come_in_the_order_wanted() -> None:
    payloads = [single.encode_one("stay", STAY, REGISTRY)] * 2 + [b"bad"]
    decoded = BatchDecoder("stay", REGISTRY).decode(payloads, columns=["wait_seconds", "medium", "facility"])
    assert decoded.frame.rows() == [(90, "app", None)] * 2
    assert decoded.frame.columns == ["wait_seconds", "medium", "facility"]
    with pytest.raises(KeyError, match="colour"):
        BatchDecoder("stay", REGISTRY).decode(payloads, columns=["colour"])


def test_another_record_is_not_taken_for_this_one() -> None:
    decoded = BatchDecoder("booking", REGISTRY).decode([single.encode_one("stay", STAY, REGISTRY)])
    assert decoded.frame.height == 0
    assert len(decoded.errors) == 1


def test_an_older_writer_lacks_fields_and_has_dropped_ones() -> None:
    def before(schema: dict[str, Any]) -> None:
        schema["fields"] = [f for f in schema["fields"] if f["name"] not in ("facility", "attributes", "case_id")]
        schema["fields"].insert(2, {"name": "weather", "type": {"type": "map", "values": "string"}})

    def readable(schema: dict[str, Any]) -> None:
        before(schema)
        field(schema, "weather")["type"] = "string"

    for change, weather in ((before, {"sky": "clear"}), (readable, "clear")):  # by fastavro, and by columns
        writer = stay_written_by(change)
        payloads = written(writer, STAY | {"weather": weather}, STAY | {"weather": weather, "unit": "MAKKAH01"})
        decoded = BatchDecoder("stay", OneSchema(writer)).decode([*payloads, (payloads[0] or b"")[:-3]])
        assert decoded.frame.schema == records.polars_schema("stay")
        assert decoded.frame["unit"].to_list() == [None, "MAKKAH01"]
        kept = [{"key": "weather", "value": weather}] if isinstance(weather, str) else []
        assert decoded.frame["attributes"].to_list() == [kept, kept]
        assert decoded.lost == (0 if kept else 2)
        assert decoded.frame["wait_seconds"].to_list() == [90, 90]
        assert [position for position, _ in decoded.errors] == [2]
        only_new = BatchDecoder("stay", OneSchema(writer)).decode(payloads, columns=["facility", "attributes"])
        assert only_new.frame.rows() == [(None, kept), (None, kept)]


def test_a_writer_with_a_newer_symbol_is_refused_for_those_records_alone() -> None:
    writer = stay_written_by(lambda schema: field(schema, "medium")["type"]["symbols"].insert(0, "hologram"))
    payloads = written(writer, STAY, STAY | {"medium": "hologram"}, STAY | {"medium": "system"})
    decoded = BatchDecoder("stay", OneSchema(writer)).decode(payloads)
    assert decoded.frame["medium"].to_list() == ["app", "system"]
    assert decoded.rows.tolist() == [0, 2]
    assert decoded.errors == [(1, "field medium has no value that the schema allows")]


def test_a_record_bad_in_two_fields_is_one_error() -> None:
    def newer(schema: dict[str, Any]) -> None:
        field(schema, "medium")["type"]["symbols"].append("hologram")
        field(schema, "survey")["type"][1]["fields"][0]["type"]["symbols"].append("smile")

    writer = stay_written_by(newer)
    bad = STAY | {"medium": "hologram", "survey": {"instrument": "smile", "score": 1.0}}
    decoded = BatchDecoder("stay", OneSchema(writer)).decode(written(writer, bad, STAY))
    assert [position for position, _ in decoded.errors] == [0]
    assert decoded.frame["survey"].to_list() == [STAY["survey"]]


def test_null_where_the_reader_has_no_null() -> None:
    def looser(schema: dict[str, Any]) -> None:
        field(schema, "touchpoint")["type"] = ["null", "string"]
        field(schema, "ids")["type"]["items"]["fields"][1]["type"] = ["null", "string"]

    writer = stay_written_by(looser)
    nameless = STAY | {"ids": [{"kind": "customer", "value": None}]}
    decoded = BatchDecoder("stay", OneSchema(writer)).decode(
        written(writer, STAY | {"touchpoint": None}, STAY, nameless, STAY | {"ids": []})
    )
    assert decoded.rows.tolist() == [1, 3]
    assert decoded.frame["ids"].to_list() == [STAY["ids"], []]
    assert [position for position, _ in decoded.errors] == [0, 2]


@pytest.mark.parametrize("moment", [-62_135_596_800_000, 253_402_300_800_000, (1 << 63) - 1, -(1 << 63)])
def test_a_time_outside_the_calendar_is_just_a_number(moment: int) -> None:
    payload = single.encode_one("stay", STAY | {"occurred_at": moment}, REGISTRY)
    assert BatchDecoder("stay", REGISTRY).decode([payload]).frame["occurred_at"].to_list() == [moment]


@pytest.mark.parametrize("text", [b"\xff\xfe", b"\xc3", b"\xed\xa0\x80"])
def test_text_that_is_not_utf_8_is_refused(text: bytes) -> None:
    good = single.encode_one("link", {"subject": "a:b", "identifier": "c:d", "occurred_at": 1}, REGISTRY)
    header = REGISTRY.header_for("link")
    bad = header + varint(len(text)) + text + varint(1) + b"x" + varint(1)
    decoded = BatchDecoder("link", REGISTRY).decode([good, bad, good])
    assert decoded.rows.tolist() == [0, 2]
    assert decoded.errors[0][0] == 1


def test_a_letter_cut_in_two_by_the_border_of_records_is_refused_in_both() -> None:
    header = REGISTRY.header_for("link")
    halves = ["ق".encode()[:1], "ق".encode()[1:]]
    bad = [header + varint(1) + b"x" + varint(1) + half + varint(1) for half in halves]
    decoded = BatchDecoder("link", REGISTRY).decode(bad)
    assert decoded.frame.height == 0
    assert len(decoded.errors) == 2


def test_a_registry_that_cannot_be_asked_stops_the_batch() -> None:
    class Down(OneSchema):
        def writer_schema(self, header: WireHeader) -> dict[str, Any]:
            raise RegistryError("no answer")

    class Empty(OneSchema):
        def writer_schema(self, header: WireHeader) -> dict[str, Any]:
            raise UnknownSchemaError("no such schema")

    payloads = written(records.raw("stay"), STAY)
    with pytest.raises(RegistryError, match="no answer"):
        BatchDecoder("stay", Down(records.raw("stay"))).decode(payloads)
    assert BatchDecoder("stay", Empty(records.raw("stay"))).decode(payloads).errors == [(0, "no such schema")]


def test_many_bad_records_in_a_large_batch_leave_the_rest_in_order() -> None:
    frame = pl.DataFrame(
        {
            "subject": [f"customer:{i}" for i in range(3000)],
            "identifier": "device:d",
            "occurred_at": range(3000),
            "kind": "link",
        },
        schema=records.polars_schema("link"),
    )
    payloads: list[bytes | None] = list(BatchEncoder("link", REGISTRY).encode(frame))
    bad = [0, 1, 2, 40, 999, 1000, 1700, 2998, 2999]
    for position in bad:
        payloads[position] = (payloads[position] or b"")[:-1]
    decoded = BatchDecoder("link", REGISTRY).decode(payloads)
    assert [position for position, _ in decoded.errors] == bad
    assert decoded.frame.equals(frame[[i for i in range(3000) if i not in bad]])
    assert decoded.frame["occurred_at"].to_list() == decoded.rows.tolist()


@pytest.mark.parametrize("neighbours", [0, 1, 31, 32, 100])
def test_a_doubtful_record_is_judged_alike_in_any_company(neighbours: int) -> None:
    header = REGISTRY.header_for("part")
    # a union's branch 2 of two
    doubtful = header + b"\x02a" + b"\x02b" + varint(7) + varint(2) + b"\x02s" + varint(0)
    with pytest.raises(single.UndecodableError):
        single.decode_one(doubtful, "part")
    decoded = BatchDecoder("part", REGISTRY).decode([header] * neighbours + [doubtful] + [header] * neighbours)
    assert dict(decoded.errors)[neighbours].startswith("no rihla.Part: ")
    assert not len(decoded.rows)
