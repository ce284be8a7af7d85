"""Values in other systems' schemas and headers, as objects; and events of foreign Avro, through enrich."""

from __future__ import annotations

import io
import json
import uuid
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_writer
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from schemas.decode import BatchDecoder
from schemas.foreign import ForeignReader, avro_reader, header_of
from schemas.registry import HttpRegistry, LocalRegistry, UnknownSchemaError
from schemas.single import UndecodableError
from streams.enrich.transform import Enricher
from streams.sources.mapping.model import Read, load
from streams.sources.mapping.rows import rows_of_objects
from streams.sources.mapping.translate import Translator
from tests.support.registries import ConfluentService, serving

NOW = 1_800_000_000_000
ID = uuid.UUID("0b8f8f0e-7c11-4a51-9d9b-1f2e3d4c5b6a")


def datum(schema: Any, value: Any) -> bytes:
    out = io.BytesIO()
    schemaless_writer(out, parse_schema(schema), value)
    return out.getvalue()


def record(*fields: tuple[str, Any], name: str = "Rec") -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": key, "type": kind} for key, kind in fields]}


RESERVATION = record(
    ("id", {"type": "fixed", "name": "Id", "size": 16, "logicalType": "uuid"}),
    ("at", {"type": "long", "logicalType": "timestamp-micros"}),
    ("arrival", {"type": "long", "logicalType": "local-timestamp-millis"}),
    ("total", {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 3}),
    ("rate", "double"),
    ("status", {"type": "enum", "name": "Status", "symbols": ["BOOKED", "CHECKED_OUT", "BRAND_NEW"]}),
    ("tags", {"type": "map", "values": ["null", "string", "int"]}),
    ("hotel", "string"),
    name="Reservation",
)
VALUE = {
    "id": ID.bytes,
    "at": datetime(2025, 3, 1, 9, 30, 0, 123456, UTC),
    "arrival": datetime(2025, 3, 5, 15, 0),
    "total": Decimal("1234.500"),
    "rate": 99.5,
    "status": "BRAND_NEW",
    "tags": {"vip": "yes", "n": 3, "x": None},
    "hotel": "RUH",
}
OBJECT = {
    "id": str(ID),
    "at": "2025-03-01T09:30:00.123456Z",
    "arrival": "2025-03-05T15:00:00",
    "total": "1234.500",
    "rate": 99.5,
    "status": "BRAND_NEW",
    "tags": {"vip": "yes", "n": 3, "x": None},
    "hotel": "RUH",
}
UNION = ["null", record(("a", "int"), name="Other"), RESERVATION]


@pytest.fixture
def service() -> Iterator[ConfluentService]:
    with serving() as made:
        yield made


@pytest.mark.parametrize("schema", [RESERVATION, UNION])
@pytest.mark.parametrize(
    "header", ["confluent", "apicurio", "beside", "glue", "glue zlib", "glue's folder", "single-object", "none"]
)
def test_every_header_and_type_of_avro(tmp_path: Path, schema: Any, header: str, service: ConfluentService) -> None:
    data = datum(schema, VALUE)
    payload = {
        "confluent": b"\0" + (7).to_bytes(4, "big") + data,
        "apicurio": b"\0" + (7).to_bytes(8, "big") + data,
        "beside": data,
        "glue": b"\x03\0" + ID.bytes + data,
        "glue's folder": b"\x03\0" + ID.bytes + data,
        "glue zlib": b"\x03\x05" + ID.bytes + zlib.compress(data),
        "single-object": b"\xc3\x01" + bytes(8) + data,
        "none": data,
    }[header]
    by_file = tmp_path / f"{ID}.avsc"
    by_file.write_text(json.dumps(schema))
    beside = [("apicurio.value.globalId", (7).to_bytes(8, "big")), ("apicurio.value.encoding", b"BINARY")]
    if header in ("confluent", "apicurio", "beside"):
        service.by_id[7] = {"schema": json.dumps(schema)}
        reader = ForeignReader(HttpRegistry(service.url))
    else:
        reader = ForeignReader(None, tmp_path if "folder" in header else by_file)
    headers = beside if header == "beside" else []
    assert reader.read(payload, headers) == OBJECT
    with pytest.raises(UndecodableError):
        reader.read(payload + b"x" if "zlib" not in header else payload[:-2], headers)


def test_what_apicurio_writes_into_the_headers_of_records(service: ConfluentService) -> None:
    """As its serializers of version 2 do by default: io.apicurio.registry.serde, DefaultHeadersHandler."""
    schema = record(("n", "int"), ("a", "string"))
    reader = ForeignReader(HttpRegistry(service.url))
    odd = datum(schema, {"n": -62, "a": "x"})
    assert odd[:1] == b"{"
    service.by_id[9] = {"schema": json.dumps(schema)}
    for name in ("apicurio.value.globalId", "apicurio.value.contentId"):
        there = [(name, (9).to_bytes(8, "big")), ("apicurio.value.encoding", b"BINARY"), ("other", None)]
        assert reader.read(odd, there) == {"n": -62, "a": "x"}
    as_json = [("apicurio.value.globalId", (9).to_bytes(8, "big")), ("apicurio.value.encoding", b"JSON")]
    assert reader.read(b'{"n": 1}', as_json) == {"n": 1}
    with pytest.raises(UndecodableError, match="Schema not found"):
        reader.read(odd, [("apicurio.value.globalId", (10).to_bytes(8, "big"))])


def test_glue_s_versions_are_files_named_by_their_uuid(tmp_path: Path) -> None:
    older, newer, of_json, of_protobuf = (uuid.UUID(int=number) for number in (1, 2, 3, 4))
    (tmp_path / f"{older}.avsc").write_text(json.dumps(record(("a", ["null", "string"]))))
    (tmp_path / f"{newer}.avsc").write_text(json.dumps(record(("a", ["null", "string"]), ("b", "int"))))
    (tmp_path / f"{of_json}.json").write_text("{}")
    (tmp_path / f"{of_protobuf}.desc").write_bytes(descriptor_pb2.FileDescriptorSet(file=[proto()]).SerializeToString())
    reader = ForeignReader(None, tmp_path)

    def glue(version: uuid.UUID, data: bytes) -> Any:
        return reader.read(b"\x03\0" + version.bytes + data)

    assert glue(older, b"\0") == {"a": None}
    assert glue(newer, b"\0\x06") == {"a": None, "b": 3}
    assert glue(of_json, b'{"c": 1}') == {"c": 1}
    assert glue(of_protobuf, b"\0\n\x02R1") == {"ref": "R1"}  # pms.Stay, then pms.Stay.Inner
    assert glue(of_protobuf, b"\x01\n\x01x") == {"a": "x"}
    with pytest.raises(UndecodableError, match="no message 2"):
        glue(of_protobuf, b"\x02")
    with pytest.raises(UndecodableError, match=f"get-schema-version --schema-version-id {ID}"):
        glue(ID, b"\0")
    assert reader.read(b'{"c": 1}') == {"c": 1}
    one = ForeignReader(None, tmp_path / f"{of_protobuf}.desc")
    assert one.read(b"\x03\0" + ID.bytes + b"\x01\n\x01x") == {"a": "x"}


def test_avro_without_a_header_may_begin_as_one_does(tmp_path: Path) -> None:
    schema = record(("a", ["null", "string"]), ("b", "string"))
    path = tmp_path / "s.avsc"
    path.write_text(json.dumps(schema))
    value = {"a": None, "b": "longer than four"}
    assert datum(schema, value)[:1] == b"\0"
    assert ForeignReader(None, path).read(datum(schema, value)) == value


def test_a_mapping_reads_what_avro_holds(tmp_path: Path) -> None:
    path = tmp_path / "m.toml"
    path.write_text("""source = "pms"
[[events]]
name = "status"
event_id = "id"
touchpoint = { column = "status", table = { BOOKED = "booking.confirmed" }, otherwise = "booking.confirmed" }
medium = { value = "system" }
occurred_at = { column = "arrival", zone = "UTC", zones = { RUH = "Asia/Riyadh" } }
booking_ref = "id"
unit = "hotel"
money = { amount = "total", currency = { value = "KWD" } }
attributes = { status = "status" }
attributes_from = ["tags"]
""")
    translator = Translator(load(str(path)), "topic")
    done = translator.translate(rows_of_objects([json.dumps(OBJECT).encode()], translator.columns, Read()))
    [(_, frame)] = done.frames
    [row] = frame.to_dicts()
    assert row["event_id"] == str(ID)
    assert row["occurred_at"] == datetime(2025, 3, 5, 12, 0, tzinfo=UTC).timestamp() * 1000  # 15:00 in Riyadh
    assert row["money"] == {"amount_minor": 1234500, "currency": "KWD"}
    assert {one["key"]: one["value"] for one in row["attributes"]} == {"status": "BRAND_NEW", "vip": "yes", "n": "3"}


def proto() -> descriptor_pb2.FileDescriptorProto:
    """Stay { string ref = 1; int64 nights = 2; google.protobuf.Timestamp at = 3; message Inner {string a = 1;} }"""
    made = descriptor_pb2.FileDescriptorProto(name="stay.proto", package="pms", syntax="proto3")
    made.dependency.append("google/protobuf/timestamp.proto")
    stay = made.message_type.add(name="Stay")
    stay.field.add(name="ref", number=1, type=9, label=1)
    stay.field.add(name="nights", number=2, type=3, label=1)
    stay.field.add(name="at", number=3, type=11, label=1, type_name=".google.protobuf.Timestamp")
    stay.nested_type.add(name="Inner").field.add(name="a", number=1, type=9, label=1)
    return made


def test_protobuf_with_the_descriptor_of_the_registry(tmp_path: Path, service: ConfluentService) -> None:
    import base64

    from google.protobuf import timestamp_pb2

    pool = descriptor_pool.DescriptorPool()
    stamp = descriptor_pb2.FileDescriptorProto()
    timestamp_pb2.DESCRIPTOR.CopyToProto(stamp)
    pool.Add(stamp)
    pool.Add(proto())
    stay = message_factory.GetMessageClass(pool.FindMessageTypeByName("pms.Stay"))
    inner = message_factory.GetMessageClass(pool.FindMessageTypeByName("pms.Stay.Inner"))
    data = stay(ref="R1", nights=2, at={"seconds": 1_700_000_000}).SerializeToString()
    service.by_id[9] = {
        "schemaType": "PROTOBUF",
        "schema": "as text",
        "serialized": base64.b64encode(proto().SerializeToString()).decode(),
    }
    reader = ForeignReader(HttpRegistry(service.url))
    found = {"ref": "R1", "nights": "2", "at": "2023-11-14T22:13:20Z"}
    assert reader.read(b"\0\0\0\0\x09\0" + data) == found
    assert reader.read(b"\0\0\0\0\x09\x04\0\0" + inner(a="x").SerializeToString()) == {"a": "x"}
    for wrong in (b"\0\0\0\0\x09\0\xff", b"\0\0\0\0\x09\x02\x0e" + data, b"\0\0\0\0\x09\xff"):
        with pytest.raises(UndecodableError):
            reader.read(wrong)
    path = tmp_path / "stay.desc"
    path.write_bytes(descriptor_pb2.FileDescriptorSet(file=[proto()]).SerializeToString())
    assert ForeignReader(None, path).read(data) == found


def test_json_schema_and_plain_json(service: ConfluentService) -> None:
    service.by_id[3] = {"schemaType": "JSON", "schema": "{}"}
    reader = ForeignReader(HttpRegistry(service.url))
    assert reader.read(b'\0\0\0\0\x03{"a": 1}') == {"a": 1}
    assert reader.read(b'{"a": 1}') == {"a": 1}
    with pytest.raises(UndecodableError, match="column 6"):
        reader.read(b'{"a":}')
    with pytest.raises(UndecodableError, match="Schema not found"):
        reader.read(b"\0\0\0\0\x63x")
    with pytest.raises(UndecodableError, match="--schema"):
        reader.read(b"\x03\0" + ID.bytes + b"x")
    with pytest.raises(UnknownSchemaError):
        avro_reader("no schema")
    assert header_of(b"\0\0\0\0\x01x").id == 1


EVENT = {
    "event_id": ID.bytes,
    "occurred_at": datetime(2025, 3, 1, 9, 30, tzinfo=UTC),
    "ids": {"customer": "C-7"},
    "touchpoint": "BOOKING.CONFIRMED",
    "medium": "Web",
    "attributes": {"vip": "yes", "floor": "3"},
    "money": {"amount_minor": 100, "currency": "sar"},
    "survey": {"instrument": "GUT", "score": 7.0},
    "corner": "new",
}


def foreign(at: str = "timestamp-micros") -> dict[str, Any]:
    """A booking of another name, with types of other kinds."""
    money = record(("amount_minor", "int"), ("currency", "string"), name="Sum")
    survey = record(
        ("instrument", {"type": "enum", "name": "Kind", "symbols": ["NPS", "GUT"]}), ("score", "float"), name="Answer"
    )
    return record(
        ("event_id", {"type": "fixed", "name": "Id", "size": 16, "logicalType": "uuid"}),
        ("occurred_at", {"type": "long", "logicalType": at}),
        ("ids", {"type": "map", "values": "string"}),
        ("touchpoint", "string"),
        ("medium", "string"),
        ("attributes", {"type": "map", "values": "string"}),
        ("money", ["null", money, "string"]),
        ("survey", survey),
        ("corner", "string"),
        name="com.example.Reserved",
    )


@pytest.mark.parametrize("unit", ["timestamp-micros", "timestamp-millis", "timestamp-nanos"])
def test_an_event_in_a_foreign_schema_is_read_by_its_names(unit: str, service: ConfluentService) -> None:
    service.by_id[5] = {"schema": json.dumps(foreign(unit))}
    value = EVENT if unit != "timestamp-nanos" else EVENT | {"occurred_at": 1_740_821_400_000_000_000}
    payload = b"\0\0\0\0\x05" + datum(foreign(unit), value)
    found = Enricher(HttpRegistry(service.url)).enrich({"booking": [payload, None, b"\0\0\0\0\x05xx"]}, NOW)
    assert [(at, reason) for at, reason, _ in found.refused] == [(1, "undecodable"), (2, "undecodable")]
    [row] = BatchDecoder("interaction", LocalRegistry()).decode(found.values).frame.to_dicts()
    assert row["event_id"] == str(ID)
    assert row["occurred_at"] == 1_740_821_400_000
    assert (row["touchpoint"], row["medium"]) == ("booking.confirmed", "web")
    assert row["money"] == {"amount_minor": 100, "currency": "SAR"}
    assert row["survey"] is None
    kept = {one["key"]: one["value"] for one in row["attributes"]}
    assert kept.pop("survey.unread") == '{"instrument":"GUT","score":7.0}'
    assert kept == {"vip": "yes", "floor": "3", "corner": "new"}


def test_a_local_time_in_a_channel_is_a_letter_that_says_what_to_do(service: ConfluentService) -> None:
    service.by_id[5] = {"schema": json.dumps(foreign("local-timestamp-millis"))}
    payload = b"\0\0\0\0\x05" + datum(foreign("local-timestamp-millis"), EVENT | {"occurred_at": datetime(2025, 3, 1)})
    [(_, reason, detail)] = Enricher(HttpRegistry(service.url)).enrich({"booking": [payload]}, NOW).refused
    assert (reason, "rihla feed" in detail) == ("undecodable", True)
