"""Schemas from files, and from a service that speaks Confluent's HTTP API (a small one, in this process)."""

from __future__ import annotations

import base64
import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from schemas import records, single
from schemas.decode import BatchDecoder
from schemas.encode import BatchEncoder
from schemas.registry import HttpRegistry, LocalRegistry, RegistryError, UnknownSchemaError
from schemas.wire import CONFLUENT, SINGLE_OBJECT, Wire, WireHeader, parse

LINK = {"subject": "customer:1", "identifier": "device:2", "occurred_at": 1_700_000_000_000}


class ConfluentService(ThreadingHTTPServer):
    """Registers and serves schemas; `broken` is what it answers instead, if set."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.by_id: dict[int, dict[str, Any]] = {}
        self.requests: list[tuple[str, str]] = []
        self.authorisations: list[str | None] = []
        self.broken: tuple[int, bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: ConfluentService

    def do_GET(self) -> None:
        found = self.server.by_id.get(int(self.path.rpartition("/")[2]))
        if found is None:
            self._answer(404, {"error_code": 40403, "message": "Schema not found"})
        else:
            self._answer(200, found)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        known = [id_ for id_, schema in self.server.by_id.items() if schema == body]
        id_ = known[0] if known else 100 + len(self.server.by_id)
        self.server.by_id[id_] = body
        self._answer(200, {"id": id_})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        self.server.requests.append((self.command, self.path))
        self.server.authorisations.append(self.headers["Authorization"])
        status, raw = self.server.broken or (status, json.dumps(body).encode())
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def service() -> Iterator[ConfluentService]:
    server = ConfluentService()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


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
    assert len(registry.writer_schema(parse(before))["fields"]) == 3
    assert len(registry.writer_schema(parse(registry.header_for("link")))["fields"]) == 4
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
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
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
