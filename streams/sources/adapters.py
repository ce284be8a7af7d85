"""The formats that events can be read from, by name: ours, and those of installed packages.

A package adds one by an entry point of the group `rihla.sources`, whose name is the format's and which is an `Adapter`
(docs/ways-in.md has an example). Nobody's takes the place of ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

from streams.sources import hotel_bookings, jsonl
from streams.sources.events import EventBatch, Source, SourceError
from streams.sources.files import require_file

DEFAULT = "jsonl"
GROUP = "rihla.sources"
"""Of entry points."""
_NOT_JSON_LINES = {".csv", ".tsv", ".tab", ".parquet", ".xlsx", ".xls", ".xlsb", ".ods", ".mbox", ".eml"}


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
    chosen = ADAPTERS.get(adapter) or _installed(adapter)
    require_file(path)
    if source is not None:
        return jsonl.read(path, batch_size=batch_size or jsonl.BATCH_LINES, source=source)
    return chosen.read(path, batch_size=batch_size or chosen.batch_size)


def _installed(name: str) -> Adapter:
    """The adapter of that name of an installed package. Raises SourceError."""
    found = entry_points(group=GROUP)
    if name not in found.names:
        raise SourceError(f"there is no adapter {name!r}; there are: {', '.join([*ADAPTERS, *sorted(found.names)])}")
    try:
        adapter = found[name].load()
    except Exception as error:  # a package of somebody else's may raise anything
        raise SourceError(f"the adapter {name!r} of {found[name].value} cannot be loaded: {error}") from error
    if not isinstance(adapter, Adapter):
        raise SourceError(f"the adapter {name!r}: {found[name].value} is no streams.sources.adapters.Adapter")
    return adapter


def _mapped(path: str, mapping: str, batch_size: int | None) -> Iterator[EventBatch]:
    from streams.sources.mapping.model import load
    from streams.sources.mapping.reader import BATCH_ROWS, read

    require_file(path)
    return read(path, load(mapping), batch_size=batch_size or BATCH_ROWS)


def _others() -> list[str]:
    return [*(name for name in ADAPTERS if name != DEFAULT), *sorted(entry_points(group=GROUP).names)]
