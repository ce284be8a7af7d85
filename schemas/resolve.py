"""Columns in a writer's schema turned into the frame form of the reader's (Avro specification, "Schema resolution").

What a batch of columns cannot do (unions of several types, bytes as text) raises NotColumnarError: then fastavro
resolves record by record.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import polars as pl

from schemas.records import Schema, frame_type

_NUMBERS: Final = {
    "int": ("int", "long", "float", "double"),
    "long": ("long", "float", "double"),
    "float": ("float", "double"),
    "double": ("double",),
}
"""Promotions: what a writer's number may be read as."""
_PLAIN: Final = ("boolean", "int", "long", "float", "double", "string", "bytes")


class NotColumnarError(TypeError):
    """This pair of schemas cannot be resolved by columns."""


Quick = Callable[[pl.Series], pl.Series | None]
"""A column in the reader's form; None where that takes the expressions, as some value may not be allowed."""


class Resolved(NamedTuple):
    """A column in the reader's form."""

    value: pl.Expr
    bad: pl.Expr | None
    """True in rows whose value the reader's schema does not allow; None where every value is allowed."""


class Field(NamedTuple):
    """How one field of the reader's record comes about."""

    name: str
    source: str | None
    """Field of the writer's record that it is read from; None for the reader's default."""
    value: pl.Expr | None
    """None where the column is the writer's, as it is."""
    bad: pl.Expr | None
    quick: Quick | None = None
    """What may be tried first: to start Polars' engine costs as much as some hundred records."""


def record_fields(writer: dict[str, Any], reader: dict[str, Any]) -> list[Field]:
    """The fields of the reader's record from columns of the writer's, as `schemas.block` reads them.

    Both are record schemas without references. Raises NotColumnarError.
    """
    if writer["name"].rpartition(".")[2] != reader["name"].rpartition(".")[2]:
        raise NotColumnarError(f"written as {writer['name']}, read as {reader['name']}")
    result = []
    for field, source in pairs(writer, reader):
        if source is None:
            result.append(Field(field["name"], None, _default(field), None))
        else:
            column = pl.col(source["name"])
            value, bad = _resolve(column, source["type"], field["type"])
            named_so = source["name"] == field["name"]
            unchanged = value is column and named_so
            quick = _quick(source["type"], field["type"]) if named_so and not unchanged else None
            result.append(Field(field["name"], source["name"], None if unchanged else value, bad, quick))
    return result


def pairs(writer: dict[str, Any], reader: dict[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any] | None]]:
    """Each field of the reader with the writer's field of its name, or else of one of its aliases, or None."""
    written = {field["name"]: field for field in writer["fields"]}
    return [
        (field, next((written[name] for name in (field["name"], *field.get("aliases", ())) if name in written), None))
        for field in reader["fields"]
    ]


def sources(writer: dict[str, Any], reader: dict[str, Any]) -> set[str]:
    """Names of the fields of the writer's record that some field of the reader's is read from."""
    return {source["name"] for _, source in pairs(writer, reader) if source is not None}


def _resolve(expr: pl.Expr, writer: Schema, reader: Schema) -> Resolved:
    if isinstance(writer, list) or isinstance(reader, list):
        nullable_out = isinstance(reader, list) and "null" in reader
        value, bad = _resolve(expr, _only(writer), _only(reader))
        if isinstance(writer, list) and "null" in writer and not nullable_out:
            bad = expr.is_null() if bad is None else bad | expr.is_null()
        return Resolved(value, bad)
    written, read = _kind(writer), _kind(reader)
    if written == "enum" and read == "enum":
        return _enum(expr, writer, reader)
    if written == "record" and read == "record":
        return _record(expr, writer, reader)
    if written == "array" and read == "array":
        return _array(expr, writer, reader)
    if written == "fixed" and read == "fixed" and writer["size"] == reader["size"]:
        return Resolved(expr, None)
    if read in _NUMBERS.get(written, ()):
        return Resolved(expr if written == read in ("long", "double") else expr.cast(frame_type(reader)), None)
    if written == read and written in ("boolean", "string", "bytes"):
        return Resolved(expr, None)
    if (written, read) == ("string", "bytes"):
        return Resolved(expr.cast(pl.Binary), None)
    raise NotColumnarError(f"{written} as {read}")


def _kind(type_: Schema) -> str:
    kind = type_["type"] if isinstance(type_, dict) else type_
    if not isinstance(kind, str):
        raise NotColumnarError(f"{kind} inside a type")
    return kind


def _only(type_: Schema) -> Schema:
    """The one branch of a union that is not null."""
    if not isinstance(type_, list):
        return type_
    others = [branch for branch in type_ if branch != "null"]
    if len(others) != 1:
        raise NotColumnarError(f"a union of several types: {type_}")
    return others[0]


def _enum(expr: pl.Expr, writer: dict[str, Any], reader: dict[str, Any]) -> Resolved:
    """The symbol of an index; the reader's default, if it has one, for a symbol that it does not know."""
    allowed, default = set(reader["symbols"]), reader.get("default")
    symbols = pl.Series([s if s in allowed else default for s in writer["symbols"]], dtype=pl.String)
    # an index below 0 or past 32 bits becomes null in the cast, one past the symbols in the gather
    value = pl.lit(symbols).gather(expr.cast(pl.UInt32, strict=False), null_on_oob=True)
    return Resolved(value, value.is_null() & expr.is_not_null())


def _record(expr: pl.Expr, writer: dict[str, Any], reader: dict[str, Any]) -> Resolved:
    if _same(writer, reader):
        return Resolved(expr, None)
    values, bad = [], None
    for field, source in pairs(writer, reader):
        if source is None:
            values.append(_default(field).alias(field["name"]))
            continue
        inner = _resolve(expr.struct.field(source["name"]), source["type"], field["type"])
        values.append(inner.value.alias(field["name"]))
        if inner.bad is not None:
            bad = inner.bad if bad is None else bad | inner.bad
    value = pl.when(expr.is_not_null()).then(pl.struct(values))
    return Resolved(value, None if bad is None else bad & expr.is_not_null())


def _quick(writer: Schema, reader: Schema) -> Quick | None:
    """The way without expressions, of an enum and of a record with enums, where there is one."""
    nullable = isinstance(reader, list) and "null" in reader
    if isinstance(writer, list) and "null" in writer and not nullable:
        return None
    writer, reader = _only(writer), _only(reader)
    written, read = _kind(writer), _kind(reader)
    if written == read == "enum" and set(writer["symbols"]) <= set(reader["symbols"]):
        return _quick_enum(writer["symbols"])
    if written == read == "record" and [f["name"] for f in writer["fields"]] == [f["name"] for f in reader["fields"]]:
        types = [(one["type"], other["type"]) for one, other in zip(writer["fields"], reader["fields"], strict=True)]
        inner = [None if _same(*both) else _quick(*both) for both in types]
        if all(quick is not None or _same(*both) for quick, both in zip(inner, types, strict=True)):
            return _quick_record(inner, frame_type(reader))
    return None


def _quick_enum(names: list[str]) -> Quick:
    symbols = pl.Series(names, dtype=pl.String)

    def quick(indices: pl.Series) -> pl.Series | None:
        if indices.null_count() < len(indices) and not 0 <= indices.min() <= indices.max() < len(names):  # type: ignore[operator]
            return None
        return symbols[indices.cast(pl.UInt32)]

    return quick


def _quick_record(inner: list[Quick | None], dtype: pl.DataType) -> Quick:
    null = pl.Series([None], dtype=dtype)

    def quick(records: pl.Series) -> pl.Series | None:
        nulls = records.null_count()
        if nulls == len(records):
            return null.new_from_index(0, nulls)
        fields = records.struct.unnest()
        for at, field in enumerate(inner):
            if field is not None:
                column = fields.to_series(at)
                found = field(column)
                if found is None:
                    return None
                fields.replace_column(at, found.alias(column.name))
        whole = fields.to_struct()
        return whole.zip_with(records.is_not_null(), null) if nulls else whole

    return quick


def _array(expr: pl.Expr, writer: dict[str, Any], reader: dict[str, Any]) -> Resolved:
    if _same(writer["items"], reader["items"]):
        return Resolved(expr, None)
    inner = _resolve(pl.element(), writer["items"], reader["items"])
    bad = None if inner.bad is None else expr.list.eval(inner.bad).list.any().fill_null(False)
    return Resolved(expr.list.eval(inner.value), bad)


def _same(writer: Schema, reader: Schema) -> bool:
    """The column that is read from the writer's type is already the reader's frame form."""
    if isinstance(writer, list) or isinstance(reader, list):
        nullable = isinstance(writer, list) and "null" in writer
        return (not nullable or (isinstance(reader, list) and "null" in reader)) and _same(_only(writer), _only(reader))
    written, read = _kind(writer), _kind(reader)
    if written != read:
        return False
    if written == "record":
        both = pairs(writer, reader)
        return [f["name"] for f in writer["fields"]] == [f["name"] for f in reader["fields"]] and all(
            source is not None and _same(source["type"], field["type"]) for field, source in both
        )
    if written == "array":
        return _same(writer["items"], reader["items"])
    return written in ("boolean", "long", "double", "string", "bytes")


def alike(writer: dict[str, Any], reader: dict[str, Any]) -> set[str]:
    """Names of the fields that are the same in both record schemas (without references), but for what they are named
    inside, and for symbols that only the reader has: what is read with the one is what is read with the other."""
    written = {field["name"]: field["type"] for field in writer["fields"]}
    return {
        field["name"]
        for field in reader["fields"]
        if field["name"] in written and _alike(written[field["name"]], field["type"])
    }


def _alike(writer: Schema, reader: Schema) -> bool:
    if isinstance(writer, list) or isinstance(reader, list):
        return (
            isinstance(writer, list)
            and isinstance(reader, list)
            and len(writer) == len(reader) == 2
            and "null" in writer
            and "null" in reader
            and _alike(_only(writer), _only(reader))
        )
    written, read = _kind(writer), _kind(reader)
    if written != read:
        return False
    if written == "enum":
        return set(writer["symbols"]) <= set(reader["symbols"])
    if written == "record":
        return [f["name"] for f in writer["fields"]] == [f["name"] for f in reader["fields"]] and all(
            _alike(one["type"], other["type"]) for one, other in zip(writer["fields"], reader["fields"], strict=True)
        )
    if written == "array":
        return _alike(writer["items"], reader["items"])
    return written in _PLAIN


def _default(field: dict[str, Any]) -> pl.Expr:
    if "default" not in field:
        raise NotColumnarError(f"field {field['name']} was not written and has no default")
    dtype = frame_type(field["type"])
    return pl.lit(pl.Series([_default_value(field["default"], field["type"])], dtype=dtype)).first()


def _default_value(value: Any, type_: Schema) -> Any:
    """A default of the schema's JSON as a Python value: bytes are written as the text of their code points."""
    if value is None:
        return None
    if isinstance(type_, list):
        return _default_value(value, _only(type_))
    kind = _kind(type_)
    if kind in ("bytes", "fixed"):
        return value.encode("latin-1")
    if kind == "array":
        return [_default_value(item, type_["items"]) for item in value]
    if kind == "record":
        return {
            field["name"]: _default_value(value.get(field["name"], field.get("default")), field["type"])
            for field in type_["fields"]
        }
    return value
