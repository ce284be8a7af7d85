"""Rows of files as columns of text, whatever the format: CSV, JSON Lines, a JSON array, Parquet, Excel."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from streams.sources.compressed import ENDINGS as COMPRESSED
from streams.sources.events import SourceError
from streams.sources.files import MAX_LINE_BYTES, STDIN, LongLine, display_name, read_blocks, read_lines
from streams.sources.json_array import items
from streams.sources.mapping.delimited import Record, Unreadable, delimited
from streams.sources.mapping.mail import COLUMNS, letters
from streams.sources.mapping.model import MappingError, Read
from streams.sources.mapping.panics import silent_panics

ENDINGS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".xlsx": "excel",
    ".xls": "excel",
    ".xlsb": "excel",
    ".ods": "excel",
    ".mbox": "mail",
    ".eml": "mail",
}
"""Format by the end of a file's name."""
MAX_COLUMNS = 1_000
"""Of JSON, where nobody says which are wanted."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of a file.

    frame: columns of text, nothing trimmed. lines: where each row begins, from 1: its line, or its number in formats
    without lines. payloads: each row as JSON, by the names of its columns: what a mapping reads again, without the
    file. unreadable: what is no row.
    """

    frame: pl.DataFrame
    lines: Sequence[int]
    payloads: Sequence[bytes]
    unreadable: list[Unreadable] = field(default_factory=list)
    names: Sequence[str] = ()
    """Columns that the rows have, where the frame does not have them all, or more."""
    items: Sequence[int] = ()
    """Of an array, the number of each item, from 1: many may be on one line."""

    @property
    def columns(self) -> Sequence[str]:
        """Names of the columns in the file."""
        return self.names or self.frame.columns


class Lazy(Sequence[bytes]):
    """Octets of rows that are made when they are asked for: few ever are."""

    def __init__(self, size: int, make: Callable[[int], bytes]) -> None:
        self._size, self._make = size, make

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, row: Any) -> Any:
        return self._make(range(self._size)[row])


def _payloads(header: Sequence[str], records: Sequence[Record]) -> Lazy:
    return Lazy(len(records), lambda row: orjson.dumps(dict(zip(header, records[row].cells, strict=True))))


def format_of(path: str, read: Read) -> str:
    """The format of a file. Raises SourceError where nothing says it."""
    if read.format is not None:
        return read.format
    suffixes = [suffix.lower() for suffix in Path(path).suffixes if suffix.lower() not in COMPRESSED]
    if suffixes and suffixes[-1] in ENDINGS:
        return ENDINGS[suffixes[-1]]
    raise SourceError(f"{display_name(path)}: its name does not say its format: say it in the mapping, read.format")


def fixed_columns(form: str) -> bool:
    """Whether every row of a format has the same columns, so that one that is not there is missing."""
    return form not in ("jsonl", "json")


def read_rows(path: str, read: Read, batch_size: int, wanted: Collection[str] | None = None) -> Iterator[Rows]:
    """The rows of a file, batch_size at a time. Raises SourceError where it is not of its format.

    wanted: columns that are needed; all without it. Of JSON no others are in the frames, and these always are.
    """
    form = format_of(path, read)
    if path == STDIN and form in ("parquet", "excel", "mail"):
        raise SourceError(f"<stdin>: {form} is read from a file, not from standard input")
    if form in ("csv", "tsv"):
        separator = "\t" if form == "tsv" else read.separator or ","
        for header, records, unreadable in delimited(path, separator, read.encoding, batch_size, read.header):
            columns = list(zip(*(record.cells for record in records), strict=True)) or [()] * len(header)
            frame = pl.DataFrame(dict(zip(header, columns, strict=True)), schema=dict.fromkeys(header, pl.String))
            yield Rows(frame, [one.line for one in records], _payloads(header, records), unreadable)
    elif form == "jsonl":
        yield from _json_lines(path, read, wanted, batch_size)
    elif form == "json":
        yield from _json_array(path, read, wanted, batch_size)
    elif form == "parquet":
        yield from _parquet(path, batch_size)
    elif form == "mail":
        yield from _mail(path, batch_size)
    else:
        yield from _excel(path, read.sheet, read.header, batch_size)


def _json_lines(path: str, read: Read, wanted: Collection[str] | None, batch_size: int) -> Iterator[Rows]:
    seen = False
    for first, lines in read_lines(path, batch_size):
        objects = _Objects(wanted, read)
        for place, line in enumerate(lines, first):
            if isinstance(line, LongLine):
                objects.refuse(place, line, f"the line has {line.total} bytes", "too_long")
            elif line.strip():
                try:
                    objects.take(place, line, _loads(line))
                except json.JSONDecodeError as error:
                    objects.refuse(place, line, not_json(error))
        if not seen and not objects.lines and objects.unreadable:
            raise SourceError(
                f"{display_name(path)}: these are no JSON Lines: none of the first {len(objects.unreadable):,} lines "
                f"is a JSON object ({objects.unreadable[0].detail})"
            )
        seen = True
        yield objects.rows()


def _json_array(path: str, read: Read, wanted: Collection[str] | None, batch_size: int) -> Iterator[Rows]:
    found, broken = items(read_blocks(path), display_name(path)), list[SourceError]()
    numbered = enumerate(_until(found, broken), 1)
    while chunk := list(islice(numbered, batch_size)):
        objects = _Objects(wanted, read)
        for number, (line, one) in chunk:
            try:
                payload = json.dumps(one, ensure_ascii=False).encode()
            except (UnicodeEncodeError, RecursionError) as error:  # half of a surrogate pair
                objects.refuse(line, b"", f"item {number} cannot be kept: {type(error).__name__}")
            else:
                objects.take(line, payload, one, number)
        yield objects.rows()
    if broken:
        raise broken[0]


def _until(numbered: Iterator[tuple[int, Any]], broken: list[SourceError]) -> Iterator[tuple[int, Any]]:
    """Items up to the place where a file breaks; what is wrong there goes to `broken`."""
    try:
        yield from numbered
    except SourceError as error:
        broken.append(error)


def _loads(payload: bytes) -> Any:
    """What JSON says. Raises json.JSONDecodeError, of which orjson's is a kind.

    By the slower reader where the faster one has no exact answer: whole numbers beyond 64 bits, and NaN, which no JSON
    has, but some writers.
    """
    if not _LARGE.search(payload):
        try:
            return orjson.loads(payload)
        except orjson.JSONDecodeError:
            if b"NaN" not in payload and b"Infinity" not in payload:
                raise
    try:
        return json.loads(payload)
    except (UnicodeDecodeError, RecursionError, ValueError) as error:
        if isinstance(error, json.JSONDecodeError):
            raise
        raise json.JSONDecodeError(str(error), "", 0) from None


def not_json(error: json.JSONDecodeError) -> str:
    """What is wrong with a line that is no JSON, and where in it."""
    return f"not JSON at column {error.colno}: {error.msg}"


def rows_of_objects(payloads: Iterable[bytes], wanted: Collection[str], read: Read) -> Rows:
    """Rows of JSON objects, each by itself, in the order given; numbered from 1."""
    objects = _Objects(wanted, read)
    for number, payload in enumerate(payloads, 1):
        try:
            objects.take(number, payload, _loads(payload))
        except json.JSONDecodeError as error:
            objects.refuse(number, payload, not_json(error))
    return objects.rows()


_LARGE = re.compile(rb"[0-9]{19}")


class _Objects:
    """JSON objects to columns: those that are wanted, or the first MAX_COLUMNS, so that no file makes millions."""

    def __init__(self, wanted: Collection[str] | None, read: Read) -> None:
        self._each = read.each.split(".") if read.each else []
        self._pairs = read.pairs
        self.lines: list[int] = []
        self.unreadable: list[Unreadable] = []
        self._wanted = wanted
        self._payloads: list[bytes] = []
        self._flat: list[dict[str, str | None]] = []
        self._names: dict[str, None] = {}
        self._items: list[int] = []

    def refuse(self, line: int, payload: bytes, detail: str, reason: str = "undecodable") -> None:
        self.unreadable.append(Unreadable(line, payload[:MAX_LINE_BYTES], reason, detail))

    def take(self, line: int, payload: bytes, one: Any, item: int | None = None) -> None:
        which = "" if item is None else f"item {item}: "
        if not isinstance(one, dict):
            return self.refuse(line, payload, f"{which}not a JSON object")
        for row in _each(one, self._each):
            self._take(line, payload, _paired(row, self._pairs), item, which)
        return None

    def _take(self, line: int, payload: bytes, one: dict[str, Any], item: int | None, which: str) -> None:
        try:
            flat = _flat(one)
        except RecursionError:
            return self.refuse(line, payload, f"{which}nested too deeply")
        if item is not None:
            self._items.append(item)
        if len(self._names) < MAX_COLUMNS:
            self._names |= dict.fromkeys(flat)
        if self._wanted is not None:
            flat = {name: flat[name] if name in flat else _inside(one, name) for name in self._wanted}
        self._flat.append(flat)
        self.lines.append(line)
        self._payloads.append(payload)
        return None

    def rows(self) -> Rows:
        names = list(self._names)[:MAX_COLUMNS] if self._wanted is None else [*self._wanted]
        data = {name: [one.get(name) for one in self._flat] for name in names}
        frame = pl.DataFrame(data or {"": [None] * len(self._flat)}, schema=dict.fromkeys(names or [""], pl.String))
        return Rows(frame, self.lines, self._payloads, self.unreadable, list(self._names)[:MAX_COLUMNS], self._items)


def _parquet(path: str, batch_size: int) -> Iterator[Rows]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    first = 1
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size):
                with silent_panics():
                    frame = pl.from_arrow(pa.Table.from_batches([batch]))
                    assert isinstance(frame, pl.DataFrame)
                    rows = _typed(frame, first)
                yield rows
                first += frame.height
    except (pa.ArrowException, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise SourceError(f"{path}: this is no Parquet file: {str(error).splitlines()[0]}") from None
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror or error}") from None


def _mail(path: str, batch_size: int) -> Iterator[Rows]:
    numbered = letters(path, display_name(path))
    while chunk := list(islice(numbered, batch_size)):
        frame = pl.DataFrame([row for _, row in chunk], schema=dict.fromkeys(COLUMNS, pl.String))
        payloads = [orjson.dumps(row) for _, row in chunk]
        yield Rows(frame, [number for number, _ in chunk], payloads)


def _excel(path: str, sheet: str | None, header: int, batch_size: int) -> Iterator[Rows]:
    try:
        import fastexcel
    except ImportError:
        raise MappingError("Excel files need the extra: pip install 'rihla[excel]'") from None
    try:
        book = fastexcel.read_excel(path)
        if sheet is not None and sheet not in book.sheet_names:
            raise SourceError(f"{path}: there is no sheet {sheet!r}; there are: {', '.join(book.sheet_names)}")
        chosen = 0 if sheet is None else sheet
        frame = book.load_sheet(chosen, header_row=header - 1, dtypes="string").to_polars()
    except fastexcel.FastExcelError as error:
        raise SourceError(f"{path}: this is no Excel file: {str(error).splitlines()[0]}") from None
    for first in range(0, frame.height, batch_size):
        yield _typed(frame[first : first + batch_size], first + header + 1)


def _typed(frame: pl.DataFrame, first: int) -> Rows:
    """Rows of typed columns. Times become ISO 8601, with Z where the column has a zone; lists become JSON."""
    while structs := [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.Struct)]:
        for name in structs:
            inner = [f"{name}.{one.name}" for one in frame.schema[name].fields]  # type: ignore[attr-defined]
            frame = frame.with_columns(pl.col(name).struct.rename_fields(inner)).unnest(name)
    texts = frame.select(_text(name, dtype) for name, dtype in frame.schema.items())
    payloads = Lazy(texts.height, lambda row: orjson.dumps(texts.row(row, named=True)))
    return Rows(texts, range(first, first + frame.height), payloads)


def _text(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if isinstance(dtype, pl.Datetime):
        if dtype.time_zone is not None:
            return column.dt.convert_time_zone("UTC").dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
        return column.dt.strftime("%Y-%m-%dT%H:%M:%S%.3f")
    if isinstance(dtype, pl.List | pl.Array):
        return column.map_elements(lambda cell: json.dumps(cell.to_list(), default=str), pl.String)
    if dtype == pl.Binary:
        return column.bin.encode("hex")
    if dtype.is_nested():
        return column.map_elements(lambda cell: json.dumps(cell, default=str), pl.String)
    return column.cast(pl.String)


def _each(one: Any, path: Sequence[str]) -> Iterator[Any]:
    """An object once for every item of the array at a path, with the item in the array's place."""
    if isinstance(one, list):
        for item in one:
            yield from _each(item, path)
    elif not path:
        yield one
    elif isinstance(one, dict):
        for inner in _each(one.get(path[0]), path[1:]):
            yield {**one, path[0]: inner}


def _paired(one: dict[str, Any], pairs: Mapping[str, tuple[str, str | tuple[str, ...]]]) -> dict[str, Any]:
    """An object in which arrays of names and values are objects; of a name that stands twice, the first counts."""
    for path, (name, value) in pairs.items():
        values = (value,) if isinstance(value, str) else value
        parent, _, last = path.rpartition(".")
        holder = _member(one, parent) if parent else one
        found = holder.get(last) if isinstance(holder, dict) else None
        if isinstance(found, list):
            made: dict[str, Any] = {}
            for each in found:
                if isinstance(said := _member(each, name), str | int):
                    some = (_member(each, path) for path in values)
                    made.setdefault(str(said), next((cell for cell in some if cell is not None), None))
            holder[last] = made
    return one


def _member(one: Any, path: str) -> Any:
    """What stands at a path of names with dots between them; None where nothing does."""
    for part in path.split("."):
        one = one.get(part) if isinstance(one, dict) else None
    return one


def _inside(one: dict[str, Any], name: str) -> str | None:
    """What a name with dots names that is no plain member of members: an object, as JSON, or a part of an array, by its
    place from 0 (travelers.0.contact); None where there is nothing."""
    found: Any = one
    for part in name.split("."):
        if isinstance(found, list) and part.isdecimal() and len(part) < 6:
            found = found[int(part)] if int(part) < len(found) else None
        else:
            found = found.get(part) if isinstance(found, dict) else None
    return found if found is None or isinstance(found, str) else json.dumps(found, ensure_ascii=False)


def _flat(one: dict[str, Any], before: str = "") -> dict[str, str | None]:
    """Members as text, those of members by dots; arrays as JSON."""
    found: dict[str, str | None] = {}
    pending: list[tuple[str, Iterable[tuple[str, Any]]]] = [(before, one.items())]
    while pending:
        before, members = pending.pop()
        for name, value in members:
            if isinstance(value, dict):
                pending.append((f"{before}{name}.", value.items()))
            elif value is None or isinstance(value, str):
                found[before + name] = value
            else:
                found[before + name] = json.dumps(value, ensure_ascii=False)
    return found
