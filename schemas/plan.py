"""How a record is read: the writer's schema resolved with the reader's, once, before any datum is (Avro specification,
"Schema Resolution").

A plan has the structure of the writer's schema, which is that of the datums, and says for each value what the reader
makes of it. The reader of columns (schemas.columnar_reader) follows it. Pairs of schemas that are unusual (maps, unions
of several types, types that contain themselves) have no plan: fastavro reads their records one by one.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, Union

from schemas.records import Schema

_FLOATING: Final = ("float", "double")
_PROMOTIONS: Final = {
    "int": ("int", "long", "float", "double"),
    "long": ("long", "float", "double"),
    "float": ("float", "double"),
    "double": ("double",),
}
"""What a writer's number may be read as."""


class NoPlanError(TypeError):
    """There is no plan for this pair of schemas: it is one of the unusual ones."""


class Number(NamedTuple):
    """A number."""

    kind: str
    """int, long, float or double: as it was written."""
    floating: bool
    """Whether the reader has it as a float."""


class Flag(NamedTuple):
    """A boolean."""


class Octets(NamedTuple):
    """A text or bytes."""

    text: bool
    """Whether the reader has a text, which must be UTF-8."""
    size: int | None
    """Bytes of each, where the schema says so (Avro's `fixed`)."""


class Symbol(NamedTuple):
    """An enum."""

    symbols: tuple[str | None, ...]
    """The reader's, by the writer's index; None where the reader has none for it."""


class Optional(NamedTuple):
    """A union of null and one type."""

    of: Node
    null: int
    """Index of null in the union."""
    allowed: bool
    """Whether the reader takes a null."""


class Array(NamedTuple):
    """An array."""

    items: Node


class Default(NamedTuple):
    """A field that was not written: the reader's default."""

    name: str
    value: Any
    """In frame form (schemas.records)."""
    type: Schema


class Field(NamedTuple):
    """A field that was written."""

    name: str | None
    """The reader's name for it; None where the reader has no such field, and passes it over."""
    node: Node


class Record(NamedTuple):
    """A record."""

    fields: tuple[Field, ...]
    """In the writer's order."""
    defaults: tuple[Default, ...]
    names: tuple[str, ...]
    """Those of the reader's fields, in order."""


Node = Union[Number, Flag, Octets, Symbol, Optional, Array, Record]  # noqa: UP007  (refers to classes that refer to it)


def plan(writer: dict[str, Any], reader: dict[str, Any]) -> Record:
    """The plan by which records of the writer's schema are read as the reader's; neither has references
    (schemas.records.inline). Raises NoPlanError.
    """
    if writer["name"].rpartition(".")[2] != reader["name"].rpartition(".")[2]:
        raise NoPlanError(f"written as {writer['name']}, read as {reader['name']}")
    return _record(writer, reader)


def sources(writer: dict[str, Any], reader: dict[str, Any]) -> dict[str, str]:
    """The reader's fields that were written: name -> the writer's name, which is the same or one of the aliases."""
    written = {field["name"] for field in writer["fields"]}
    found: dict[str, str] = {}
    for field in reader["fields"]:
        for name in (field["name"], *field.get("aliases", ())):
            if name in written:
                found[field["name"]] = name
                break
    return found


def default(field: dict[str, Any]) -> Any:
    """The value, in frame form, of a field without value. Raises NoPlanError where the schema has none."""
    if "default" not in field:
        raise NoPlanError(f"field {field['name']} was not written and has no default")
    return _value(field["default"], field["type"])


def _record(writer: dict[str, Any], reader: dict[str, Any]) -> Record:
    fields = {field["name"]: field for field in reader["fields"]}
    if not fields or not writer["fields"]:
        raise NoPlanError("a record without fields")
    read = sources(writer, reader)
    names = {source: name for name, source in read.items()}
    if len(names) < len(read):
        raise NoPlanError("two fields of the reader's are one of the writer's")
    return Record(
        tuple(
            Field(names[field["name"]], _node(field["type"], fields[names[field["name"]]]["type"]))
            if field["name"] in names
            else Field(None, _node(field["type"], field["type"]))
            for field in writer["fields"]
        ),
        tuple(Default(name, default(field), field["type"]) for name, field in fields.items() if name not in read),
        tuple(fields),
    )


def _node(writer: Schema, reader: Schema) -> Node:
    if isinstance(writer, list):
        if len(writer) != 2 or "null" not in writer:
            raise NoPlanError(f"the union {writer}")
        allowed = isinstance(reader, list) and "null" in reader
        return Optional(_node(_only(writer), reader), writer.index("null"), allowed)
    reader = _only(reader)
    written, read = _kind(writer), _kind(reader)
    if read in _PROMOTIONS.get(written, ()):
        return Number(written, read in _FLOATING)
    if written == read == "boolean":
        return Flag()
    if written in ("string", "bytes") and read in ("string", "bytes"):
        return Octets(read == "string", None)
    if written == read == "fixed" and writer["size"] == reader["size"]:
        return Octets(False, writer["size"])
    if written == read == "enum":
        known, otherwise = set(reader["symbols"]), reader.get("default")
        return Symbol(tuple(symbol if symbol in known else otherwise for symbol in writer["symbols"]))
    if written == read == "array":
        return Array(_node(writer["items"], reader["items"]))
    if written == read == "record":
        return _record(writer, reader)
    raise NoPlanError(f"{written} as {read}")


def _kind(type_: Schema) -> str:
    kind = type_["type"] if isinstance(type_, dict) else type_
    if not isinstance(kind, str):
        raise NoPlanError(f"{kind} inside a type")
    return kind


def _only(type_: Schema) -> Schema:
    """The one branch of a union that is not null; a type that is no union."""
    if not isinstance(type_, list):
        return type_
    others = [branch for branch in type_ if branch != "null"]
    if len(others) != 1:
        raise NoPlanError(f"a union of several types: {type_}")
    return others[0]


def _value(value: Any, type_: Schema) -> Any:
    """A default of the schema's JSON as a Python value: bytes are written as the text of their code points."""
    if value is None:
        return None
    type_ = _only(type_)
    kind = _kind(type_)
    if kind in ("bytes", "fixed"):
        return value.encode("latin-1")
    if kind == "array":
        return [_value(item, type_["items"]) for item in value]
    if kind == "record":
        fields = type_["fields"]
        return {f["name"]: _value(value.get(f["name"], f.get("default")), f["type"]) for f in fields}
    return value
