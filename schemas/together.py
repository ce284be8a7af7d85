"""Columns of numbers to Avro, all at once.

A record has many columns of numbers, and a batch is often small: then what a column costs is the calls that it takes.
So the numbers of all columns of one kind are laid one behind the other, encoded as one column, and cut up again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from schemas.pieces import Array, Piece, fixed, optional, valid_of
from schemas.records import Schema
from schemas.varints import varints


class Numbers:
    """Encodes those columns of a record that are longs or doubles, required or optional."""

    def __init__(self, fields: Iterable[tuple[str, Schema]]) -> None:
        """`fields` are names and types (without references) of the record's fields; others than these are left out."""
        self._heads: dict[str, tuple[str, int, int]] = {}
        for name, type_ in fields:
            branches = type_ if isinstance(type_, list) else ["null", type_]
            kinds = [b["type"] if isinstance(b, dict) else b for b in branches]
            kind = next((kind for kind in kinds if kind in _KINDS), None)
            if kind is None or len(kinds) != 2 or "null" not in kinds:
                continue
            null = kinds.index("null")
            self._heads[name] = (kind, *((-1, -1) if branches is not type_ else (2 * (1 - null), 2 * null)))

    def encode(self, columns: dict[str, Array]) -> dict[str, list[Piece]]:
        """Pieces of the columns by name; what cannot be encoded here is left to the encoder of its own type."""
        found: dict[str, list[Piece]] = {}
        for kind, encode in _KINDS.items():
            full: list[str] = []
            holed: dict[tuple[int, int], list[str]] = {}
            for name, (its_kind, present, absent) in self._heads.items():
                column = columns.get(name)
                if its_kind != kind or column is None:
                    continue
                if not column.null_count:
                    full.append(name)
                elif present >= 0 and column.null_count < len(column):
                    holed.setdefault((present, absent), []).append(name)
            for names in _alike(full, columns) if kind == "long" else [full]:
                if names:
                    whole = encode(np.concatenate([_values(columns[name]) for name in names]))
                    for name, piece in _cut(whole, names, columns):
                        head = self._heads[name][1]
                        found[name] = [piece] if head < 0 else [bytes([head]), piece]
            for (present, absent), names in holed.items():
                valid = np.concatenate([valid_of(columns[name]) for name in names])
                some = encode(np.concatenate([_values(columns[name]) for name in names])[valid])
                whole = optional(some, valid, present, absent)
                found.update((name, [piece]) for name, piece in _cut(whole, names, columns))
        return found


def _alike(names: Sequence[str], columns: dict[str, Array]) -> list[list[str]]:
    """The columns of longs by size: of one byte, of two at most, and others, as each kind has a faster way."""
    groups: list[list[str]] = [[], [], []]
    for name in names:
        values = _values(columns[name])
        most = max(int(values.max()), -int(values.min())) if len(values) else 0
        groups[0 if most < 1 << 6 else 1 if most < 1 << 13 else 2].append(name)
    return groups


def _values(column: Array) -> npt.NDArray[Any]:
    """The numbers as they lie; those of nulls may be any."""
    dtype = np.float64 if column.type == "double" else np.int64
    return np.frombuffer(column.buffers()[1], dtype)[column.offset : column.offset + len(column)]


def _cut(whole: Array, names: Sequence[str], columns: dict[str, Array]) -> Iterable[tuple[str, Array]]:
    at = 0
    for name in names:
        rows = len(columns[name])
        yield name, whole.slice(at, rows)
        at += rows


def _doubles(numbers: npt.NDArray[np.float64]) -> Array:
    return fixed(numbers.astype("<f8", copy=False).view(np.uint8).reshape(-1, 8))


_KINDS: Final[dict[str, Callable[[Any], Array]]] = {"long": varints, "double": _doubles}
