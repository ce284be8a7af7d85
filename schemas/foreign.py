"""Values that other systems write, in their own schemas, as objects of JSON: Avro, Protobuf, JSON, behind the headers
of the registries that are in use.

- Confluent's header: a zero byte and four bytes of id (Confluent documentation, "Wire format"); Karapace's and
  Redpanda's are the same, and Apicurio's from version 3 on.
- Apicurio's of before: a zero byte and eight bytes of global id. Read as Confluent's, its id is 0, which no registry
  gives: so the two are told apart.
- Apicurio's Kafka headers, which its serializers of version 2 write unless they are told not to: the id is the record's
  header apicurio.value.globalId (eight bytes) or apicurio.value.contentId, and nothing stands in front of the value.
- AWS Glue's: the byte 3, a byte that says the compression (0 none, 5 zlib), sixteen bytes of the schema version's UUID.
  In front of a Protobuf message then stands a varint: its place among all messages of the file, nested ones included,
  by full name (awslabs/aws-glue-schema-registry, MessageIndexFinder).
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
from collections.abc import Callable, Sequence
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
_GLOBAL_HEADER, _CONTENT_HEADER = "apicurio.value.globalId", "apicurio.value.contentId"
_ENCODING_HEADER = "apicurio.value.encoding"
_ENDINGS: Final = (".avsc", ".desc", ".json")
"""Of files of schemas: Avro, Protobuf, JSON Schema."""

Read = Callable[[bytes], Any]
Headers = Sequence[tuple[str, bytes | None]]
"""Of a Kafka record."""


class Header(NamedTuple):
    """What stands in front of a value. id: of its schema, None where it names none that is a number."""

    id: int | None
    rest: bytes
    globally: bool = False
    """Whether it is Apicurio's global id."""
    version: uuid.UUID | None = None
    """Of the schema in Glue's registry."""


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
        version = uuid.UUID(bytes=payload[2:_GLUE_SIZE])
        return Header(None, rest if payload[1] == _GLUE_NONE else _inflated(rest), version=version)
    if payload[:2] == b"\xc3\x01" and len(payload) >= 10:
        return Header(None, payload[10:])
    return Header(None, payload)


def _beside(payload: bytes, headers: Headers) -> Header | None:
    """What the record's headers say of a value's schema; None where they say nothing."""
    for name, value in headers:
        if name in (_GLOBAL_HEADER, _CONTENT_HEADER) and value is not None and len(value) == _GLOBAL_ID:
            return Header(int.from_bytes(value, "big"), payload, name == _GLOBAL_HEADER)
    return None


def _inflated(data: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        found = unpacker.decompress(data, _LARGEST)
    except zlib.error as error:
        raise UndecodableError(f"its compressed data is broken: {error}") from None
    if unpacker.unconsumed_tail or not unpacker.eof:
        raise UndecodableError("its compressed data breaks off, or is too large")
    return found


class NoRegistryError(UndecodableError):
    """The value names a schema of a registry, and no registry is known."""


class ForeignReader:
    """Reads values. A schema comes from the registry, by the header's id, or from a file, which then goes before."""

    def __init__(self, registry: HttpRegistry | None, schema: Path | None = None) -> None:
        """schema: file of the schema of all values: .avsc, .json (JSON Schema) or .desc of Protobuf
        (`protoc --descriptor_set_out`, the last message that no other one has); or a folder of such files, named by the
        UUID of the version in Glue's registry.

        Raises UnknownSchemaError for a file that holds no schema, OSError where there is none.
        """
        self._registry = registry
        self._readers: dict[tuple[int, bool], Read] = {}
        self._versions: dict[uuid.UUID, _File] = {}
        self._folder = schema if schema is not None and schema.is_dir() else None
        self._file = _File(schema) if schema is not None and self._folder is None else None

    def read(self, payload: bytes, headers: Headers = ()) -> Any:
        """The object that a value holds. headers: of its record.

        Raises UndecodableError for what is none, RegistryError where the registry cannot be asked now.
        """
        header = _beside(payload, headers)
        if self._file is not None:
            return self._file.read(header or header_of(payload), payload)
        if header is None and payload[:1] in (b"{", b"["):
            return _json(payload)
        if header is not None and (_ENCODING_HEADER, b"JSON") in headers:
            return _json(payload)
        header = header or header_of(payload)
        if header.version is not None and self._folder is not None:
            return self._version(header.version, self._folder).read(header, payload)
        if header.id is None:
            raise UndecodableError(
                "neither JSON nor a header with the id of a schema in front: "
                f"{payload[:10].hex(' ') or 'no bytes'}; a schema in a file is named by --schema"
                + (f", or a folder that has {header.version}.avsc" if header.version else "")
            )
        return self._reader(header)(header.rest)

    def _version(self, version: uuid.UUID, folder: Path) -> _File:
        """The schema of a version in Glue's registry. Raises UndecodableError where the folder does not have it."""
        known = self._versions.get(version)
        if known is None:
            paths = [path for ending in _ENDINGS if (path := folder / f"{version}{ending}").exists()]
            if not paths:
                raise UndecodableError(
                    f"the folder {folder} has no {version}.avsc: aws glue get-schema-version --schema-version-id "
                    f"{version} --query SchemaDefinition --output text > {folder}/{version}.avsc"
                )
            try:
                known = self._versions[version] = _File(paths[0])
            except UnknownSchemaError as error:
                raise UndecodableError(f"{paths[0]}: {error}") from error
        return known

    def _reader(self, header: Header) -> Read:
        assert header.id is not None
        known = self._readers.get((header.id, header.globally))
        if known is None:
            if self._registry is None:
                raise NoRegistryError(f"schema id {header.id}: no registry is named (RIHLA_REGISTRY)")
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


class _File:
    """A schema in a file."""

    def __init__(self, path: Path) -> None:
        """Raises UnknownSchemaError, OSError."""
        self._read: Read
        self._indexed: Read | None = None
        if path.suffix == ".desc":
            messages = Messages.of_set(path.read_bytes())
            self._read, self._indexed = messages.read, messages.read_indexed
        elif path.suffix == ".json":
            self._read = _json
        else:
            self._read = avro_reader(path.read_text("utf-8"))

    def read(self, header: Header, payload: bytes) -> Any:
        """The object of a payload, behind a header, or what looks like one: Avro may begin with the same bytes.

        Raises UndecodableError.
        """
        read = self._read if header.version is None or self._indexed is None else self._indexed
        try:
            return read(header.rest)
        except UndecodableError:
            if header.rest is payload or self._indexed is not None:
                raise
            return self._read(payload)


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
