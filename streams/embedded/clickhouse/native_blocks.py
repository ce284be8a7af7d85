"""The format Native as clients want it that say their client_protocol_version (Go's, Grafana's): with a header in front
of each block, and behind each column's type the word that it is serialized as always.

The engine in this process writes the version without both. What a column's data are is known by its type alone, so the
blocks are taken apart by their types, and put together again without a look at a value.
"""

from __future__ import annotations

import re
from functools import cache

from streams.embedded.clickhouse.engine_error import refusal

CUSTOM_SERIALIZATION = 54454
"""The version from which each column says how it is serialized."""
_BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"  # no overflow, no bucket, end of fields
_SIZES = {
    **dict.fromkeys(("UInt8", "Int8", "Bool", "Enum8", "Nothing"), 1),
    **dict.fromkeys(("UInt16", "Int16", "Enum16", "Date", "BFloat16"), 2),
    **dict.fromkeys(("UInt32", "Int32", "Float32", "Date32", "DateTime", "Time", "IPv4", "Decimal32"), 4),
    **dict.fromkeys(("UInt64", "Int64", "Float64", "DateTime64", "Time64", "Decimal64"), 8),
    **dict.fromkeys(("UInt128", "Int128", "UUID", "IPv6", "Decimal128"), 16),
    **dict.fromkeys(("UInt256", "Int256", "Decimal256"), 32),
}
_SHAPES = {"Point": "Tuple(Float64, Float64)", "Ring": "Array(Point)", "LineString": "Array(Point)"} | {
    "MultiLineString": "Array(LineString)",
    "Polygon": "Array(Ring)",
    "MultiPolygon": "Array(Polygon)",
}
_NAMED = re.compile(r"(?:`(?:\\.|[^`\\])*`|\w+)\s+(\S.*)", re.DOTALL)
_LOW_CARDINALITY_KEYS = 0x200


def versioned(data: bytes, version: int) -> bytes:
    """The blocks of `data` as a client of that version reads them; 0: as they are.

    Raises EngineError for a column of a type that cannot be told apart (JSON, Dynamic, Variant, AggregateFunction).
    """
    if version <= 0:
        return data
    word = b"\x00" if version >= CUSTOM_SERIALIZATION else b""
    made: list[bytes] = []
    at = 0
    while at < len(data):
        began = at
        columns, at = _varint(data, at)
        rows, at = _varint(data, at)
        made += [_BLOCK_INFO, data[began:at]]
        for _ in range(columns):
            began = at
            _, at = _text(data, at)
            kind, at = _text(data, at)
            made += [data[began:at], word]
            began = at
            if rows:
                tree = _parsed(kind)
                at = _after(tree, data, _after_prefix(tree, at), rows)
            made.append(data[began:at])
    return b"".join(made)


Type = tuple[str, tuple[str, ...]]
"""A type's name, and what stands in its parentheses."""


@cache
def _parsed(text: str) -> Type:
    text = _SHAPES.get(text, text)
    name, _, rest = text.partition("(")
    return name, _arguments(rest.removesuffix(")")) if rest else ()


def _arguments(text: str) -> tuple[str, ...]:
    """What stands between the commas, but for those in parentheses or quotes."""
    parts: list[str] = []
    depth, began, quote, at = 0, 0, "", 0
    while at < len(text):
        one = text[at]
        if quote:
            at += one == "\\"
            quote = "" if one == quote else quote
        elif one in "'`":
            quote = one
        elif one == "," and depth == 0:
            parts.append(text[began:at].strip())
            began = at + 1
        depth += 0 if quote else (one == "(") - (one == ")")
        at += 1
    return (*parts, text[began:].strip())


@cache
def _inner(kind: Type) -> tuple[Type, ...]:
    """The types in a type of types, as they follow each other."""
    name, given = kind
    if name in ("Nullable", "LowCardinality", "Array"):
        return (_parsed(given[0]),)
    if name == "SimpleAggregateFunction":
        return (_parsed(given[1]),)
    if name == "Map":
        return (_parsed(given[0]), _parsed(given[1]))
    if name in ("Tuple", "Nested"):
        return tuple(_parsed(named[1] if (named := _NAMED.fullmatch(one)) else one) for one in given)
    return ()


def _after_prefix(kind: Type, at: int) -> int:
    """Where the data of a column begin: its dictionaries say their version first."""
    if kind[0] == "LowCardinality":
        return at + 8
    for one in _inner(kind):
        at = _after_prefix(one, at)
    return at


def _after(kind: Type, data: bytes, at: int, rows: int) -> int:
    """Where the data of some rows end."""
    name, given = kind
    if name in _SIZES:
        return at + _SIZES[name] * rows
    if rows == 0:
        return at
    match name:
        case "String":
            for _ in range(rows):
                size = data[at]
                at += 1
                if size > 127:
                    size, at = _varint(data, at - 1)
                at += size
            return at
        case "FixedString":
            return at + int(given[0]) * rows
        case "Decimal":
            digits = int(given[0])
            return at + rows * (4 if digits <= 9 else 8 if digits <= 18 else 16 if digits <= 38 else 32)
        case "Nullable":
            return _after(_inner(kind)[0], data, at + rows, rows)
        case "SimpleAggregateFunction":
            return _after(_inner(kind)[0], data, at, rows)
        case "Array" | "Map" | "Nested":
            end = at + 8 * rows
            rows, at = int.from_bytes(data[end - 8 : end], "little"), end
            for one in _inner(kind):
                at = _after(one, data, at, rows)
            return at
        case "Tuple" if given and given[0]:
            for one in _inner(kind):
                at = _after(one, data, at, rows)
            return at
        case "LowCardinality":
            flags, at = int.from_bytes(data[at : at + 8], "little"), at + 8
            inner = _inner(kind)[0]
            if flags & _LOW_CARDINALITY_KEYS:
                keys, at = int.from_bytes(data[at : at + 8], "little"), at + 8
                at = _after(_inner(inner)[0] if inner[0] == "Nullable" else inner, data, at, keys)
            return at + 8 + rows * (1 << (flags & 0xFF))
        case _ if name.startswith("Interval"):
            return at + 8 * rows
    raise refusal(
        48,
        "NOT_IMPLEMENTED",
        f"Columns of type {name} cannot be given in Native with client_protocol_version; convert them in the SELECT",
    )


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return value, at
        shift += 7


def _text(data: bytes, at: int) -> tuple[str, int]:
    size, at = _varint(data, at)
    return data[at : at + size].decode(), at + size
