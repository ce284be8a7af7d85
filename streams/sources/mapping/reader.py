"""A file and a mapping: batches of events, as every source yields them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from schemas.records import CHANNELS, empty
from streams.sources.events import EventBatch, SourceError
from streams.sources.files import display_name
from streams.sources.mapping.model import Mapping
from streams.sources.mapping.rows import Lazy, Rows, fixed_columns, format_of, read_rows
from streams.sources.mapping.translate import Translated, Translator

BATCH_ROWS = 10_000
WRONG_FILE = 100
"""Rows at the beginning of a file of which none becomes an event: the mapping is not of that file."""


def read(path: str, mapping: Mapping, *, batch_size: int = BATCH_ROWS) -> Iterator[EventBatch]:
    """The events of a file, batch_size rows at a time. Raises MappingError at once; while reading, SourceError for a
    file that is not of its format, or lacks a column that the mapping names."""
    translator = Translator(mapping, display_name(path))
    format_of(path, mapping.read)
    return _batches(display_name(path), translator, translated(path, translator, batch_size))


def translated(path: str, translator: Translator, batch_size: int) -> Iterator[tuple[Rows, Translated]]:
    """Rows, each batch with its translation."""
    every = fixed_columns(format_of(path, translator.mapping.read))
    looked = False
    for rows in read_rows(path, translator.mapping.read, batch_size, translator.columns):
        if not looked and (every or rows.frame.height):
            translator.need(rows.columns, every=every)
            looked = True
        yield rows, translator.translate(rows)


def _batches(name: str, translator: Translator, parts: Iterator[tuple[Rows, Translated]]) -> Iterator[EventBatch]:
    looked = False
    for rows, done in parts:
        if not looked and (done.frames or done.bad):
            _require_some(name, done)
            looked = True
        yield from batches_of(name, translator, rows, done)


def batches_of(name: str, translator: Translator, rows: Rows, done: Translated) -> Iterator[EventBatch]:
    """The batches of translated rows, as a source yields them. name: of the file."""
    bad, kept, shown = done.bad, done.kept, translator.shown(rows)
    for channel, frame in done.frames:
        at = done.rows[channel]
        lines = [rows.lines[row] for row in at]
        payloads = Lazy(len(at), lambda event, at=at: shown[at[event]])  # type: ignore[misc]
        yield EventBatch(channel, frame, bad, name, lines, payloads, kept, translator.names)
        bad, kept = [], Counter()
    if bad or kept:
        yield EventBatch(CHANNELS[0], empty(CHANNELS[0]), bad, unread=kept)


def _require_some(name: str, done: Translated) -> None:
    """Raises SourceError where a file begins with many rows of which none becomes an event: one sentence for all."""
    if not done.frames and len(done.bad) >= WRONG_FILE:
        first = done.bad[0]
        raise SourceError(
            f"{name}: none of the first {len(done.bad):,} rows becomes an event (line {first.line}: {first.detail}); "
            "nothing of it was sent. rihla map check says what is wrong, column by column"
        )
