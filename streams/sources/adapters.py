"""The formats that events can be read from, by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from streams.sources import hotel_bookings, jsonl
from streams.sources.events import EventBatch, Source, SourceError
from streams.sources.files import require_file

DEFAULT = "jsonl"
_NOT_JSON_LINES = {".csv", ".tsv", ".tab", ".parquet", ".xlsx", ".xls", ".xlsb", ".ods"}


@dataclass(frozen=True, slots=True)
class Adapter:
    """A named format: how it is read, how many lines at a time by default, and a line of help."""

    read: Source
    batch_size: int
    help: str


ADAPTERS: dict[str, Adapter] = {
    DEFAULT: Adapter(jsonl.read, jsonl.BATCH_LINES, "JSON Lines: one interaction a line, with its channel"),
    "hotel-bookings": Adapter(
        hotel_bookings.read, hotel_bookings.BATCH_ROWS, "CSV of hotel bookings (Antonio, Almeida, Nunes 2019)"
    ),
    "hotel-companies": Adapter(
        hotel_bookings.read_companies,
        hotel_bookings.BATCH_ROWS,
        "of the same file the bookings of companies, each company a customer",
    ),
}


def open_source(
    path: str,
    adapter: str | None = None,
    *,
    mapping: str | None = None,
    source: str | None = None,
    batch_size: int | None = None,
) -> Iterator[EventBatch]:
    """The events of a file (or "-", standard input) in the named format, or by a mapping file; else of JSON Lines.

    source: name of the system whose events these JSON Lines are; their ids may then be of any form.

    Raises SourceError, before anything is read, for an unknown name, a file that is not there, or one whose name says
    that it is not JSON Lines while no format was named; MappingError for a mapping that is none; and while reading,
    what the format's reader raises.
    """
    if mapping is not None and adapter is not None:
        raise SourceError("--mapping says how a file is read, and so does --adapter: give one of both")
    if source is not None and (mapping is not None or adapter not in (None, DEFAULT)):
        raise SourceError("--source is for JSON Lines: a mapping and the other formats name theirs themselves")
    if source is not None and not source.strip():
        raise SourceError("--source is empty: it is the name of the system, and part of every event's id")
    if mapping is not None:
        return _mapped(path, mapping, batch_size)
    if adapter is None:
        if not _NOT_JSON_LINES.isdisjoint(suffix.lower() for suffix in Path(path).suffixes):
            raise SourceError(
                f"{path}: this is no file of JSON Lines: it needs --mapping MAPPING.toml (rihla map init {path} "
                f"proposes one), or --adapter, one of: {', '.join(_others())}"
            )
        adapter = DEFAULT
    if adapter not in ADAPTERS:
        raise SourceError(f"there is no adapter {adapter!r}; there are: {', '.join(ADAPTERS)}")
    require_file(path)
    if source is not None:
        return jsonl.read(path, batch_size=batch_size or jsonl.BATCH_LINES, source=source)
    chosen = ADAPTERS[adapter]
    return chosen.read(path, batch_size=batch_size or chosen.batch_size)


def _mapped(path: str, mapping: str, batch_size: int | None) -> Iterator[EventBatch]:
    from streams.sources.mapping.model import load
    from streams.sources.mapping.reader import BATCH_ROWS, read

    require_file(path)
    return read(path, load(mapping), batch_size=batch_size or BATCH_ROWS)


def _others() -> list[str]:
    return [name for name in ADAPTERS if name != DEFAULT]
