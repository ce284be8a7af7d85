"""A batch of Avro values to columns, each by the schema that its header names; bad ones are reported apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from schemas import records
from schemas.datums import DatumReader, Rows
from schemas.registry import Registry, UnknownSchemaError
from schemas.wire import WireError, parse, prefix


@dataclass(frozen=True)
class Decoded:
    """A decoded batch."""

    frame: pl.DataFrame
    """The good records, in the order of the input, in the frame form of the reader's schema."""
    rows: Rows
    """The position in the input of each row of `frame`."""
    errors: list[tuple[int, str]]
    """(position in the input, sentence that says what is wrong) of every other value, by position."""
    lost: int = 0
    """Number of values of unknown fields, those inside records and arrays too, that could not be kept as attributes."""


def joined(name: str, columns: Sequence[str] | None, parts: Sequence[tuple[range, Decoded]]) -> Decoded:
    """Join decoded parts of a batch, as if they had been decoded together.

    name, columns: as of the BatchDecoder and its `decode`. parts: with their positions; there may be none.
    """
    frame = pl.concat([_nothing(name, columns), *(decoded.frame for _, decoded in parts)])
    rows = [decoded.rows + some.start for some, decoded in parts]
    errors = [(some.start + at, detail) for some, decoded in parts for at, detail in decoded.errors]
    lost = sum(decoded.lost for _, decoded in parts)
    return Decoded(frame, np.concatenate([np.empty(0, dtype=np.int64), *rows]), errors, lost)


def _nothing(name: str, columns: Sequence[str] | None) -> pl.DataFrame:
    types = records.polars_schema(name)
    return pl.DataFrame(schema={column: types[column] for column in (types if columns is None else columns)})


class BatchDecoder:
    """Decodes values of one record schema, with either header, written with any version of the schema.

    Plain values in fields that the channel's schema does not have are kept among the event's attributes.
    """

    def __init__(self, name: str, registry: Registry) -> None:
        """`name` is the reader's record (schemas.records.NAMES)."""
        self._name = name
        self._registry = registry
        self._readers: dict[bytes, DatumReader] = {}
        self._lost = 0

    def decode(self, payloads: Sequence[bytes | None], columns: Sequence[str] | None = None) -> Decoded:
        """Decode a batch; `columns` limits and orders the columns of the frame, and what is checked to them.

        No content of a payload raises. RegistryError is raised where the registry cannot be asked (not where it does
        not know a schema): the batch is to be tried again. KeyError for a column that the record does not have.
        """
        types = records.polars_schema(self._name)
        schema = {column: types[column] for column in (types if columns is None else columns)}
        errors: dict[int, str] = {}
        parts = self._of_one_header(payloads, schema, errors)
        if parts is None:
            parts = []
            for header, positions in _by_header(payloads, errors).items():
                parts += self._of(header, payloads, positions, schema, errors)
        frame, rows = _assemble(parts, schema)
        return Decoded(frame, rows, sorted(errors.items()), self._lost_since())

    def _of_one_header(
        self, payloads: Sequence[bytes | None], schema: dict[str, pl.DataType], errors: dict[int, str]
    ) -> list[tuple[pl.DataFrame, Rows]] | None:
        """What is read of payloads that all have the header of the first, as they usually have; else None."""
        try:
            header = prefix(payloads[0] or b"") if payloads else b""
            return self._reader(header).read(payloads, header, schema, errors) if header else None
        except (WireError, UnknownSchemaError):
            return None

    def _of(
        self,
        header: bytes,
        payloads: Sequence[bytes | None],
        positions: list[int],
        schema: dict[str, pl.DataType],
        errors: dict[int, str],
    ) -> list[tuple[pl.DataFrame, Rows]]:
        """What is read of the payloads at these positions, which have this header."""
        bad: dict[int, str] = {}
        try:
            found = self._reader(header).read([payloads[at] for at in positions], header, schema, bad)
        except UnknownSchemaError as error:
            errors.update(dict.fromkeys(positions, str(error)))
            return []
        errors.update((positions[at], detail) for at, detail in bad.items())
        where = np.asarray(positions, dtype=np.int64)
        return [(frame, where[rows]) for frame, rows in found or ()]

    def _lost_since(self) -> int:
        """Number of values lost since the last call."""
        before, self._lost = self._lost, sum(reader.lost for reader in self._readers.values())
        return self._lost - before

    def current(self, payload: bytes | None) -> bytes | None:
        """The header of a value that was written with the reader's own schema; None for any other.

        RegistryError as from `decode`.
        """
        try:
            header = prefix(payload or b"")
            return header if self._reader(header).same else None
        except (WireError, UnknownSchemaError):
            return None

    def _reader(self, header: bytes) -> DatumReader:
        reader = self._readers.get(header)
        if reader is None:
            reader = DatumReader(
                self._registry.writer_schema(parse(header)), records.schema(self._name), self._name in records.CHANNELS
            )
            self._readers[header] = reader
        return reader


def _by_header(payloads: Sequence[bytes | None], errors: dict[int, str]) -> dict[bytes, list[int]]:
    """Positions of the payloads by their raw header; what is wrong with those without one goes to `errors`."""
    groups: dict[bytes, list[int]] = {}
    header, positions = b"", list[int]()
    for position, payload in enumerate(payloads):
        if payload is None:
            errors[position] = "no value"
            continue
        if not header or not payload.startswith(header):
            try:
                header = prefix(payload)
            except WireError as error:
                errors[position] = str(error)
                header = b""
                continue
            positions = groups.setdefault(header, [])
        positions.append(position)
    return groups


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
