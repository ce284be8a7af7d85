"""What a mapping says of a field, as a column of text: a cell, a constant, an expression; translated by its table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from streams.model.characters import same_width
from streams.sources.mapping.expressions import columns_of, evaluate
from streams.sources.mapping.model import Value
from streams.sources.mapping.people import by_value
from streams.text.scrub import scrub_text

SHOWN = 60
"""Characters of a cell that a message quotes."""


@dataclass(frozen=True, slots=True)
class Cells:
    """raw: what the rows hold, before the table. text: what it means, null for nothing. label: its name for people."""

    raw: pl.Series
    text: pl.Series
    label: str


def columns(value: Value) -> list[str]:
    """The columns of a row that a value is made of."""
    if value.column is not None:
        return [value.column]
    return [] if value.sql is None else columns_of(value.sql)


def label(name: str, value: Value) -> str:
    """How messages call a value: by its columns, else by its name in the mapping."""
    named = columns(value)
    return f"column {', '.join(named)}" if named else name


def clean(frame: pl.DataFrame, null: Sequence[str]) -> pl.DataFrame:
    """Cells without blanks around them; those that are words for nothing are null."""
    stripped = frame.with_columns(pl.all().str.strip_chars())
    words = pl.Series(list(null), dtype=pl.String)
    return stripped.with_columns(
        pl.when(~pl.col(name).is_in(words.implode())).then(pl.col(name)).alias(name) for name in stripped.columns
    )


def cells(name: str, value: Value, frame: pl.DataFrame) -> Cells:
    """The column of a value, over rows that are clean and have every column that it is made of."""
    if value.column is not None:
        raw = frame[value.column]
    elif value.value is not None:
        raw = pl.repeat(value.value, frame.height, dtype=pl.String, eager=True)
    else:
        assert value.sql is not None
        raw = evaluate(value.sql, frame).cast(pl.String)
    text = raw
    if value.table is not None:
        table = {word.strip().casefold(): meaning for word, meaning in value.table.items()}
        text = by_value(raw, lambda cell: table.get(cell.strip().casefold()))
    if value.otherwise is not None:
        text = text.fill_null(value.otherwise)
    return Cells(raw, text, label(name, value))


def ascii_digits(text: pl.Series) -> pl.Series:
    """Texts in which the digits of every script are 0 to 9, and full-width signs those of ASCII."""
    if not text.str.contains(r"[^\x00-\x7f]").any():
        return text
    return by_value(text, lambda cell: cell.translate(same_width()))


def quoted(cell: str | None) -> str:
    """A cell as a message shows it: short, and without what looks like personal data."""
    if cell is None:
        return "nothing"
    short = scrub_text(cell)
    return repr(short if len(short) <= SHOWN else short[:SHOWN] + "...")
