"""Datums of one writer's schema to columns of the reader's, bad datums among them.

They are read by columns, following a plan of both schemas. Datums that cannot be read that way go to fastavro, one at a
time, which says what is wrong with them. Whether a record is good depends on that record only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas import plan, single
from schemas.columnar_reader import LARGEST, ColumnarReader, Found
from schemas.extras import ATTRIBUTES, Extras, extras, fold, lost_within, types
from schemas.fingerprint import crc64
from schemas.records import inline

Rows = npt.NDArray[np.int64]


class DatumReader:
    """Reads datums of a writer's schema as columns of a reader's."""

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
        self._columns: ColumnarReader | None = None
        with contextlib.suppress(plan.NoPlanError, ValueError):  # unusual, or a type that contains itself
            self._columns = ColumnarReader(plan.plan(inline(writer), inline(reader)))

    def read(
        self,
        payloads: Sequence[bytes | None],
        header: bytes,
        schema: dict[str, pl.DataType],
        errors: dict[int, str],
    ) -> list[tuple[pl.DataFrame, Rows]] | None:
        """Frames of the good records with their positions, each in order; what is wrong with the others to `errors`.

        A payload is a header and a datum; None where one has another header. `schema` are the reader's columns that are
        wanted, with their types.
        """
        if self._extras.kept and ATTRIBUTES in schema:
            schema = {**schema, **self._extra_types}
        found = self._read(payloads, header, schema, errors)
        return None if found is None else [(self._folded(frame), rows) for frame, rows in found]

    def _folded(self, frame: pl.DataFrame) -> pl.DataFrame:
        """A frame that was read, with its extras in the attributes."""
        self.lost += self._extras.lost * frame.height
        self.lost += sum(lost_within(frame[name], one) for name, one in self._extras.within if name in frame.columns)
        if not self._extras.kept or self._extras.kept[0] not in frame.columns:
            return frame
        folded, clashing = fold(frame, self._extras.kept)
        self.lost += clashing
        return folded

    def _read(
        self,
        payloads: Sequence[bytes | None],
        header: bytes,
        schema: dict[str, pl.DataType],
        errors: dict[int, str],
        start: int = 0,
    ) -> list[tuple[pl.DataFrame, Rows]] | None:
        """start: position of the first."""
        if self._columns is None or not schema:
            if not all(payload is not None and payload.startswith(header) for payload in payloads):
                return None
            return [self._records(payloads, range(len(payloads)), len(header), schema, errors, start)]
        if len(payloads) > 1 and sum(0 if payload is None else len(payload) for payload in payloads) > LARGEST:
            half = len(payloads) // 2
            one = self._read(payloads[:half], header, schema, errors, start)
            other = self._read(payloads[half:], header, schema, errors, start + half)
            return None if one is None or other is None else one + other
        found = self._columns.read(payloads, header, [*schema])
        return None if found is None else self._judged(found, payloads, header, schema, errors, start)

    def _judged(
        self,
        found: Found,
        payloads: Sequence[bytes | None],
        header: bytes,
        schema: dict[str, pl.DataType],
        errors: dict[int, str],
        start: int,
    ) -> list[tuple[pl.DataFrame, Rows]]:
        """What was found, and of the datums that are unfit what fastavro makes of them."""
        if not found.unfit and not found.refused:
            return [(found.frame, np.arange(start, start + len(payloads)))]
        for at, name in found.refused.items():
            errors[start + at] = f"field {name} has no value that the schema allows"
        good = np.ones(len(payloads), np.bool_)
        good[[*found.unfit, *found.refused]] = False
        read = [(found.frame, np.flatnonzero(good) + start)]
        if found.unfit:
            read.append(self._records(payloads, found.unfit, len(header), schema, errors, start))
        return read

    def _records(
        self,
        payloads: Sequence[bytes | None],
        positions: Sequence[int],
        before: int,
        schema: dict[str, pl.DataType],
        errors: dict[int, str],
        start: int,
    ) -> tuple[pl.DataFrame, Rows]:
        """Read record by record, by fastavro."""
        good, rows = [], []
        for at in positions:
            try:
                good.append(single.read_datum((payloads[at] or b"")[before:], self._writer, self._reader))
                rows.append(start + at)
            except single.UndecodableError as error:
                errors[start + at] = str(error)
        frame = pl.DataFrame(good, schema=schema) if schema else pl.DataFrame()
        return frame, np.asarray(rows, dtype=np.int64)
