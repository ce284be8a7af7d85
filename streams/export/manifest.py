"""DIR/manifest.json: what an export holds, and by what it is known whether a day has changed."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from streams.errors import RihlaError
from streams.whole_file import replacing

NAME: Final = "manifest.json"
_VERSION: Final = 1


class Column(msgspec.Struct, frozen=True):
    """A column as ClickHouse describes it."""

    name: str
    type: str
    comment: str


class Day(msgspec.Struct, frozen=True):
    """A file. file: from the export's folder. fingerprint: sum of SipHash-64 of its rows, modulo 2^64, in decimal."""

    file: str
    rows: int
    bytes: int
    fingerprint: str
    written_at: str


class Table(msgspec.Struct):
    """A table. day_of: the column whose day, UTC, files are named by. rows: of all its days."""

    day_of: str
    columns: list[Column]
    rows: int = 0
    days: dict[str, Day] = {}


class Manifest(msgspec.Struct):
    """An export. database: what was read; a folder holds that of one database alone, so that roles do not mix."""

    database: str
    version: int = _VERSION
    exported_at: str = ""
    tables: dict[str, Table] = {}


def read(folder: Path, database: str) -> Manifest:
    """The manifest of a folder, a new one where there is none.

    Raises RihlaError for one of another database or version, or that cannot be read, OSError.
    """
    path = folder / NAME
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        return Manifest(database)
    except msgspec.DecodeError as error:
        raise RihlaError(f"{path} is no manifest of an export: {error}", "name another folder with --out") from error
    if (found.database, found.version) != (database, _VERSION):
        was = f"of {found.database}, version {found.version}"
        raise RihlaError(f"{folder} holds an export {was}; this one is of {database}", "name another folder with --out")
    return found


def write(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, whole or not at all. Raises OSError."""
    with replacing(folder / NAME, alone=True) as part:
        part.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1))
