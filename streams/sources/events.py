"""What every source of events yields: batches of one channel's events as columns, and the lines that were none.

A source is a callable ``read(path, *, batch_size) -> Iterator[EventBatch]``. It reads with bounded memory, never
raises for a bad line (that becomes a `BadLine`, whole) and raises `SourceError` for a file that is not what it was
said to be. Every line of the input is in exactly one place: a row (or several rows) of a frame, or a BadLine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import polars as pl

from schemas.records import polars_schema


class SourceError(Exception):
    """A whole input cannot be read: no such file, not this format, broken off. The message is for people."""


@dataclass(frozen=True, slots=True)
class BadLine:
    """One line that cannot be an event; it becomes a dead letter.

    file: the path as given, or "<stdin>". line: 1-based. payload: the line's bytes without its line end.
    reason: one word of the closed list of dead-letter reasons. detail: a sentence that says what is wrong. The maker of
    a letter masks the personal data in it (streams.text.shown). masked: whether some is masked already.
    """

    file: str
    line: int
    payload: bytes
    reason: str
    detail: str
    masked: bool = False


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Events of one channel in the frame form of its schema, and bad lines met since the batch before.

    channel: one of schemas.records.CHANNELS. frame: may be empty where there were bad lines only (the channel then
    says nothing). bad: in the order of the file. file: as of BadLine. lines, payloads: of each row, 1-based, and its
    octets as of a BadLine; none where the format does not tell them. They name an event that turns out to be none
    later, by the rules of enrich, or because it is larger than its topic takes. unread: optional fields that could not
    be read, by name, met since the batch before: they are attributes of their events.
    """

    channel: str
    frame: pl.DataFrame
    bad: list[BadLine] = field(default_factory=list)
    file: str = ""
    lines: Sequence[int] = ()
    payloads: Sequence[bytes] = ()
    unread: Counter[str] = field(default_factory=Counter)
    names: Mapping[str, str] = field(default_factory=dict)
    """What the file calls the fields of events, where it has names of its own: its columns."""


class Refusal(NamedTuple):
    """An event of a frame that breaks a rule. field: of the event, that the rule is about."""

    row: int
    reason: str
    field: str
    detail: str


Judge = Callable[[pl.DataFrame, int], Sequence[Refusal]]
"""Which events of a channel's frame are refused later on, by row; the number is the clock, in epoch milliseconds."""


class Source(Protocol):
    """An adapter: reads one file (or "-" for standard input) in batches of about batch_size lines."""

    def __call__(self, path: str, *, batch_size: int) -> Iterator[EventBatch]: ...


def conform(channel: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Give a frame the columns of the channel's schema: in order, cast, the absent ones null (arrays: empty).

    Raises ValueError where the frame has a column that the schema does not know: that would be silent loss.
    """
    schema = polars_schema(channel)
    unknown = [name for name in frame.columns if name not in schema]
    if unknown:
        raise ValueError(f"the {channel} schema has no field {', '.join(unknown)}")
    present = set(frame.columns)
    columns = []
    for name, dtype in schema.items():
        if name in present:
            column = pl.col(name).cast(dtype)
            if isinstance(dtype, pl.List):
                column = column.fill_null(pl.lit([], dtype=dtype))
        else:
            column = pl.lit([] if isinstance(dtype, pl.List) else None, dtype=dtype).alias(name)
        columns.append(column)
    return frame.select(columns)
