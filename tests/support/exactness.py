"""One input, many ways: the tables that `rihla run` leaves, in a form to compare, and the simulator's truth."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl

from tests.support.stored import answers
from tests.support.waiting import HUNG

VIEWS = ("interactions", "journeys", "customers", "cases", "identities")
"""The exact views that are functions of the set of events."""

INSTRUMENTS = ("nps", "csat", "ces", "stars")
DIGITS = 6

Row = dict[str, Any]


def rihla(*arguments: str, timeout: float = HUNG, status: int = 0) -> bytes:
    """Standard output of one `rihla` command, which must end with an exit status: that of success."""
    done = subprocess.run(
        [sys.executable, "-m", "streams.cli", *arguments], capture_output=True, timeout=timeout, check=False
    )
    assert done.returncode == status, (
        f"rihla {' '.join(arguments)}: exit {done.returncode}\n{done.stderr.decode()[-4000:]}"
    )
    return done.stdout


def tables(data: Path) -> dict[str, list[Row]]:
    """The rows of every exact view of a data folder; times are epoch milliseconds, floats rounded."""
    found = answers(data, *(f"SELECT * FROM {view}" for view in VIEWS))
    return {view: sorted_rows(frame) for view, frame in zip(VIEWS, found, strict=True)}


def view_rows(data: Path, sql: str) -> list[Row]:
    """The rows that `sql` gives, sorted by all that they say."""
    (frame,) = answers(data, sql)
    return sorted_rows(frame)


def sorted_rows(frame: pl.DataFrame) -> list[Row]:
    """Rows sorted by all that they say; times are epoch milliseconds, floats rounded."""
    times = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.Datetime)]
    rows = frame.with_columns(pl.col(times).dt.epoch("ms")).to_dicts()
    return sorted((plain(row) for row in rows), key=line)


def plain(value: Any) -> Any:
    """The value with floats rounded and everything in JSON's types."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return round(value, DIGITS) + 0.0
    return value.isoformat() if hasattr(value, "isoformat") else value


def line(row: Row) -> str:
    """One row as a text by which rows are compared and sorted."""
    return json.dumps(row, sort_keys=True, ensure_ascii=False)


def fingerprints(found: dict[str, list[Row]]) -> dict[str, str]:
    """SHA-256 of each table's sorted rows."""
    return {view: hashlib.sha256("\n".join(map(line, rows)).encode()).hexdigest() for view, rows in found.items()}


def shuffled(events: Path, out: Path, seed: int) -> Path:
    """The lines of a file in another order: as they are (seed 0), backwards (1), else shuffled."""
    with gzip.open(events, "rb") if events.suffix == ".gz" else events.open("rb") as file:
        lines = file.readlines()
    if seed == 1:
        lines.reverse()
    elif seed > 1:
        random.Random(seed).shuffle(lines)
    out.write_bytes(b"".join(lines))
    return out


def against_truth(found: dict[str, list[Row]], truth: Path) -> dict[str, list[str]]:
    """Per record of the simulator's truth: the rows that only one side has, marked with - (truth) and + (tables)."""
    records = [json.loads(text) for text in truth.open("rb")]
    refs = {row["journey_id"]: row["booking_ref"] for row in found["journeys"]}
    customers = [
        row | {"identifiers": _names(one for one in row["identifiers"] if one["kind"] != "booking_ref")}
        for row in found["customers"]
    ]
    journeys = found["journeys"]
    cases = [row | {"booking_ref": refs.get(row["journey_id"])} for row in found["cases"]]
    shared = [
        {"kind": row["kind"], "value": row["value"], "shared": True} for row in found["identities"] if row["shared"]
    ]
    sides = {"customer": customers, "journey": journeys, "case": cases, "shared": shared}
    return {kind: _differences(records, kind, rows) for kind, rows in sides.items()}


def _names(identifiers: Iterable[Row]) -> list[str]:
    return sorted(f"{one['kind']}:{one['value']}" for one in identifiers)


def _differences(records: list[Row], kind: str, rows: list[Row]) -> list[str]:
    expected = [{key: value for key, value in record.items() if key != "record"} for record in records
                if record["record"] == kind]  # fmt: skip
    if not expected:
        return [f"+ {line(row)}" for row in rows]
    if kind == "customer":
        expected = [row | {"identifiers": _names(row["identifiers"])} for row in expected]
    for row in expected:
        row.update({name: float(row[name]) for name in INSTRUMENTS if row.get(name) is not None})
    columns = list(expected[0])
    want = {line(plain(row)) for row in expected}
    have = [line({column: row[column] for column in columns}) for row in rows]
    twice = [f"+ twice: {text}" for text in set(have) if have.count(text) > 1] if len(set(have)) < len(have) else []
    return [*(f"- {text}" for text in want - {*have}), *(f"+ {text}" for text in {*have} - want), *twice]
