"""A file and a mapping: batches of events, as every source yields them."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.records import CHANNELS, empty
from streams.sources.events import EventBatch
from streams.sources.files import display_name
from streams.sources.mapping.model import Mapping
from streams.sources.mapping.rows import Rows, fixed_columns, format_of, read_rows
from streams.sources.mapping.translate import Translated, Translator

BATCH_ROWS = 10_000


def read(path: str, mapping: Mapping, *, batch_size: int = BATCH_ROWS) -> Iterator[EventBatch]:
    """The events of a file, batch_size rows at a time. Raises MappingError at once; while reading, SourceError for a
    file that is not of its format, or lacks a column that the mapping names."""
    translator = Translator(mapping, display_name(path))
    format_of(path, mapping.read)
    return _batches(display_name(path), translated(path, translator, batch_size))


def translated(path: str, translator: Translator, batch_size: int) -> Iterator[tuple[Rows, Translated]]:
    """Rows, and what came of them."""
    every = fixed_columns(format_of(path, translator.mapping.read))
    looked = False
    for rows in read_rows(path, translator.mapping.read, batch_size, translator.columns):
        if not looked and (every or rows.frame.height):
            translator.need(rows.columns, every=every)
            looked = True
        yield rows, translator.translate(rows)


def _batches(name: str, parts: Iterator[tuple[Rows, Translated]]) -> Iterator[EventBatch]:
    for _, done in parts:
        bad = done.bad
        for channel, frame in done.frames:
            yield EventBatch(channel, frame, bad, name)
            bad = []
        if bad:
            yield EventBatch(CHANNELS[0], empty(CHANNELS[0]), bad)
