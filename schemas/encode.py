"""A batch of records to Avro values, from the columns of a frame or from rows.

The bytes are those that fastavro.schemaless_writer writes. Large frames are encoded by columns (schemas.columnar), rows
and small frames row by row where that is compiled (schemas.rowwise), else by columns of values (schemas.values).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, Final

import polars as pl
from fastavro import parse_schema, schemaless_writer

from schemas import frames, records
from schemas.columnar import Columns
from schemas.numbers import COMPILED
from schemas.records import frame_type, inline
from schemas.registry import Registry
from schemas.rowwise import Rows
from schemas.values import Values
from schemas.wire import SINGLE_OBJECT, Wire

FEW: Final = 600 if COMPILED else 300
"""Rows of a frame up to which others are cheaper than columns, of a record of some forty fields."""


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

    def __init__(self, schema: dict[str, Any], few: int = FEW, rowwise: bool = COMPILED) -> None:
        """`schema` is a record parsed by fastavro, `few` how many rows of a frame are not encoded by columns, `rowwise`
        whether these, and rows, go one by one if they can.

        Raises TypeError where the schema has no frame form.
        """
        self._few = few
        self._name = schema["name"].rpartition(".")[2]
        fields = inline(schema)["fields"]
        self._types = {field["name"]: frame_type(field["type"]) for field in fields}
        self._values, self._columns = Values(fields), Columns(fields)
        self._rows = Rows(fields) if rowwise else None
        self._defaults = {field["name"]: _default(field) for field in fields if "default" in field}

    def write(self, batch: pl.DataFrame | Sequence[Sequence[Any]], header: bytes = b"") -> list[bytes]:
        """`header` and datum for each row; errors as BatchEncoder.encode."""
        try:
            if not isinstance(batch, pl.DataFrame):
                if self._rows and (encoded := self._rows.write(batch, header)) is not None:
                    return encoded
                columns = dict(zip(self._types, zip(*batch, strict=True), strict=True)) if batch else {}
            else:
                batch = frames.conform(batch, self._types, self._defaults)
                if batch.height > self._few:
                    return self._columns.write(batch, header, self._defaults)
                columns = frames.values(batch)
                if self._rows and [*columns] == [*self._types]:
                    encoded = self._rows.write(zip(*columns.values(), strict=True), header)
                    if encoded is not None:
                        return encoded
            return self._values.write(columns, len(batch), header, self._defaults) if len(batch) else []
        except ValueError as error:
            raise ValueError(f"{self._name}: {error}") from None


def _default(field: dict[str, Any]) -> bytes:
    """The encoded default of a field."""
    out = io.BytesIO()
    alone = parse_schema({"type": "record", "name": "Alone", "fields": [{**field, "name": "value"}]})
    schemaless_writer(out, alone, {})
    return out.getvalue()
