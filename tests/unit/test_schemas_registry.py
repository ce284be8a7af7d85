"""Schemas from files, and from a service that speaks Confluent's HTTP API (a small one, in this process)."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from schemas import records, single
from schemas.decode import BatchDecoder
from schemas.encode import BatchEncoder
from schemas.registry import HttpRegistry, LocalRegistry, RegistryError, RegistryRefusesError, UnknownSchemaError
from schemas.wire import CONFLUENT, SINGLE_OBJECT, Wire, WireHeader, parse
from tests.support.registries import ConfluentService, serving

LINK = {"subject": "customer:1", "identifier": "device:2", "occurred_at": 1_700_000_000_000, "kind": "link"}


@pytest.fixture
def service() -> Iterator[ConfluentService]:
    with serving() as server:
        yield server


@pytest.mark.parametrize("wire", [CONFLUENT, SINGLE_OBJECT])
@pytest.mark.parametrize("name", records.NAMES)
def test_files_know_every_schema_by_both_headers(name: str, wire: Wire) -> None:
    registry = LocalRegistry()
    header = parse(registry.header_for(name, wire))
    assert header.wire == wire
    assert registry.writer_schema(header)["name"] == records.schema(name)["name"]


def test_files_say_what_they_do_not_know() -> None:
    with pytest.raises(UnknownSchemaError, match="schema id 4711"):
        LocalRegistry().writer_schema(WireHeader(CONFLUENT, 4711))
    with pytest.raises(UnknownSchemaError, match="fingerprint 0000000000000001"):
        LocalRegistry().writer_schema(WireHeader(SINGLE_OBJECT, 1))
    with pytest.raises(KeyError):
        LocalRegistry().header_for("hotel")


def test_a_changed_schema_has_no_id_before_its_release_and_the_old_one_is_still_read(tmp_path: Path) -> None:
    directory = tmp_path / "avro"
    shutil.copytree(records.AVRO_DIR, directory)
    before = LocalRegistry().header_for("link")
    changed = records.raw("link")
    changed["fields"].append({"name": "source", "type": ["null", "string"], "default": None, "doc": "Where from."})
    (directory / "link.avsc").write_text(json.dumps(changed))

    registry = LocalRegistry(directory)
    assert registry.header_for("link") != before
    assert len(registry.writer_schema(parse(before))["fields"]) == 4
    assert len(registry.writer_schema(parse(registry.header_for("link")))["fields"]) == 5
    with pytest.raises(RegistryError, match=r"--release"):
        registry.header_for("link", CONFLUENT)


def test_a_service_registers_the_writers_schema_and_gives_it_to_readers(service: ConfluentService) -> None:
    frame = pl.DataFrame([LINK] * 3, schema=records.polars_schema("link"))
    payloads = BatchEncoder("link", HttpRegistry(service.url), CONFLUENT).encode(frame)
    assert payloads[0][:5] == b"\0\0\0\0\x64"

    reader = HttpRegistry(service.url + "/")
    assert BatchDecoder("link", reader).decode(payloads).frame.equals(frame)
    assert single.decode_one(payloads[0], "link", reader) == LINK
    assert service.requests == [("POST", "/subjects/rihla.Link/versions"), ("GET", "/schemas/ids/100")]
    assert json.loads(service.by_id[100]["schema"]) == records.raw("link")


def test_single_object_headers_do_not_ask_the_service(service: ConfluentService) -> None:
    registry = HttpRegistry(service.url)
    payload = single.encode_one("link", LINK, registry, SINGLE_OBJECT)
    assert single.decode_one(payload, "link", registry) == LINK
    assert service.requests == []


def test_what_the_service_does_not_know_is_asked_once_and_makes_no_other_record_bad(service: ConfluentService) -> None:
    registry = HttpRegistry(service.url)
    good = single.encode_one("link", LINK, registry, CONFLUENT)
    decoder = BatchDecoder("link", registry)
    for _ in range(2):
        decoded = decoder.decode([b"\0\0\0\0\x09datum", good, b"\0\0\0\0\x09"])
        assert decoded.rows.tolist() == [1]
        assert [position for position, _ in decoded.errors] == [0, 2]
        assert "Schema not found" in decoded.errors[0][1]
    assert service.requests.count(("GET", "/schemas/ids/9")) == 1


@pytest.mark.parametrize(
    "answer",
    [
        {"schemaType": "PROTOBUF", "schema": "syntax"},
        {"schemaType": "JSON", "schema": "{}"},
        {"schema": '"string"'},
        {"schema": "no json"},
        {"schema": '{"type": "record", "name": "R", "fields": [{"name": "x", "type": "Nowhere"}]}'},
        {"schema": '"Other"', "references": [{"name": "Other", "subject": "other", "version": 1}]},
        {},
    ],
)
def test_a_schema_that_is_no_avro_record_makes_its_values_bad(
    service: ConfluentService, answer: dict[str, Any]
) -> None:
    service.by_id[7] = answer
    decoded = BatchDecoder("link", HttpRegistry(service.url)).decode([b"\0\0\0\0\x07datum"])
    assert decoded.frame.height == 0
    assert decoded.errors[0][1].startswith("schema id 7 ")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((500, b'{"error_code": 50001, "message": "Error in the backend data store"}'), "answered 500.*data store"),
        ((401, b"who are you"), "answered 401.*who are you"),
        ((200, b"<html>"), "did not answer"),
        ((200, b"[]"), "no JSON object"),
    ],
)
def test_a_service_in_trouble_is_no_fault_of_the_values(
    service: ConfluentService, answer: tuple[int, bytes], message: str
) -> None:
    payload = single.encode_one("link", LINK, HttpRegistry(service.url), CONFLUENT)
    service.broken = answer
    registry = HttpRegistry(service.url)
    decoder = BatchDecoder("link", registry)
    with pytest.raises(RegistryError, match=message) as raised:
        decoder.decode([payload])
    assert not isinstance(raised.value, UnknownSchemaError)
    with pytest.raises(RegistryError, match=message):
        registry.header_for("link", CONFLUENT)
    service.broken = None
    assert decoder.decode([payload]).rows.tolist() == [0]


def test_a_service_that_gives_no_id(service: ConfluentService) -> None:
    service.broken = (200, b"{}")
    with pytest.raises(RegistryError, match="gave no id for link"):
        HttpRegistry(service.url).header_for("link", CONFLUENT)


def test_no_service_at_all() -> None:
    with serving() as server:
        port = server.server_port
    with pytest.raises(RegistryError, match=f"127.0.0.1:{port}.* did not answer"):
        HttpRegistry(f"http://127.0.0.1:{port}", timeout=1).header_for("link", CONFLUENT)


def test_credentials_are_sent_and_not_shown(service: ConfluentService) -> None:
    registry = HttpRegistry(service.url.replace("//", "//rihla:s%40fe@"))
    registry.header_for("link", CONFLUENT)
    assert service.authorisations == [f"Basic {base64.b64encode(b'rihla:s@fe').decode()}"]
    with pytest.raises(UnknownSchemaError) as raised:
        registry.writer_schema(WireHeader(CONFLUENT, 9))
    assert "s%40fe" not in str(raised.value)
    assert "s@fe" not in str(raised.value)


@pytest.mark.parametrize("url", ["registry:8081", "ftp://registry", "http://"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(ValueError, match="http://HOST:PORT"):
        HttpRegistry(url)


@pytest.mark.parametrize("number", [2**31, 2**32 - 1])
def test_an_id_that_no_registry_gives_is_not_asked_for(service: ConfluentService, number: int) -> None:
    registry = HttpRegistry(service.url)
    with pytest.raises(UnknownSchemaError, match=f"schema id {number} is beyond 2147483647"):
        registry.writer_schema(WireHeader(CONFLUENT, number))
    assert registry.settled(number)
    assert not service.requests


@pytest.mark.parametrize("status", [400, 404, 410, 422])
def test_answers_that_there_is_no_such_schema(service: ConfluentService, status: int) -> None:
    service.broken = (status, b"no")
    registry = HttpRegistry(service.url)
    for _ in range(2):
        with pytest.raises(UnknownSchemaError, match=f"answered {status}"):
            registry.writer_schema(WireHeader(CONFLUENT, 7))
    assert len(service.requests) == 1
    service.broken, service.by_id[7] = None, {"schema": json.dumps(records.raw("link"))}
    assert registry.look_up(WireHeader(CONFLUENT, 7))["name"] == "rihla.Link"
    assert registry.writer_schema(WireHeader(CONFLUENT, 7))["name"] == "rihla.Link"


@pytest.mark.parametrize("status", [401, 403])
def test_an_answer_that_nothing_but_other_settings_helps(service: ConfluentService, status: int) -> None:
    service.broken = (status, b"who are you")
    with pytest.raises(RegistryRefusesError, match=f"answered {status}.*RIHLA_REGISTRY"):
        HttpRegistry(service.url).writer_schema(WireHeader(CONFLUENT, 7))


@pytest.mark.parametrize("status", [302, 408, 409, 429, 500, 502, 503])
def test_any_other_answer_is_an_outage(service: ConfluentService, status: int) -> None:
    service.broken = (status, b"later")
    with pytest.raises(RegistryError, match=f"{status}") as raised:
        HttpRegistry(service.url).writer_schema(WireHeader(CONFLUENT, 7))
    assert not isinstance(raised.value, (UnknownSchemaError, RegistryRefusesError))


def test_garbage_does_not_flood_the_service_and_hides_no_schema(service: ConfluentService) -> None:
    service.by_id |= {id_: {"schema": json.dumps(records.raw("link"))} for id_ in range(1, 60)}
    registry = HttpRegistry(service.url)
    payloads = [b"\0" + number.to_bytes(4, "big") + b"x" for number in range(1_000, 9_000)]
    decoded = BatchDecoder("link", registry).decode(payloads)
    assert len(decoded.errors) == 8_000
    assert len(service.requests) <= 60
    assert "not asked for" in decoded.errors[-1][1]
    for id_ in range(1, 60):  # what there is costs nothing of what may be asked in vain
        registry.keep(id_, service.by_id[id_]["schema"])
        assert registry.writer_schema(WireHeader(CONFLUENT, id_))


def test_what_is_kept_answers_in_an_outage_and_names_what_is_written(service: ConfluentService) -> None:
    first = HttpRegistry(service.url)
    header = first.header_for("link", CONFLUENT)
    ((id_, schema),) = first.learned.items()
    service.broken = (503, b"")
    second = HttpRegistry(service.url)
    second.keep(id_, schema)
    assert second.header_for("link", CONFLUENT) == header
    assert second.writer_schema(parse(header))["name"] == "rihla.Link"
    with pytest.raises(RegistryError):
        second.header_for("case", CONFLUENT)


@pytest.mark.parametrize(
    "schema", ["", "[]", "7", "{}", "[" * 100_000, '{"type": "record"}', '["null", "no.Such"]', "null"]
)
def test_what_is_no_avro_record_is_unknown(service: ConfluentService, schema: str) -> None:
    service.by_id[7] = {"schema": schema}
    with pytest.raises(UnknownSchemaError, match="schema id 7"):
        HttpRegistry(service.url).writer_schema(WireHeader(CONFLUENT, 7))
