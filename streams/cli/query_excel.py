"""`rihla query --out FILE.xlsx`: an answer as an Excel sheet, written row by row in constant memory."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import orjson

from streams.errors import RihlaError

ROWS: Final = 1_048_575
"""Rows of a sheet below its header (Microsoft, "Excel specifications and limits"; so are the next two)."""
COLUMNS: Final = 16_384
CHARACTERS: Final = 32_767
"""Characters of a cell."""
_EXACT: Final = 10**15
"""Excel keeps 15 digits of a number: whole numbers from here on are written as text."""
_FIRST: Final = dt.date(1900, 3, 1)
_LAST: Final = dt.date(9999, 12, 31)
"""Days that Excel knows and every reader agrees on (it counts 1900-02-29, which never was); others are text."""
_ZONE = re.compile(r"DateTime(?:64)?\((?:\d+, *)?'([^']+)'\)")
_MOMENT = re.compile(r"(?:Nullable\(|LowCardinality\()*DateTime")
_MISSING: Final = "Excel files need the extra excel"


def headers(names: Sequence[str], types: Sequence[str], server_zone: str) -> list[str]:
    """Titles of columns. Excel's times have no zone, so the title of a column of times names it.

    types: ClickHouse's names. server_zone: that of types without one.
    """

    def zone(kind: str) -> str:
        found = _ZONE.search(kind)
        return f" ({found[1] if found else server_zone})" if _MOMENT.match(kind) else ""

    return [name + zone(kind) for name, kind in zip(names, types, strict=True)]


def cell(value: Any) -> Any:
    """What stands in a cell: a bool, int, float, date, datetime without zone (the column's local time), str or None.

    Excel has nothing else: lists, tuples and maps are JSON; identifiers, and what Excel would round, are text.
    """
    match value:
        case None | bool() | float() | str():
            return value
        case int():
            return value if abs(value) < _EXACT else str(value)
        case Decimal():
            return float(value) if len(value.normalize().as_tuple().digits) <= 15 else str(value)
        case dt.datetime():
            local = value.replace(tzinfo=None)
            return local if _FIRST <= local.date() <= _LAST else local.isoformat(" ")
        case dt.date():
            return value if _FIRST <= value <= _LAST else value.isoformat()
        case bytes():
            return value.decode("utf-8", "backslashreplace")
        case list() | tuple() | dict():
            return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_NAIVE_UTC).decode()
    return str(value)


def write(
    client: Any, sql: str, parameters: Mapping[str, str], path: Path, about: str, advance: Callable[[int], None]
) -> int:
    """Write the answer to `path`, and on a second sheet what was asked. Returns the rows.

    about: what was asked, lines of text. advance: told of rows as they are written.
    Raises RihlaError for what a sheet cannot hold and where XlsxWriter is missing, ClickHouse's errors, OSError.
    """
    try:
        import xlsxwriter
    except ImportError as error:
        raise RihlaError(_MISSING, "pip install 'rihla[excel]'") from error
    options = {"constant_memory": True, "strings_to_formulas": False, "nan_inf_to_errors": True}
    written = 0
    with (
        client.query_row_block_stream(sql, dict(parameters) or None) as blocks,
        xlsxwriter.Workbook(str(path), options) as book,
    ):
        names, types = blocks.source.column_names, [kind.name for kind in blocks.source.column_types]
        if len(names) > COLUMNS:
            raise RihlaError(f"a sheet of Excel holds {COLUMNS:,} columns; the answer has {len(names):,}", _ELSE)
        sheet, notes = book.add_worksheet("answer"), book.add_worksheet("about")
        day, moment = (book.add_format({"num_format": text}) for text in ("yyyy-mm-dd", "yyyy-mm-dd hh:mm:ss.000"))
        bold = book.add_format({"bold": True})
        sheet.freeze_panes(1, 0)
        titles = headers(names, types, str(client.server_tz))
        for at, title in enumerate(titles):
            sheet.set_column(at, at, 24 if _MOMENT.match(types[at]) else min(max(10, len(title) + 2), 40))
            sheet.write_string(0, at, title, bold)
        for block in blocks:
            if written + len(block) > ROWS:
                raise RihlaError(f"a sheet of Excel holds {ROWS:,} rows and its header; the answer has more", _ELSE)
            for row in block:
                written += 1
                for at, value in enumerate(row):
                    _put(sheet, written, at, cell(value), day, moment, names)
            advance(len(block))
        for at, line in enumerate(about.splitlines()):
            notes.write_string(at, 0, line[:CHARACTERS])
    return written


_ELSE: Final = "ask for less (LIMIT, --param), or write .parquet or .csv"


def _put(sheet: Any, row: int, column: int, value: Any, day: Any, moment: Any, names: Sequence[str]) -> None:
    match value:
        case None:
            return
        case str():
            if len(value) > CHARACTERS:
                found = f"row {row:,} has {len(value):,} in {names[column]}"
                raise RihlaError(f"a cell of Excel holds {CHARACTERS:,} characters; {found}", _ELSE)
            sheet.write_string(row, column, value)
        case bool():
            sheet.write_boolean(row, column, value)
        case dt.datetime():
            sheet.write_datetime(row, column, value, moment)
        case dt.date():
            sheet.write_datetime(row, column, value, day)
        case _:
            sheet.write_number(row, column, value)
