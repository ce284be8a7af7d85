"""Reads lines of files again that became dead letters: as JSON Lines, or by a mapping that was mended since."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import polars as pl

from streams.model.dead_letter import FILE, is_cut, is_masked, shows
from streams.sources.events import EventBatch, SourceError
from streams.sources.jsonl import parse
from streams.sources.mapping.model import Mapping
from streams.sources.mapping.reader import batches_of
from streams.sources.mapping.rows import read_rows, rows_of_objects
from streams.sources.mapping.translate import Translator

ROWS_AT_ONCE = 10_000
HIDDEN = "masked or cut, and its file is not there any more, or has another row on that line"
"""Fate of a letter that does not hold all of its row."""


class OwnLines:
    """Lines that are events of Rihla's own form."""

    def whole(self, letters: pl.DataFrame) -> tuple[pl.DataFrame, int]:
        """The letters of a file, with what they have not of their lines, and how many have less and were left out."""
        return letters, 0

    def readable(self, lines: Sequence[bytes]) -> list[int]:
        """Positions of the refused lines that can be read as events now."""
        bad = {line.line for batch in parse([(0, lines)], FILE) for line in batch.bad}
        return [at for at, line in enumerate(lines) if at not in bad and line.strip()]

    def events(self, lines: Sequence[bytes]) -> list[EventBatch]:
        """The events of lines that are `readable`."""
        return [replace(batch, bad=[]) for batch in parse([(0, lines)], FILE) if batch.frame.height]


class MappedLines:
    """Rows that a mapping turns into events. A row that its letter holds only in part is read from the file again."""

    def __init__(self, mapping: Mapping) -> None:
        """Raises MappingError for what no row could be read with."""
        self._mapping = mapping
        self._translator = Translator(mapping, FILE)

    def whole(self, letters: pl.DataFrame) -> tuple[pl.DataFrame, int]:
        """See OwnLines.whole."""
        details = letters["detail"].to_list()
        wanted = {
            line: row
            for row, line in enumerate(letters["offset"].to_list())
            if is_masked(details[row]) or is_cut(details[row])
        }
        if not wanted:
            return letters, 0
        payloads = letters["payload"].to_list()
        missing = set(wanted.values())
        for line, row_of_file in self._rows(letters["topic"][0].removeprefix(FILE), set(wanted)):
            row = wanted[line]
            if shows(details[row], (None, payloads[row]), (None, row_of_file)):
                payloads[row] = row_of_file
                missing.discard(row)
        found = letters.with_columns(pl.Series("payload", payloads, dtype=pl.Binary))
        return found[[row for row in range(letters.height) if row not in missing]], len(missing)

    def _rows(self, path: str, lines: set[int]) -> Iterator[tuple[int, bytes]]:
        """(line, row as JSON) of those lines of a file, if it can be read."""
        try:
            for rows in read_rows(path, self._mapping.read, ROWS_AT_ONCE):
                for row, line in enumerate(rows.lines):
                    if line in lines:
                        yield line, rows.payloads[row]
        except SourceError:
            return

    def readable(self, lines: Sequence[bytes]) -> list[int]:
        """See OwnLines.readable."""
        rows = rows_of_objects(lines, self._translator.columns, self._mapping.read)
        done = self._translator.translate(rows)
        bad = {line.line for line in done.bad}
        good = {rows.lines[row] for some in done.rows.values() for row in some} - bad
        return [line - 1 for line in sorted(good)]

    def events(self, lines: Sequence[bytes]) -> list[EventBatch]:
        """See OwnLines.events."""
        rows = rows_of_objects(lines, self._translator.columns, self._mapping.read)
        return list(batches_of(FILE, self._translator, rows, self._translator.translate(rows)))


Lines = OwnLines | MappedLines
