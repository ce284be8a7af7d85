"""Datums of one writer's schema to columns of the reader's, following a plan (schemas.plan). Fast if compiled.

All datums of a batch are read in one pass. If one is malformed, each is read by itself to find the bad ones, and the
others are then read in one pass again.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
from librt.strings import BytesWriter, write_i64_le
from mypy_extensions import i64

from schemas import plan
from schemas.column_buffers import (
    Boolean,
    Column,
    Double,
    Enum,
    NotAllowedError,
    Single,
    Skipped,
    Views,
    Whole,
    bits,
    spread,
)
from schemas.numbers import PADDING, UnfitError, read_items
from schemas.records import frame_type

_PADDING: Final = b"\0" * PADDING
"""Padding after the last datum: reading a short text also reads the bytes that follow it."""
LARGEST: Final = (1 << 31) - 1 - PADDING
"""Most bytes of a batch: views of texts have 32-bit offsets."""
_BOUNDS: Final = {"int": (-(1 << 31), (1 << 31) - 1), "long": (-(1 << 63), (1 << 63) - 1)}


class Found(NamedTuple):
    """What was read of a batch."""

    frame: pl.DataFrame
    """The good records, in order, in frame form (schemas.records)."""
    unfit: list[int]
    """Positions of datums that could not be read."""
    refused: dict[int, str]
    """Position of a datum -> the first of its fields with a value that the reader's schema does not allow."""


class ColumnarReader:
    """Reads datums of one writer's schema. For one thread."""

    def __init__(self, record: plan.Record) -> None:
        self._plan = record
        self._records: dict[tuple[str, ...], _Record] = {}

    def read(self, payloads: Sequence[bytes | None], header: bytes, names: Sequence[str]) -> Found | None:
        """Read a datum behind the header of each payload; None where some payload does not begin with the header.

        names: the reader's fields that are wanted, in order, one at least. The values of others are not checked. The
        payloads have fewer bytes than LARGEST.
        """
        parts: list[bytes] = []
        for payload in payloads:
            if payload is None or not payload.startswith(header):
                return None
            parts.append(payload)
        record = self._record(tuple(names))
        before: i64 = len(header)
        try:
            return Found(_frame(record, parts, before), [], {})
        except (UnfitError, IndexError, UnicodeDecodeError):
            pass
        finally:
            record.forget()
        good: list[bytes] = []
        unfit: list[int] = []
        refused: dict[int, str] = {}
        for row, part in enumerate(parts):
            if _is_good(record, part, before):
                good.append(part)
                continue
            record.forget()
            name = _not_allowed(record, part, before)
            if name is None:
                unfit.append(row)
            else:
                refused[row] = name
        record.forget()
        try:
            return Found(_frame(record, good, before), unfit, refused)
        finally:
            record.forget()

    def _record(self, wanted: tuple[str, ...]) -> _Record:
        """The readers of these fields; all other fields are skipped."""
        record = self._records.get(wanted)
        if record is None:
            record = self._records[wanted] = _Record(self._plan, wanted)
        return record


def _frame(record: _Record, parts: list[bytes], before: i64) -> pl.DataFrame:
    """The datums that begin `before` bytes behind the beginning of each part. Raises UnfitError, IndexError,
    UnicodeDecodeError where one is not as it should be."""
    count = len(parts)
    data = b"".join([*parts, _PADDING])
    first = record.first
    at: i64 = 0
    end: i64 = 0
    for row in range(count):
        at = end + before
        end += len(parts[row])
        column = first
        while column is not None:
            at = column.read(data, at)
            column = column.following
        if at != end:
            raise UnfitError
    series = pl.Series(_Exported(record.array(count, pa.py_buffer(data), None)))
    return series.struct.unnest()


class _Exported:
    """An Arrow array that shows Polars only its C data interface. Polars imports it in a fifth of the time that a
    pyarrow.Table takes.
    """

    def __init__(self, array: Any) -> None:
        self._array = array

    def __arrow_c_array__(self, requested_schema: Any = None) -> Any:
        return self._array.__arrow_c_array__(requested_schema)


def _is_good(record: _Record, part: bytes, before: i64) -> bool:
    """Whether a datum can be read, by itself; it has been read then."""
    try:
        end: i64 = len(part)
        return record.read(part + _PADDING, before) == end
    except (UnfitError, IndexError, UnicodeDecodeError):
        return False


def _not_allowed(record: _Record, part: bytes, before: i64) -> str | None:
    """The first field of a datum with a value that is not allowed, where nothing else is wrong with it."""
    data = part + _PADDING
    end: i64 = len(part)
    at = before
    found: str | None = None
    try:
        for name, column in zip(record.written, record.columns, strict=True):
            try:
                column.read(data, at)
            except NotAllowedError:
                found = found or name
            at = column.skip(data, at)
    except (UnfitError, IndexError, UnicodeDecodeError):
        return None
    finally:
        record.forget()
    return found if at == end else None


class _Optional(Column):
    """Values and nulls."""

    def __init__(self, column: Column, null: int, allowed: bool) -> None:
        """null: its index in the union. allowed: whether there may be some."""
        super().__init__(column.kind)
        self._column = column
        self._absent: i64 = 2 * null
        self._allowed = allowed
        self._there = BytesWriter()
        self._nulls: Any = pa.nulls(0, self.kind)

    def forget(self) -> None:
        self._column.forget()
        self._there = BytesWriter()

    def read(self, data: bytes, at: i64) -> i64:
        branch: i64 = data[at]
        if branch == self._absent:
            if not self._allowed:
                raise NotAllowedError
            self._there.append(0)
            return at + 1
        if branch != 2 - self._absent:
            raise UnfitError
        self._there.append(1)
        return self._column.read(data, at + 1)

    def skip(self, data: bytes, at: i64) -> i64:
        branch: i64 = data[at]
        if branch == self._absent:
            return at + 1
        if branch != 2 - self._absent:
            raise UnfitError
        return self._column.skip(data, at + 1)

    def array(self, count: int, joined: Any, there: Any) -> Any:
        said = self._there.getvalue()
        if 1 not in said:  # as in most columns of few records; made once for batches of one size
            if len(self._nulls) != count:
                self._nulls = pa.nulls(count, self.kind)
            return self._nulls
        if there is None and 0 not in said:
            return self._column.array(count, joined, None)
        return self._column.array(count, joined, spread(np.frombuffer(said, np.bool_), count, there))


class _Record(Column):
    """Records, of which only some fields are wanted."""

    def __init__(self, record: plan.Record, wanted: Sequence[str]) -> None:
        """wanted: in order."""
        self.written = [field.name for field in record.fields]
        self.columns = [
            _column(field.node) if field.name in wanted else Skipped(_column(field.node)) for field in record.fields
        ]
        columns = {name: column for name, column in zip(self.written, self.columns, strict=True) if name is not None}
        self._defaults = {
            field.name: pl.Series([field.value], dtype=frame_type(field.type)) for field in record.defaults
        }
        self._fields = [(name, columns.get(name)) for name in wanted]
        super().__init__(
            pa.struct(
                [
                    (name, self._default(name, 0).type if column is None else column.kind)
                    for name, column in self._fields
                ]
            )
        )
        for column, following in pairwise(self.columns):
            column.following = following
        self.first: Column | None = self.columns[0]

    def forget(self) -> None:
        for column in self.columns:
            column.forget()

    def read(self, data: bytes, at: i64) -> i64:
        column = self.first
        while column is not None:
            at = column.read(data, at)
            column = column.following
        return at

    def skip(self, data: bytes, at: i64) -> i64:
        column = self.first
        while column is not None:
            at = column.skip(data, at)
            column = column.following
        return at

    def array(self, count: int, joined: Any, there: Any) -> Any:
        fields = [
            self._default(name, count) if column is None else column.array(count, joined, there)
            for name, column in self._fields
        ]
        return pa.Array.from_buffers(self.kind, count, [bits(there)], children=fields)

    def _default(self, name: str, count: int) -> Any:
        return self._defaults[name].new_from_index(0, count).to_arrow()


class _Array(Column):
    """Arrays."""

    def __init__(self, items: Column) -> None:
        super().__init__(pa.large_list(items.kind))
        self._items = items
        self._counts = BytesWriter()
        self._all: i64 = 0

    def forget(self) -> None:
        self._items.forget()
        self._counts = BytesWriter()
        self._all = 0

    def read(self, data: bytes, at: i64) -> i64:
        count: i64 = 0
        left, at = read_items(data, at)
        while left:
            count += left
            while left:
                at = self._items.read(data, at)
                left -= 1
            left, at = read_items(data, at)
        write_i64_le(self._counts, count)
        self._all += count
        return at

    def skip(self, data: bytes, at: i64) -> i64:
        left, at = read_items(data, at)
        while left:
            while left:
                at = self._items.skip(data, at)
                left -= 1
            left, at = read_items(data, at)
        return at

    def array(self, count: int, joined: Any, there: Any) -> Any:
        counts = spread(np.frombuffer(self._counts.getvalue(), np.int64), count, there)
        ends = np.zeros(count + 1, np.int64)
        np.cumsum(counts, out=ends[1:])
        items = self._items.array(int(self._all), joined, None)
        return pa.Array.from_buffers(self.kind, count, [bits(there), pa.py_buffer(ends)], children=[items])


def _column(node: plan.Node) -> Column:
    if isinstance(node, plan.Optional):
        return _Optional(_column(node.of), node.null, node.allowed)
    if isinstance(node, plan.Record):
        return _Record(node, node.names)
    if isinstance(node, plan.Array):
        return _Array(_column(node.items))
    if isinstance(node, plan.Symbol):
        return Enum(node.symbols)
    if isinstance(node, plan.Octets):
        return Views(node.text, node.size)
    if isinstance(node, plan.Flag):
        return Boolean()
    if node.kind in _BOUNDS:
        least, largest = _BOUNDS[node.kind]
        return Whole(least, largest, node.floating)
    return Double() if node.kind == "double" else Single()
