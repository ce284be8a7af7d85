"""Exports tables to DIR/TABLE/day=YYYY-MM-DD/part-0.parquet, days that changed alone.

ClickHouse is asked for a fingerprint of each day first: the rows, and the sum of their hashes, which no order changes.
A day is written where its fingerprint is not that of the manifest, or its file has not the size that was written. The
rows of a file come with their hashes in the same answer, so the manifest holds the fingerprint of what the file
holds, also when rows change meanwhile.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sinks.clickhouse.quoting import identifier
from streams.errors import RihlaError
from streams.export.manifest import Column, Day, Manifest, Table, read, write
from streams.export.tables import DAYS
from streams.whole_file import replacing

ROWS_ASKED: Final = 250_000
"""Rows that one question is for, as far as days allow: it sorts them by day in ClickHouse's memory."""
_DAY: Final = "__day"
_HASH: Final = "__hash"
_LOCK: Final = ".lock"


@dataclass(frozen=True, slots=True)
class Done:
    """What an export did to a table: days and rows written, days removed, days left as they were, rows it has now."""

    table: str
    written: int
    removed: int
    kept: int
    rows_written: int
    rows: int


def export(
    client: Any,
    folder: Path,
    tables: Iterable[str],
    since: date | None = None,
    advance: Callable[[str, int, int], None] = lambda table, done, all_: None,
) -> Iterator[Done]:
    """Bring the folder up to what the client's database holds, table by table.

    since: days before are left as they are, unless the columns of the table have changed. advance: told the table, the
    rows written and the rows to write. The manifest is written after each table.
    Raises RihlaError where another export works on the folder or it holds one of another database, ClickHouse's errors,
    OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        manifest = read(folder, client.database)
        for name in tables:
            done = _table(client, folder, manifest, name, since, advance)
            manifest.exported_at = _now()
            write(folder, manifest)
            yield done


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with open(folder / _LOCK, "wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RihlaError(f"another export works on {folder}", "wait for it, or name another folder") from error
        yield


def _table(
    client: Any,
    folder: Path,
    manifest: Manifest,
    name: str,
    since: date | None,
    advance: Callable[[str, int, int], None],
) -> Done:
    described = client.query(f"DESCRIBE TABLE {identifier(name)}").named_results()
    columns = [Column(row["name"], row["type"], row["comment"]) for row in described]
    known = manifest.tables.get(name)
    if known is None or known.columns != columns:
        known, since = Table(DAYS[name], columns, days=known.days if known else {}), None
        before: Mapping[str, Day] = {}  # every file has the columns of before
    else:
        before = dict(known.days)
    found = _fingerprints(client, name, columns, since)
    changed = {
        day: rows for day, (rows, fingerprint) in found.items() if not _same(folder, before.get(day), rows, fingerprint)
    }
    total, written = sum(changed.values()), 0
    for some in _chunks(changed):
        for day, frame, fingerprint in _days(client, name, columns, some):
            known.days[day] = _file(folder, name, day, frame, fingerprint)
            written += frame.num_rows
            advance(name, written, total)
    gone = [day for day in known.days if day not in found and (since is None or day >= since.isoformat())]
    for day in gone:
        path = folder / known.days.pop(day).file
        path.unlink(missing_ok=True)
        path.parent.rmdir()
    known.days = dict(sorted(known.days.items()))
    known.rows = sum(day.rows for day in known.days.values())
    manifest.tables[name] = known
    return Done(name, len(changed), len(gone), len(known.days) - len(changed), written, known.rows)


def _same(folder: Path, day: Day | None, rows: int, fingerprint: str) -> bool:
    if day is None or (day.rows, day.fingerprint) != (rows, fingerprint):
        return False
    path = folder / day.file
    return path.is_file() and path.stat().st_size == day.bytes


def _row(name: str, columns: list[Column]) -> tuple[str, str, str]:
    """SQL of the day of a row, of its hash (nulls and nested values in it), and of its columns."""
    listed = ", ".join(identifier(column.name) for column in columns)
    moment = f"ifNull({identifier(DAYS[name])}, toDateTime64(0, 3, 'UTC'))"
    return f"toString(toDate({moment}, 'UTC'))", f"sipHash64(tuple({listed}))", listed


def _fingerprints(client: Any, name: str, columns: list[Column], since: date | None) -> dict[str, tuple[int, str]]:
    """Day: its rows and fingerprint, in order of days."""
    day, hashed, _ = _row(name, columns)
    where = f"WHERE {identifier(DAYS[name])} >= toDateTime64('{since.isoformat()} 00:00:00', 3, 'UTC')" if since else ""
    sql = f"SELECT {day} AS d, count(), toString(sum({hashed})) FROM {identifier(name)} {where} GROUP BY d ORDER BY d"
    return {day: (int(rows), fingerprint) for day, rows, fingerprint in client.query(sql).result_rows}


def _chunks(days: Mapping[str, int]) -> Iterator[list[str]]:
    """Days of about ROWS_ASKED rows together, at least one."""
    some: list[str] = []
    rows = 0
    for day, count in days.items():
        if some and rows + count > ROWS_ASKED:
            yield some
            some, rows = [], 0
        some.append(day)
        rows += count
    if some:
        yield some


def _days(client: Any, name: str, columns: list[Column], days: list[str]) -> Iterator[tuple[str, pa.Table, str]]:
    """Each of these days that has rows, its rows in order, and their fingerprint."""
    day, hashed, listed = _row(name, columns)
    sql = (
        f"SELECT {listed}, {day} AS {_DAY}, {hashed} AS {_HASH} FROM {identifier(name)} "
        f"WHERE {_DAY} IN ({', '.join(repr(one) for one in days)}) ORDER BY {_DAY}, {identifier(DAYS[name])}, {_HASH}"
    )
    parts: list[pa.Table] = []
    current = ""
    with client.query_arrow_stream(sql, use_strings=True) as batches:
        for batch in batches:
            table = batch if isinstance(batch, pa.Table) else pa.Table.from_batches([batch])
            for which, rows in _by_day(table):
                if which != current and parts:
                    yield current, *_joined(parts)
                    parts = []
                current = which
                parts.append(rows)
    if parts:
        yield current, *_joined(parts)


def _by_day(table: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """A table in order of days, in pieces of one day each."""
    days = table[_DAY].to_numpy(zero_copy_only=False)
    starts = [0, *(np.flatnonzero(days[1:] != days[:-1]) + 1).tolist(), len(days)] if len(days) else []
    for start, end in pairwise(starts):
        yield str(days[start]), table.slice(start, end - start)


def _joined(parts: list[pa.Table]) -> tuple[pa.Table, str]:
    table = pa.concat_tables(parts)
    fingerprint = int(table[_HASH].to_numpy().astype(np.uint64).sum(dtype=np.uint64))  # wraps as ClickHouse's does
    return table.drop_columns([_DAY, _HASH]), str(fingerprint)


def _file(folder: Path, name: str, day: str, frame: pa.Table, fingerprint: str) -> Day:
    path = folder / name / f"day={day}" / "part-0.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, alone=True) as part:
        pq.write_table(frame, part, compression="zstd")
    return Day(str(path.relative_to(folder)), frame.num_rows, path.stat().st_size, fingerprint, _now())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
