"""Many Avro datums of one schema read at once, as the body of one object container block (Avro specification,
"Object container files").

Polars reads the block into columns. Every datum stands between two guards, its position as a long, so that a datum that
is shorter or longer than its schema says shifts a guard and is noticed.
"""

from __future__ import annotations

import io
import json
import os
import secrets
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import polars as pl
from polars.exceptions import PanicException

from schemas.numbers import varint
from schemas.records import Schema

_LEAD: Final = "__lead"
_TRAIL: Final = "__trail"
_SYNC: Final = secrets.token_bytes(16)
_GUARD_BASE: Final = (1 << 33) + secrets.randbelow(1 << 33)
"""Added to a position: guards of five or six bytes that no producer can foresee, and that chance does not hit."""

_guards: list[bytes] = []
"""The encoded guard of each position, as far as batches have reached."""


class BlockError(ValueError):
    """Some datum of the block is not what the schema says; which one is not known."""


class Block:
    """Reads datums of one writer's schema into columns.

    Enums come as Int64 index and timestamps as plain Int64: both are encoded like a long, and what Polars makes of an
    enum in a union or of a timestamp past the year 9999 is a panic.
    """

    def __init__(self, writer: dict[str, Any]) -> None:
        """`writer` is a record schema without references (schemas.records.inline).

        Raises TypeError where it has a type that Polars cannot read: a map, null, or a union of several types.
        """
        fields = [{"name": field["name"], "type": _physical(field["type"])} for field in writer["fields"]]
        guarded = [{"name": _LEAD, "type": "long"}, *fields, {"name": _TRAIL, "type": "long"}]
        meta = {
            "avro.schema": json.dumps({"type": "record", "name": "Guarded", "fields": guarded}).encode(),
            "avro.codec": b"null",
        }
        pairs = b"".join(varint(len(k)) + k.encode() + varint(len(v)) + v for k, v in meta.items())
        self._header = b"Obj\x01" + varint(len(meta)) + pairs + varint(0) + _SYNC

    def read(self, datums: Sequence[bytes], columns: Sequence[str] | None = None) -> pl.DataFrame:
        """One row a datum, in order, with the writer's fields or those of `columns`, between the guards' columns.

        Raises BlockError.
        """
        count = len(datums)
        guards = _guards_for(count)
        parts = [b""] * (3 * count)
        parts[0::3] = parts[2::3] = guards
        parts[1::3] = datums
        body = b"".join(parts)
        block = b"".join((self._header, varint(count), varint(len(body)), body, _SYNC))
        names = None if columns is None else [_LEAD, *columns, _TRAIL]
        try:
            frame = pl.read_avro(io.BytesIO(block), columns=names)
        except MemoryError:
            raise
        except (Exception, PanicException) as error:  # a panic is a BaseException, as Ctrl-C is
            raise BlockError(str(error)) from error
        expected = np.arange(_GUARD_BASE, _GUARD_BASE + count)
        if frame.height != count or any(
            (frame.get_column(guard).to_numpy() != expected).any() for guard in (_LEAD, _TRAIL)
        ):
            raise BlockError("a datum ends before or after its place")
        return frame


def _guards_for(count: int) -> list[bytes]:
    while len(_guards) < count:
        _guards.append(varint(_GUARD_BASE + len(_guards)))
    return _guards[:count]


def _physical(type_: Schema) -> Schema:
    """The type as Polars is told: the same bytes, without names, logical types and enums."""
    if isinstance(type_, list):
        others = [_physical(branch) for branch in type_ if branch != "null"]
        if len(others) != 1 or len(type_) != 2:
            raise TypeError(f"Polars does not read the union {type_}")
        return ["null", *others] if type_[0] == "null" else [*others, "null"]
    kind = type_["type"] if isinstance(type_, dict) else type_
    if kind == "record":
        fields = [{"name": field["name"], "type": _physical(field["type"])} for field in type_["fields"]]
        if not fields:
            raise TypeError("Polars does not read a record without fields")
        return {"type": "record", "name": "Nested", "fields": fields}
    if kind == "array":
        return {"type": "array", "items": _physical(type_["items"])}
    if kind == "enum":
        return "long"
    if kind == "fixed":
        return {"type": "fixed", "name": "Fixed", "size": type_["size"]}
    if kind in ("boolean", "int", "long", "float", "double", "bytes", "string"):
        return kind
    raise TypeError(f"Polars does not read {kind}")


_stderr_lock: Final = threading.Lock()
_PANIC: Final = b"\nthread '"


@contextmanager
def silent_panics() -> Iterator[None]:
    """Keep the traces that Rust prints of panics off standard error; what others write there meanwhile comes after.

    Standard error belongs to the whole process: threads take turns in here. Without one there is nothing to do.
    """
    with _stderr_lock, tempfile.TemporaryFile() as caught:
        try:
            if sys.stderr is not None:
                sys.stderr.flush()
            real = os.dup(2)
        except (OSError, ValueError):
            yield
            return
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(real, 2)
            caught.seek(0)
            # a trace runs from its first line to the end: what was written before it is somebody else's
            kept = caught.read().partition(_PANIC)[0]
            if kept:
                os.write(real, kept)
            os.close(real)
