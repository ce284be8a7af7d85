"""Frames to Python values in the form that the encoders accept."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from itertools import islice
from typing import Any, Final

import polars as pl
import pyarrow as pa

_OLDEST: Final = pl.CompatLevel.oldest()
"""Arrow types that pyarrow can take apart; not views."""


def values(frame: pl.DataFrame) -> dict[str, Sequence[Any]]:
    """The values of each column: None for a null, a record as a tuple of its fields, a list as a list of its items."""
    found: dict[str, Sequence[Any]] = {}
    nothing = [None] * frame.height
    for column, dtype in zip(frame.get_columns(), frame.dtypes, strict=True):
        if column.null_count() == frame.height:
            found[column.name] = nothing
        elif isinstance(dtype, (pl.List, pl.Struct)):
            found[column.name] = _values(column.to_arrow(compat_level=_OLDEST))
        else:
            found[column.name] = column.to_list()
    return found


def _values(array: Any) -> Sequence[Any]:
    """The values of an array of pyarrow."""
    if pa.types.is_struct(array.type):
        if array.null_count == len(array):
            return [None] * len(array)
        rows = zip(*map(_values, array.flatten()), strict=True)
        if not array.null_count:
            return [*rows]
        return [row if valid else None for valid, row in zip(array.is_valid().to_pylist(), rows, strict=True)]
    if pa.types.is_large_list(array.type):
        items = array.flatten()
        if not len(items) and not array.null_count:
            return [()] * len(array)
        following = iter(_values(items))
        return [None if size is None else [*islice(following, size)] for size in array.value_lengths().to_pylist()]
    found: list[Any] = array.to_pylist()
    return found


def conform(frame: pl.DataFrame, types: Mapping[str, pl.DataType], optional: Container[str]) -> pl.DataFrame:
    """The frame with each column in its type, where that loses nothing; ValueError where it is another.

    optional: names of columns that may be missing.
    """
    if frame.columns == [*types] and frame.dtypes == [*types.values()]:
        return frame
    unknown = [name for name in frame.columns if name not in types]
    missing = [name for name in types if name not in frame.columns and name not in optional]
    if unknown or missing:
        told = (("no field", unknown), ("missing field", missing))
        raise ValueError("; ".join(f"{what} {', '.join(names)}" for what, names in told if names))
    casts = []
    for name, dtype in frame.schema.items():
        due = types[name]
        if dtype == due:
            continue
        if not _fits(dtype, due):
            raise ValueError(f"field {name} is {dtype}, where {due} is due")
        casts.append(pl.col(name).cast(due))
    try:
        return frame.with_columns(casts)
    except pl.exceptions.PolarsError as error:
        raise ValueError(str(error)) from error


def _fits(dtype: pl.DataType, due: pl.DataType) -> bool:
    """Whether every value of a column type is one of the type due, perhaps written otherwise."""
    if dtype == due or dtype == pl.Null:
        return True
    if due == pl.Int64:
        return dtype.is_integer()
    if due == pl.Float64:
        return dtype.is_float() or dtype.is_integer()
    if due == pl.String:
        return isinstance(dtype, (pl.Categorical, pl.Enum))
    if isinstance(dtype, pl.List) and isinstance(due, pl.List):
        return _fits(_instance(dtype.inner), _instance(due.inner))
    if isinstance(dtype, pl.Struct) and isinstance(due, pl.Struct):
        return [field.name for field in dtype.fields] == [field.name for field in due.fields] and all(
            _fits(_instance(have.dtype), _instance(want.dtype))
            for have, want in zip(dtype.fields, due.fields, strict=True)
        )
    return False


def _instance(dtype: Any) -> pl.DataType:
    return dtype if isinstance(dtype, pl.DataType) else dtype()
