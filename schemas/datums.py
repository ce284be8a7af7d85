"""Datums of one writer's schema to columns of the reader's, whatever is among them.

All are read as one block (schemas.block). Where the block cannot be read, its parts are tried, down to single records,
and those that Polars refuses by themselves fastavro judges. So one bad record costs a few reads more, and whether a
record is good depends on nothing but itself: what can be read alone can be read among others, to the same row.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas import columnwise, resolve, single
from schemas.block import Block, BlockError, silent_panics
from schemas.extras import ATTRIBUTES, Extras, extras, fold, types
from schemas.fingerprint import crc64
from schemas.numbers import COMPILED
from schemas.records import inline

Rows = npt.NDArray[np.int64]

_PARTS: Final = 16
"""Parts into which an unreadable block is divided: the fixed cost of a read is that of some 200 records."""
_FEW: Final = 32
"""Up to this many records, reading each by fastavro is cheaper than dividing further."""
_MANY: Final = 150
"""From this many records on, reading column by column (schemas.columnwise) is cheaper than reading a block."""


class DatumReader:
    """Reads datums (values without header) of a writer's schema as columns of a reader's."""

    def __init__(self, writer: dict[str, Any], reader: dict[str, Any], keep: bool = False) -> None:
        """Both are record schemas parsed by fastavro; the reader's has a frame form.

        keep: fields that the reader has not are kept among its attributes (schemas.extras).
        """
        self.same = crc64(writer) == crc64(reader)
        """Whether a datum of one is, by its bytes, one of the other."""
        self.lost = 0
        """Values so far that could not be kept."""
        self._extras = Extras(reader, (), 0)
        if keep and not self.same:
            with contextlib.suppress(ValueError):  # a type that contains itself
                self._extras = extras(inline(writer), inline(reader))
                reader = single.parsed_again(self._extras.reader)
        self._extra_types = types(self._extras)
        self._writer = single.without_logical_types(writer)
        self._reader = single.without_logical_types(reader)
        self._block: Block | None = None
        self._columns: columnwise.Columns | None = None
        self._alike: set[str] = set()
        self._fields: list[resolve.Field] = []
        try:
            inlined = inline(writer)
            self._fields = resolve.record_fields(inlined, inline(reader))
            self._block = Block(inlined)
        except (TypeError, ValueError):
            return  # not by columns: fastavro reads record by record
        if COMPILED:
            with contextlib.suppress(TypeError):
                self._columns = columnwise.Columns(inlined["fields"])
                self._alike = resolve.alike(inlined, inline(reader))

    def at_once(self, payloads: Sequence[bytes | None], header: bytes, names: Sequence[str]) -> pl.DataFrame | None:
        """The columns of these names that `read` finds in the datums behind the header of each payload, for less; None
        where it has to find them: there are few, the schemas differ, or something is not as it should be."""
        wanted = self._with_extras(names)
        if self._columns is None or not names or len(payloads) < _MANY or not self._alike.issuperset(wanted):
            return None
        frame = self._columns.read(payloads, header, wanted)
        return frame if frame is None else self._folded(frame)

    def read(
        self, datums: list[bytes], positions: Rows, schema: dict[str, pl.DataType], errors: dict[int, str]
    ) -> list[tuple[pl.DataFrame, Rows]]:
        """Frames of the good records with their positions, each in order; what is wrong with the others to `errors`.

        `positions` are the datums' own, `schema` the reader's columns that are wanted, with their types.
        """
        if len(self._with_extras(list(schema))) > len(schema):
            schema = {**schema, **self._extra_types}
        return [(self._folded(frame), rows) for frame, rows in self._read(datums, positions, schema, errors)]

    def _with_extras(self, names: Sequence[str]) -> list[str]:
        """Columns to read for these of the reader's."""
        return [*names, *(self._extras.kept if ATTRIBUTES in names else ())]

    def _folded(self, frame: pl.DataFrame) -> pl.DataFrame:
        """A frame that was read, with its extras in the attributes."""
        self.lost += self._extras.lost * frame.height
        if not self._extras.kept or self._extras.kept[0] not in frame.columns:
            return frame
        folded, clashing = fold(frame, self._extras.kept)
        self.lost += clashing
        return folded

    def _read(
        self, datums: list[bytes], positions: Rows, schema: dict[str, pl.DataType], errors: dict[int, str]
    ) -> list[tuple[pl.DataFrame, Rows]]:
        if self._block is None:
            return [self._records(datums, positions, schema, errors)]
        fields = [field for field in self._fields if field.name in schema]
        columns = list(dict.fromkeys(field.source for field in fields if field.source is not None))
        # the first attempt prints its panic, if there is one; the many attempts that follow need not
        try:
            return [_resolve(self._block.read(datums, columns), positions, fields, schema, errors)]
        except BlockError:
            with silent_panics():
                blocks, rest = self._divide(self._block, datums, range(len(datums)), columns)
        read = [self._records([datums[i] for i in rest], positions[rest], schema, errors)] if rest else []
        if blocks:
            whole = pl.concat([block for block, _ in blocks])
            where = positions[np.concatenate([rows for _, rows in blocks])]
            read.append(_resolve(whole, where, fields, schema, errors))
        return read

    def _divide(
        self, block: Block, datums: list[bytes], rows: Sequence[int], columns: list[str]
    ) -> tuple[list[tuple[pl.DataFrame, Rows]], list[int]]:
        """The columns of those `rows` that can be read in blocks, and the other rows.

        The caller knows already that the rows cannot be read as one block.
        """
        if len(rows) > _FEW:
            step = -(-len(rows) // _PARTS)
            parts = [rows[start : start + step] for start in range(0, len(rows), step)]
        else:
            # few enough to ask fastavro about each; what it accepts should be readable together
            parts = [[row for row in rows if self._accepts(datums[row])]]
            parts += [[row] for row in rows if row not in parts[0]]
            if len(parts) == 1:
                parts = [[row] for row in rows]
        blocks: list[tuple[pl.DataFrame, Rows]] = []
        rest: list[int] = []
        for part in parts:
            if not part:
                continue
            try:
                blocks.append((block.read([datums[row] for row in part], columns), np.asarray(part, dtype=np.int64)))
            except BlockError:
                if len(part) == 1:
                    rest += part
                else:
                    more, none = self._divide(block, datums, part, columns)
                    blocks += more
                    rest += none
        return blocks, rest

    def _accepts(self, datum: bytes) -> bool:
        try:
            single.read_datum(datum, self._writer, self._reader)
        except single.UndecodableError:
            return False
        return True

    def _records(
        self, datums: list[bytes], positions: Rows, schema: dict[str, pl.DataType], errors: dict[int, str]
    ) -> tuple[pl.DataFrame, Rows]:
        """Read record by record, by fastavro."""
        good, rows = [], []
        for datum, position in zip(datums, positions, strict=True):
            try:
                good.append(single.read_datum(datum, self._writer, self._reader))
                rows.append(position)
            except single.UndecodableError as error:
                errors[int(position)] = str(error)
        return pl.DataFrame(good, schema=schema), np.asarray(rows, dtype=np.int64)


def _resolve(
    frame: pl.DataFrame,
    positions: Rows,
    fields: list[resolve.Field],
    schema: dict[str, pl.DataType],
    errors: dict[int, str],
) -> tuple[pl.DataFrame, Rows]:
    """Columns as they were written to columns of the reader, without the rows that its schema does not allow."""
    quick = {field.name: field.quick(frame.get_column(field.name)) for field in fields if field.quick}
    slow = [field for field in fields if quick.get(field.name) is None]
    checks = {f"__bad_{field.name}": field for field in slow if field.bad is not None}
    changes = [field.value.alias(field.name) for field in slow if field.value is not None]
    changes += [field.bad.alias(name) for name, field in checks.items() if field.bad is not None]
    resolved = frame.with_columns(changes) if changes else frame.clone()
    for name, column in quick.items():
        if column is not None:
            resolved.replace_column(resolved.get_column_index(name), column.alias(name))
    good = None
    for name, field in checks.items():
        if resolved[name].any():
            bad = resolved[name].to_numpy()
            for position in positions[bad]:
                errors.setdefault(int(position), f"field {field.name} has no value that the schema allows")
            good = ~bad if good is None else good & ~bad
    resolved = resolved[list(schema)]
    return (resolved, positions) if good is None else (resolved.filter(good), positions[good])
