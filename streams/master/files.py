"""Files of master data, CSV or TOML, as records with the lines on which they begin.

A CSV file has the fields as columns; empty cells are fields that are not there. A TOML file has a table for each
record, `[[unit]]`; a JSON Schema (of editors: `#:schema unit.schema.json` on the first line) says what it may hold.
"""

from __future__ import annotations

import csv
import re
import tomllib
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from streams.errors import RihlaError

T = TypeVar("T", bound=msgspec.Struct)

MOST = 20
"""The number of faults reported for one file."""


class MasterError(RihlaError):
    """A file of master data that cannot be used; the message has a line for each fault, with the line of the file."""

    def __init__(self, path: Path, faults: list[str]) -> None:
        more = [f"and {len(faults) - MOST:,} more"] if len(faults) > MOST else []
        super().__init__("\n".join(f"{path}: {fault}" for fault in (*faults[:MOST], *more)))


def read(path: Path, table: str, kind: type[T]) -> list[tuple[int, T]]:
    """The records of a file, each with its line.

    table: name of the tables of a TOML file. kind: of its records.
    Raises MasterError, with all faults of all records; OSError.
    """
    raw = list(_csv(path) if path.suffix.lower() in (".csv", ".tsv") else _toml(path, table))
    records: list[tuple[int, T]] = []
    faults: list[str] = []
    for line, record in raw:
        try:
            records.append((line, msgspec.convert(record, kind, strict=False)))
        except msgspec.ValidationError as error:
            faults.append(f"line {line}: {_words(str(error), record)}")
    if faults:
        raise MasterError(path, faults)
    if not records:
        raise MasterError(path, [f"holds no {table}"])
    return records


def _csv(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.reader(lines, delimiter="\t" if path.suffix.lower() == ".tsv" else ",", strict=True)
        names: list[str] | None = None
        line = 1
        try:
            for cells in reader:
                if names is None:
                    names = [name.strip() for name in cells]
                elif cells:
                    if len(cells) != len(names):
                        raise MasterError(
                            path, [f"line {line}: has {len(cells)} cells, and there are {len(names)} columns"]
                        )
                    yield line, {name: cell.strip() for name, cell in zip(names, cells, strict=True) if cell.strip()}
                line = reader.line_num + 1
        except (csv.Error, UnicodeDecodeError) as error:
            raise MasterError(path, [f"line {line}: is no CSV in UTF-8: {error}"]) from error


def _toml(path: Path, table: str) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        text = path.read_text("utf-8-sig")
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MasterError(path, [f"is no TOML in UTF-8: {error}"]) from error
    records = content.pop(table, [])
    if content or not isinstance(records, list):
        raise MasterError(path, [f"may hold tables [[{table}]] only, and has: {', '.join(content) or f'[{table}]'}"])
    begins = re.compile(rf"\s*\[\[\s*{table}\s*\]\]")
    lines = [number for number, line in enumerate(text.splitlines(), 1) if begins.match(line)]
    for line, record in zip(lines if len(lines) == len(records) else [1] * len(records), records, strict=True):
        if not isinstance(record, dict):
            raise MasterError(path, [f"line {line}: {table} is no table"])
        yield line, {name: _plain(value) for name, value in record.items()}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date | datetime) else value


def _words(message: str, record: dict[str, Any]) -> str:
    """What msgspec says, with the field in front and the value behind."""
    match = re.fullmatch(r"(.*?)(?: - at `\$\.?(.*)`)?", message)
    assert match is not None
    what, name = match[1], match[2]
    if not name:
        return what.replace("Object contains unknown field", "there is no field").replace(
            "Object missing required field", "it lacks the field"
        )
    return f"{name}: {what}: {record.get(name)!r}"
