"""Values that other systems write, in their own schemas, as objects of JSON: Avro, Protobuf, JSON, behind the headers
of the registries that are in use.

- Confluent's header: a zero byte and four bytes of id (Confluent documentation, "Wire format"); Karapace's and
  Redpanda's are the same, and Apicurio's from version 3 on.
- Apicurio's of before: a zero byte and eight bytes of global id. Read as Confluent's, its id is 0, which no registry
  gives: so the two are told apart.
- AWS Glue's: the byte 3, a byte that says the compression (0 none, 5 zlib), sixteen bytes of the schema version's UUID.
- Single-object encoding (Avro specification), and none at all, where a file has the schema.

An object has what the writer's schema says, by its own names: times with an offset or Z, local times without one,
decimals as text with all their places, UUIDs as text, enums as the symbol that was written, maps and records as
objects.
"""

from __future__ import annotations

import io
import json
import uuid
import zlib
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson
from fastavro import parse_schema, schemaless_reader

from schemas.protobuf import Messages
from schemas.registry import HttpRegistry, UnknownSchemaError
from schemas.single import DETAIL, UndecodableError

_ID = 4
_GLOBAL_ID = 8
_GLUE, _GLUE_SIZE = 3, 18
_GLUE_NONE, _GLUE_ZLIB = 0, 5
_LARGEST: Final = 64 << 20
"""Bytes of a value that was compressed."""
_NANOS: Final = ("timestamp-nanos", "local-timestamp-nanos")

Read = Callable[[bytes], Any]


class Header(NamedTuple):
    """What stands in front of a value. id: of its schema, None where it names none that is a number."""

    id: int | None
    rest: bytes
    globally: bool = False
    """Whether it is Apicurio's global id."""


def header_of(payload: bytes) -> Header:
    """The header of a value, and what follows it; without id where there is none. Raises UndecodableError."""
    if payload[:1] == b"\0" and len(payload) > _ID:
        id_ = int.from_bytes(payload[1 : 1 + _ID], "big")
        if id_:
            return Header(id_, payload[1 + _ID :])
        if len(payload) > _GLOBAL_ID:
            return Header(int.from_bytes(payload[1 : 1 + _GLOBAL_ID], "big"), payload[1 + _GLOBAL_ID :], True)
    if payload[:1] == bytes([_GLUE]) and len(payload) >= _GLUE_SIZE and payload[1] in (_GLUE_NONE, _GLUE_ZLIB):
        rest = payload[_GLUE_SIZE:]
        return Header(None, rest if payload[1] == _GLUE_NONE else _inflated(rest))
    if payload[:2] == b"\xc3\x01" and len(payload) >= 10:
        return Header(None, payload[10:])
    return Header(None, payload)


def _inflated(data: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        found = unpacker.decompress(data, _LARGEST)
    except zlib.error as error:
        raise UndecodableError(f"its compressed data is broken: {error}") from None
    if unpacker.unconsumed_tail or not unpacker.eof:
        raise UndecodableError("its compressed data breaks off, or is too large")
    return found


class ForeignReader:
    """Reads values. A schema comes from the registry, by the header's id, or from a file, which then goes before."""

    def __init__(self, registry: HttpRegistry | None, schema: Path | None = None) -> None:
        """schema: .avsc, or .desc of Protobuf (`protoc --descriptor_set_out`, the last message that no other one has).

        Raises UnknownSchemaError for a file that holds no schema, OSError where there is none.
        """
        self._registry = registry
        self._readers: dict[tuple[int, bool], Read] = {}
        self._of_file: Read | None = None
        if schema is not None:
            if schema.suffix == ".desc":
                self._of_file = Messages.of_set(schema.read_bytes()).read
            else:
                self._of_file = avro_reader(schema.read_text("utf-8"))

    def read(self, payload: bytes) -> Any:
        """The object that a value holds.

        Raises UndecodableError for what is none, RegistryError where the registry cannot be asked now.
        """
        if self._of_file is None and payload[:1] in (b"{", b"["):
            return _json(payload)
        header = header_of(payload)
        if self._of_file is not None:
            return self._of_file(header.rest)
        if header.id is None:
            raise UndecodableError(
                "neither JSON nor a header with the id of a schema in front: "
                f"{payload[:10].hex(' ') or 'no bytes'}; a schema in a file is named by --schema"
            )
        return self._reader(header)(header.rest)

    def _reader(self, header: Header) -> Read:
        assert header.id is not None
        known = self._readers.get((header.id, header.globally))
        if known is None:
            if self._registry is None:
                raise UndecodableError(f"schema id {header.id}: no registry is named (RIHLA_REGISTRY)")
            try:
                kind, text, serialized = self._registry.any_schema(header.id, globally=header.globally)
                known = self._of(kind, text, serialized)
            except UnknownSchemaError as error:
                raise UndecodableError(str(error)) from error
            self._readers[header.id, header.globally] = known
        return known

    def _of(self, kind: str, text: str, serialized: Callable[[], bytes]) -> Read:
        if kind == "JSON":
            return _json
        if kind == "PROTOBUF":
            return Messages.of_file(serialized()).read_framed
        return avro_reader(text)


def _json(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise UndecodableError(f"not JSON at column {error.colno}: {error.msg}") from None


def avro_reader(text: str) -> Read:
    """Reads datums of a schema, of any type. Raises UnknownSchemaError for a text that is no schema."""
    try:
        written = json.loads(text)
        schema: Any = parse_schema(_nanos_as_micros(written))
    except MemoryError:
        raise
    except Exception as error:  # whatever a schema that is none provokes in the parser
        raise UnknownSchemaError(f"no valid Avro schema: {error}") from error
    fixed = _uuids(written, "")

    def read(datum: bytes) -> Any:
        source = io.BytesIO(datum)
        try:
            found = schemaless_reader(source, schema, None, return_record_name=False)
        except MemoryError:
            raise
        except Exception as error:  # whatever garbage provokes in the codec is the garbage's fault
            raise UndecodableError(f"not of its Avro schema: {type(error).__name__}: {str(error)[:DETAIL]}") from None
        if source.tell() < len(datum):
            raise UndecodableError(f"not of its Avro schema: {len(datum) - source.tell()} bytes are left over")
        return _plain(found, fixed)

    return read


def _nanos_as_micros(node: Any) -> Any:
    """A schema in which times in nanoseconds are numbers: Python has no time of that precision."""
    if isinstance(node, list):
        return [_nanos_as_micros(one) for one in node]
    if isinstance(node, dict):
        kept = {key: _nanos_as_micros(value) for key, value in node.items()}
        if kept.get("logicalType") in _NANOS:
            kept.pop("logicalType")
        return kept
    return node


def _uuids(node: Any, inside: str) -> bool:
    """Whether a schema has UUIDs as fixed(16): fastavro gives their octets."""
    if isinstance(node, list):
        return any(_uuids(one, inside) for one in node)
    if isinstance(node, dict):
        if node.get("type") == "fixed" and node.get("logicalType") == "uuid":
            return True
        return any(_uuids(value, inside) for value in node.values())
    return False


def _plain(value: Any, uuids: bool) -> Any:
    """A value as JSON has it. uuids: octets that are sixteen are UUIDs."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict):
        return {str(name): _plain(one, uuids) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one, uuids) for one in value]
    if isinstance(value, bytes):
        if uuids and len(value) == 16:
            return str(uuid.UUID(bytes=value))
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value.hex()
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return format(value, "f")
    return str(value)
