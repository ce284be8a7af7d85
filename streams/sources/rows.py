"""Typed rows of an event schema: a msgspec Struct made from the Avro schema, and rows turned into columns.

The Struct judges what a JSON object may be (types, enum symbols, unknown fields); it follows the .avsc files, so a
new field needs no change here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from itertools import accumulate
from operator import attrgetter
from typing import Annotated, Any, Literal

import msgspec
import polars as pl
import pyarrow as pa

from schemas.records import inlined, polars_schema

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1

_SCALARS: dict[str, Any] = {
    "string": str,
    "double": float,
    "boolean": bool,
    "bytes": bytes,
    "long": Annotated[int, msgspec.Meta(ge=INT64_MIN, le=INT64_MAX)],
}
_ARROW: dict[str, pa.DataType] = {
    "string": pa.string(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "bytes": pa.binary(),
    "long": pa.int64(),
}

Column = Callable[[Sequence[Any]], Any]
"""Makes a pyarrow Array of Python values."""


@cache
def row_type(channel: str) -> type[msgspec.Struct]:
    """The Struct of one event of a channel: the schema's fields by name, and "channel" as msgspec's tag.

    Fields without an Avro default are required, except arrays. occurred_at is int, float or str: the reader of the
    format makes it epoch milliseconds. Unknown fields are refused, in nested records too.
    """
    members: list[Any] = []
    for field in inlined(channel)["fields"]:
        python = _python_type(field["type"])
        if isinstance(field["type"], dict) and field["type"]["type"] == "array":
            members.append((field["name"], python | None, None))
        elif "default" in field:
            members.append((field["name"], python, field["default"]))
        else:
            members.append((field["name"], python))
    return msgspec.defstruct(
        f"Row_{channel}", members, tag=channel, tag_field="channel", forbid_unknown_fields=True, kw_only=True, gc=False
    )


@cache
def _columns(channel: str) -> tuple[tuple[str, Column], ...]:
    return tuple((field["name"], _column(field["type"])) for field in inlined(channel)["fields"])


def rows_to_frame(channel: str, rows: Sequence[msgspec.Struct]) -> pl.DataFrame:
    """Rows of `row_type(channel)`, occurred_at as epoch milliseconds, in the frame form of the channel's schema."""
    arrays = {name: column(list(map(attrgetter(name), rows))) for name, column in _columns(channel)}
    frame = pl.from_arrow(pa.table(arrays))
    assert isinstance(frame, pl.DataFrame)
    return frame.cast(pl.Schema(polars_schema(channel)))


def _python_type(avro: Any) -> Any:
    """The Python type that msgspec checks for an Avro type without references."""
    if isinstance(avro, list):
        return _python_type(_not_null(avro)) | None
    if isinstance(avro, str):
        return _SCALARS[avro]
    if avro.get("logicalType") == "timestamp-millis":
        return int | float | str
    kind = avro["type"]
    if kind == "array":
        return list[_python_type(avro["items"])]  # type: ignore[misc]
    if kind == "enum":
        return Literal[tuple(avro["symbols"])]
    if kind == "record":
        members = [(field["name"], _python_type(field["type"])) for field in avro["fields"]]
        return msgspec.defstruct(avro["name"].rpartition(".")[2], members, forbid_unknown_fields=True, gc=False)
    return _SCALARS[kind]


def _column(avro: Any) -> Column:
    """The function that makes an Arrow array of a list of Python values of an Avro type (None: null)."""
    if isinstance(avro, list):
        return _column(_not_null(avro))
    if isinstance(avro, str):
        return _scalar(_ARROW[avro])
    kind = avro["type"]
    if kind == "array":
        return _list(_column(avro["items"]))
    if kind == "enum":
        return _scalar(pa.string())
    if kind == "record":
        return _struct({field["name"]: _column(field["type"]) for field in avro["fields"]})
    return _scalar(_ARROW[kind])


def _not_null(union: list[Any]) -> Any:
    [inner] = [branch for branch in union if branch != "null"]
    return inner


def _scalar(dtype: pa.DataType) -> Column:
    return lambda values: pa.array(values, dtype)


def _struct(members: dict[str, Column]) -> Column:
    getters = {name: attrgetter(name) for name in members}

    def build(values: Sequence[Any]) -> pa.Array:
        present = [value for value in values if value is not None]
        children = [column(list(map(getters[name], present))) for name, column in members.items()]
        dense = pa.StructArray.from_arrays(children, list(members))
        if len(present) == len(values):
            return dense
        # Positions into the dense array; a null position is a null record.
        positions = accumulate((value is not None for value in values), initial=0)
        return dense.take(
            pa.array(
                [at if value is not None else None for at, value in zip(positions, values, strict=False)], pa.int64()
            )
        )

    return build


def _list(items: Column) -> Column:
    def build(values: Sequence[Any]) -> pa.Array:
        offsets = list(accumulate((len(value) if value else 0 for value in values), initial=0))
        flat = [item for value in values if value for item in value]
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), items(flat))

    return build
