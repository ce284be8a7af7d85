"""One Avro record at a time, by fastavro: for producers, tools, and the records that no batch could read.

Records are dicts in the frame form: timestamps are epoch milliseconds, enums are text.
"""

from __future__ import annotations

import functools
import io
from typing import Any

from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.read import SchemaResolutionError

from schemas import records
from schemas.mismatch import mismatch
from schemas.records import Schema
from schemas.registry import LocalRegistry, Registry, UnknownSchemaError
from schemas.wire import SINGLE_OBJECT, Wire, WireError, split

DETAIL = 200
"""Characters of what the codec says of a datum: it may quote it, or whole schemas."""


class UndecodableError(ValueError):
    """The bytes are not a record of the schema that their header names."""


_writers: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {}
"""Identity of a registry's schema -> (the schema, kept so that its identity stays its own; without logical types)."""


class _Exact(io.BytesIO):
    """Bytes that refuse what fastavro lets pass: a negative length, or one past the end."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            raise EOFError(f"a length of {size}")
        data = super().read(size)
        if len(data) < size:
            raise EOFError(f"{size} bytes announced, {len(data)} there")
        return data


def encode_one(
    name: str, record: dict[str, Any], registry: Registry | None = None, wire: Wire = SINGLE_OBJECT
) -> bytes:
    """The record `name` as Avro with its header. Absent fields take their defaults.

    Raises ValueError for a record that does not fit its schema, RegistryError where the header cannot be made.
    """
    header = (registry or _files()).header_for(name, wire)
    out = io.BytesIO(header)
    out.seek(len(header))
    try:
        schemaless_writer(out, plain(name), record, strict_allow_default=True)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise ValueError(f"no {name} record: {type(error).__name__}: {error}") from error
    return out.getvalue()


def decode_one(payload: bytes, name: str, registry: Registry | None = None) -> dict[str, Any]:
    """The record `name` that a value with its header holds, in the reader's schema.

    Raises UndecodableError for anything else, RegistryError where the schema cannot be fetched now.
    """
    datum, writer = _written(payload, registry)
    return read_datum(datum, writer, plain(name))


def decode_as_written(payload: bytes, registry: Registry | None = None) -> dict[str, Any]:
    """The record that a value with its header holds, in the writer's schema. Raises as `decode_one`."""
    datum, writer = _written(payload, registry)
    return read_datum(datum, writer, writer)


def _written(payload: bytes, registry: Registry | None) -> tuple[bytes, dict[str, Any]]:
    """The datum of a value, and its writer's schema without logical types."""
    try:
        header, datum = split(payload)
        writer = (registry or _files()).writer_schema(header)
    except (WireError, UnknownSchemaError) as error:
        raise UndecodableError(str(error)) from error
    if id(writer) not in _writers:
        _writers[id(writer)] = (writer, without_logical_types(writer))
    return datum, _writers[id(writer)][1]


def read_datum(datum: bytes, writer: dict[str, Any], reader: dict[str, Any]) -> dict[str, Any]:
    """The record that a datum (a value without header) holds, in the reader's schema.

    The schemas have no logical types (`without_logical_types`). Raises UndecodableError where the datum does not fit,
    or has bytes left over.
    """
    source = _Exact(datum)
    try:
        record: dict[str, Any] = schemaless_reader(source, writer, reader)
    except MemoryError:
        raise
    except Exception as error:  # whatever garbage provokes in the codec is the garbage's fault
        said = mismatch(writer, reader) if isinstance(error, SchemaResolutionError) else None
        said = said or " ".join(str(error).split())[:DETAIL]
        raise UndecodableError(f"no {reader['name']}: {type(error).__name__}: {said}") from error
    left = len(datum) - source.tell()
    if left:
        raise UndecodableError(f"no {reader['name']}: {left} of {len(datum)} bytes left over")
    return record


@functools.cache
def _files() -> LocalRegistry:
    return LocalRegistry()


@functools.cache
def plain(name: str) -> dict[str, Any]:
    """The schema of the record `name` without logical types, parsed by fastavro."""
    return without_logical_types(records.schema(name))


def without_logical_types(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema of the same encoding whose timestamps are plain longs, parsed by fastavro."""
    parsed: dict[str, Any] = parse_schema(_strip(schema))
    return parsed


def parsed_again(inlined: dict[str, Any]) -> dict[str, Any]:
    """A schema without references (schemas.records.inline) parsed by fastavro, which wants every type named once."""
    parsed: dict[str, Any] = parse_schema(_referring(inlined, set()))
    return parsed


def _referring(node: Schema, named: set[str]) -> Schema:
    if isinstance(node, list):
        return [_referring(branch, named) for branch in node]
    if not isinstance(node, dict):
        return node
    if node["type"] in ("record", "error", "enum", "fixed"):
        if node["name"] in named:
            return node["name"]
        named.add(node["name"])
    result = {key: value for key, value in node.items() if not key.startswith("__")}
    for part in ("type", "items", "values"):
        if part in result:
            result[part] = _referring(result[part], named)
    if "fields" in result:
        result["fields"] = [{**field, "type": _referring(field["type"], named)} for field in result["fields"]]
    return result


def _strip(node: Schema) -> Schema:
    if isinstance(node, list):
        return [_strip(branch) for branch in node]
    if not isinstance(node, dict):
        return node
    skipped = ("logicalType", "doc", "__fastavro_parsed__", "__named_schemas")
    result = {key: value for key, value in node.items() if key not in skipped}
    for part in ("type", "items", "values"):
        if part in result:
            result[part] = _strip(result[part])
    if "fields" in result:
        result["fields"] = [_strip(field) for field in result["fields"]]
    return result
