"""A batch of records to Avro values, from the columns of a frame or from rows: the bytes that fastavro would write."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import Any

import polars as pl

from schemas import frames, plan, records
from schemas.records import frame_type, inline
from schemas.registry import Registry
from schemas.row_writer import RowWriter
from schemas.wire import SINGLE_OBJECT, Wire


class BatchEncoder:
    """Encodes records of one schema of this package, in its current version."""

    def __init__(self, name: str, registry: Registry, wire: Wire = SINGLE_OBJECT) -> None:
        """`name` is the record (schemas.records.NAMES), `wire` the header's form. May ask the registry."""
        self._header = registry.header_for(name, wire)
        self._writer = DatumWriter(records.schema(name))

    def encode(self, batch: pl.DataFrame | Sequence[Sequence[Any]]) -> list[bytes]:
        """One value, header first, for each row of a frame in frame form, or for each of a sequence of rows.

        A column that is absent from a frame takes its default. A row has the values of all fields, in the schema's
        order: those of the frame form, but a record within it is a tuple of its fields' values.

        Raises ValueError, naming field and row, for a value that the schema does not allow; naming the column, for one
        that is missing without default, unknown, or of another type; and for rows of another length.
        """
        return self._writer.write(batch, self._header)


class DatumWriter:
    """Encodes records of any schema that has a frame form."""

    def __init__(self, schema: dict[str, Any]) -> None:
        """`schema` is a record parsed by fastavro. Raises TypeError where it has no frame form."""
        self._name = schema["name"].rpartition(".")[2]
        fields = inline(schema)["fields"]
        self._types = {field["name"]: frame_type(field["type"]) for field in fields}
        self._rows = RowWriter(fields)
        self._defaults = {
            field["name"]: frames.values(
                pl.DataFrame({"": pl.Series([plan.default(field)], dtype=self._types[field["name"]])})
            )[""][0]
            for field in fields
            if "default" in field
        }

    def write(self, batch: pl.DataFrame | Sequence[Sequence[Any]], header: bytes = b"") -> list[bytes]:
        """`header` and datum for each row; errors as BatchEncoder.encode."""
        try:
            if not isinstance(batch, pl.DataFrame):
                return self._rows.write(batch, header)
            columns = frames.values(frames.conform(batch, self._types, self._defaults))
            ordered = [
                columns[name] if name in columns else repeat(self._defaults[name], batch.height) for name in self._types
            ]
            return self._rows.write(zip(*ordered, strict=True), header) if batch.height else []
        except ValueError as error:
            raise ValueError(f"{self._name}: {error}") from None
