"""CSV as systems write it (RFC 4180): quoted cells with line ends in them; each record with its line and octets."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count

from streams.sources.events import SourceError
from streams.sources.files import Found, LongLine, display_name, read_lines

MAX_LINES = 1_000
"""Lines that one record may have. One with more has a quote that nobody closed: its first line is then no record."""

_FORMULA = re.compile(r'^="([^"]*)"$')


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What is no row: where it begins, its octets, the dead letter's reason and detail."""

    line: int
    payload: bytes
    reason: str
    detail: str
    cell: int | None = None
    """Of a record of CSV, the place of the cell at fault, from 0."""


@dataclass(frozen=True, slots=True)
class Record:
    """One row: the line on which it begins, its octets in the file's encoding, its cells."""

    line: int
    payload: bytes
    cells: list[str]


Chunk = tuple[list[str], list[Record], list[Unreadable]]


def delimited(path: str, separator: str, encoding: str, batch_size: int, top: int = 1) -> Iterator[Chunk]:
    """(header, records, what is none) of a file, about batch_size lines at a time. Raises SourceError.

    top: the line with the names of the columns; what stands above it is a title.
    """
    name = display_name(path)
    found = Found()
    splitter = _Splitter(separator, encoding, found)
    header: list[str] | None = None
    for first, lines in read_lines(path, batch_size, found):
        if first < top:
            first, lines = min(top, first + len(lines)), lines[top - first :]
        records, unreadable = splitter.split(first, lines)
        if header is None and (records or unreadable):
            header = _header(name, records, unreadable)
            records = records[1:]
        if header is not None:
            yield header, *_whole(header, records, unreadable)
    records, unreadable = splitter.rest()
    if header is None and not records:
        raise SourceError(f"{name}: the file is empty; a line with the names of its columns was expected")
    if header is None:
        header, records = _header(name, records, unreadable), records[1:]
    yield header, *_whole(header, records, unreadable)


def _header(name: str, records: list[Record], unreadable: list[Unreadable]) -> list[str]:
    if unreadable and (not records or unreadable[0].line < records[0].line):
        raise SourceError(f"{name}: its first line is no line of columns: {unreadable[0].detail}")
    header = [cell.strip() or f"column_{place}" for place, cell in enumerate(records[0].cells, 1)]
    seen: dict[str, None] = {}
    for cell in header:  # reports repeat names: Date, Time, Date, Time
        numbered = (cell if number == 1 else f"{cell} ({number})" for number in count(1))
        seen[next(one for one in numbered if one not in seen)] = None
    return list(seen)


def _whole(
    header: list[str], records: list[Record], unreadable: list[Unreadable]
) -> tuple[list[Record], list[Unreadable]]:
    wide = len(header)
    records = [one if len(one.cells) <= wide else _without_blanks(one, wide) for one in records]
    whole = [one for one in records if len(one.cells) == wide]
    ragged = [
        Unreadable(one.line, one.payload, "undecodable", _ragged(header, one.cells))
        for one in records
        if len(one.cells) != wide
    ]
    named = [one if one.cell is None else replace(one, detail=f"{_column(header, one.cell)}: {one.detail}")
             for one in unreadable]  # fmt: skip
    return whole, sorted([*named, *ragged], key=lambda one: one.line) if ragged else named


def _without_blanks(record: Record, wide: int) -> Record:
    """A record without the empty cells that stand behind its last column: separators at the end of every line."""
    return record if any(cell.strip() for cell in record.cells[wide:]) else replace(record, cells=record.cells[:wide])


def _ragged(header: list[str], cells: list[str]) -> str:
    """What is wrong with a record of too few cells, or too many: which columns have none, or where there is none."""
    said = f"{len(cells)} cells, where the header has {len(header)}: "
    if len(cells) > len(header):
        return f"{said}nothing is named behind column {header[-1]}; is there a separator in a cell without quotes?"
    return f"{said}nothing is there for column {header[len(cells)]} and what follows"


def _no_csv(error: csv.Error) -> str:
    if "new-line" in str(error):
        return "no CSV: a carriage return within a line; where all lines end so, tr '\\r' '\\n' < FILE mends them"
    return f"no CSV: {error}"


def _column(header: list[str], cell: int) -> str:
    return f"column {header[cell]}" if cell < len(header) else f"cell {cell + 1}"


class _Splitter:
    """Lines to records. A record that is not closed at the end of a chunk waits for the next one."""

    def __init__(self, separator: str, encoding: str, found: Found) -> None:
        """found: of the file that is read: where it has a mark, that says the encoding."""
        self._separator, self._said, self._found = separator, encoding, found
        self._first, self._open = 1, list[bytes]()

    def split(self, first: int, lines: list[bytes], last: bool = False) -> tuple[list[Record], list[Unreadable]]:
        if self._open:
            first, lines = self._first, [*self._open, *lines]
            self._open = []
        records: list[Record] = []
        unreadable: list[Unreadable] = []
        texts = [self._decoded(place, line, unreadable) for place, line in enumerate(lines, first)]
        at = 0
        while at < len(texts):
            at = self._some(at, first, lines, texts, records, unreadable, last)
        return records, sorted(unreadable, key=lambda one: one.line)

    @property
    def _encoding(self) -> str:
        return "utf-8" if self._found.marked else self._said

    def rest(self) -> tuple[list[Record], list[Unreadable]]:
        """What was open at the end of the file."""
        return self.split(self._first, [], last=True)

    def _decoded(self, place: int, line: bytes, unreadable: list[Unreadable]) -> str | None:
        if isinstance(line, LongLine):
            unreadable.append(Unreadable(place, line, "too_long", f"the line has {line.total} bytes"))
            return None
        try:
            return line.decode(self._encoding)
        except UnicodeDecodeError as error:
            cell = self._last_cell(line[: error.start].decode(self._encoding, "replace"))
            octet = f"octet {error.start + 1} ({line[error.start]:#04x})"
            detail = f"the line is not {self._encoding.upper()} at {octet}"
            unreadable.append(Unreadable(place, line, "undecodable", detail, cell))
            return None

    def _last_cell(self, text: str) -> int | None:
        """The place of the cell in which a line's beginning ends; None where CSV cannot say."""
        try:
            return max(len(next(csv.reader([text], delimiter=self._separator), [])) - 1, 0)
        except csv.Error:
            return None

    def _some(
        self,
        at: int,
        first: int,
        lines: list[bytes],
        texts: list[str | None],
        records: list[Record],
        unreadable: list[Unreadable],
        last: bool,
    ) -> int:
        """Take records from line `at` on, to the first that is none; where to go on."""
        began, taken, ran_out = at, at, False

        def feed() -> Iterator[str]:
            nonlocal taken, ran_out
            while taken < len(texts) and (text := texts[taken]) is not None:  # what cannot be read ends a record
                taken += 1
                yield text + "\n"
            ran_out = True

        reader = csv.reader(feed(), delimiter=self._separator)
        while True:
            began = taken
            try:
                cells = next(reader)
            except StopIteration:
                return taken + 1  # over the line that could not be read, or the end
            except csv.Error as error:
                unreadable.append(Unreadable(first + began, lines[began], "undecodable", _no_csv(error)))
                return began + 1
            too_many = taken - began > MAX_LINES
            if too_many or ran_out:
                if ran_out and not last and not too_many and taken == len(texts):
                    self._first, self._open = first + began, lines[began:]
                    return len(texts)
                detail = "a quoted cell that begins on this line is not closed"
                cell = self._last_cell(texts[began] or "")
                unreadable.append(Unreadable(first + began, lines[began], "undecodable", detail, cell))
                return began + 1
            if cells and (len(cells) > 1 or cells[0].strip()):
                payload = lines[began] if taken == began + 1 else b"\n".join(lines[began:taken])
                if b'="' in payload:  # ="0012" keeps Excel from making a number of it
                    cells = [_FORMULA.sub(r"\1", cell) for cell in cells]
                records.append(Record(first + began, payload, cells))
