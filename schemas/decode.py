"""A batch of Avro values to columns, whatever is among them.

All values of one writer's schema are read as one block (schemas.block). Where the block cannot be read, its parts are
tried, down to single records, and those that Polars refuses by themselves fastavro judges. So one bad record costs a
few reads more, and whether a record is good depends on nothing but itself: what can be read alone can be read among
others, to the same row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas import records, resolve, single
from schemas.block import Block, BlockError, silent_panics
from schemas.records import inline
from schemas.registry import Registry, UnknownSchemaError
from schemas.wire import WireError, parse, prefix

Rows = npt.NDArray[np.int64]

_PARTS: Final = 16
"""Into how many parts an unreadable block is divided: a read costs as much by itself as some 200 records."""
_FEW: Final = 32
"""Below this many records it is cheaper to find the bad ones by fastavro than by dividing on."""


@dataclass(frozen=True)
class Decoded:
    """What a batch held."""

    frame: pl.DataFrame
    """The good records, in the order of the input, in the frame form of the reader's schema."""
    rows: Rows
    """Position in the input of each row of `frame`."""
    errors: list[tuple[int, str]]
    """(position in the input, sentence that says what is wrong) of every other value, by position."""


class BatchDecoder:
    """Decodes values of one record schema, with either header, written with any version of the schema."""

    def __init__(self, name: str, registry: Registry) -> None:
        """`name` is the reader's record (schemas.records.NAMES)."""
        self._name = name
        self._registry = registry
        self._writers: dict[bytes, _Writer] = {}

    def decode(self, payloads: Sequence[bytes | None], columns: Sequence[str] | None = None) -> Decoded:
        """Decode a batch; `columns` limits and orders the columns of the frame, and what is checked to them.

        No content of a payload raises. RegistryError is raised where the registry cannot be asked (not where it does
        not know a schema): the batch is to be tried again. KeyError for a column that the record does not have.
        """
        types = records.polars_schema(self._name)
        schema = {column: types[column] for column in (types if columns is None else columns)}
        errors: dict[int, str] = {}
        parts: list[tuple[pl.DataFrame, Rows]] = []
        for header, (positions, datums) in _by_header(payloads, errors).items():
            try:
                writer = self._writer(header)
            except UnknownSchemaError as error:
                errors.update(dict.fromkeys(positions, str(error)))
                continue
            parts += writer.read(datums, np.asarray(positions, dtype=np.int64), schema, errors)
        frame, rows = _assemble(parts, schema)
        return Decoded(frame, rows, sorted(errors.items()))

    def _writer(self, header: bytes) -> _Writer:
        writer = self._writers.get(header)
        if writer is None:
            writer = _Writer(self._name, self._registry.writer_schema(parse(header)))
            self._writers[header] = writer
        return writer


class _Writer:
    """Reads datums of one writer's schema as records of the reader's."""

    def __init__(self, name: str, schema: dict[str, Any]) -> None:
        self._name = name
        self._plain = single.without_logical_types(schema)
        self._block: Block | None = None
        self._fields: list[resolve.Field] = []
        try:
            inlined = inline(schema)
            self._fields = resolve.record_fields(inlined, records.inlined(name))
            self._block = Block(inlined)
        except (TypeError, ValueError):
            self._block = None  # not by columns: fastavro reads record by record

    def read(
        self, datums: list[bytes], positions: Rows, schema: dict[str, pl.DataType], errors: dict[int, str]
    ) -> list[tuple[pl.DataFrame, Rows]]:
        """Frames of the good records with their positions; what is wrong with the others goes to `errors`."""
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
        """Columns of those of `rows` that can be read by columns, and the rows that cannot.

        The rows together are known to be unreadable.
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
            single.read_datum(datum, self._plain, self._name)
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
                good.append(single.read_datum(datum, self._plain, self._name))
                rows.append(position)
            except single.UndecodableError as error:
                errors[int(position)] = str(error)
        return pl.DataFrame(good, schema=schema), np.asarray(rows, dtype=np.int64)


def _by_header(payloads: Sequence[bytes | None], errors: dict[int, str]) -> dict[bytes, tuple[list[int], list[bytes]]]:
    """Positions and datums of the values by their raw header; what is wrong with those without one goes to `errors`."""
    groups: dict[bytes, tuple[list[int], list[bytes]]] = {}
    for position, payload in enumerate(payloads):
        if payload is None:
            errors[position] = "no value"
            continue
        try:
            header = prefix(payload)
        except WireError as error:
            errors[position] = str(error)
            continue
        group = groups.get(header)
        if group is None:
            group = groups[header] = ([], [])
        group[0].append(position)
        group[1].append(payload[len(header) :])
    return groups


def _resolve(
    frame: pl.DataFrame,
    positions: Rows,
    fields: list[resolve.Field],
    schema: dict[str, pl.DataType],
    errors: dict[int, str],
) -> tuple[pl.DataFrame, Rows]:
    """Columns as they were written to columns of the reader, without the rows that its schema does not allow."""
    checks = {f"__bad_{field.name}": field for field in fields if field.bad is not None}
    resolved = frame.with_columns(
        *(field.value.alias(field.name) for field in fields if field.value is not None),
        *(field.bad.alias(name) for name, field in checks.items() if field.bad is not None),
    )
    good = None
    for name, field in checks.items():
        if resolved[name].any():
            bad = resolved[name].to_numpy()
            for position in positions[bad]:
                errors.setdefault(int(position), f"field {field.name} has no value that the schema allows")
            good = ~bad if good is None else good & ~bad
    resolved = resolved[list(schema)]
    return (resolved, positions) if good is None else (resolved.filter(good), positions[good])


def _assemble(parts: list[tuple[pl.DataFrame, Rows]], schema: dict[str, pl.DataType]) -> tuple[pl.DataFrame, Rows]:
    """One frame of all parts, in the order of the input."""
    parts = [part for part in parts if part[0].height]
    if not parts:
        return pl.DataFrame(schema=schema), np.empty(0, dtype=np.int64)
    if len(parts) == 1:
        return parts[0]
    frame = pl.concat([part[0] for part in parts])
    rows = np.concatenate([part[1] for part in parts])
    order = np.argsort(rows)
    if (order[1:] > order[:-1]).all():
        return frame, rows
    return frame[order], rows[order]
