"""`rihla query --out x.xlsx` on the real engine, read back by calamine (Polars' reader), which is not what wrote it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from streams.cli import main, query_excel
from tests.support.clickhouse import ClickHouse

_TYPES = """
SELECT toDateTime64('2026-03-01 12:30:00.250', 3, 'UTC') AS utc,
    toTimeZone(toDateTime64('2026-03-01 12:30:00', 3, 'UTC'), 'Asia/Riyadh') AS riyadh,
    CAST(if(number = 1, NULL, toDateTime('2026-03-01 06:00:00', 'UTC')) AS Nullable(DateTime('UTC'))) AS sometimes,
    toDate('2026-03-01') AS day, toDate32('1899-05-01') AS old, number = 1 AS yes, toUInt64(9007199254740993) AS big,
    toDecimal64(12.34, 2) AS money, map('SAR', 5) AS spend, [1, 2] AS list, '=1+1' AS formula,
    CAST('a', 'Enum8(\\'a\\' = 1)') AS kind,
    toUUID('00000000-0000-0000-0000-000000000007') AS id, -0.5 AS score, 'الرياض' AS city
FROM numbers(2)
"""


def test_types_as_another_reader_sees_them(
    clickhouse: ClickHouse, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "types.xlsx"
    where = ["--clickhouse", clickhouse.url, "--database", clickhouse.database]
    assert main.main(["query", _TYPES, *where, "--out", str(file)]) == 0
    assert f"{file}: 2 rows" in capsys.readouterr().err
    first, second = pl.read_excel(file, sheet_name="answer").rows(named=True)
    assert first == {
        "utc (UTC)": dt.datetime(2026, 3, 1, 12, 30, 0, 250_000),
        "riyadh (Asia/Riyadh)": dt.datetime(2026, 3, 1, 15, 30),
        "sometimes (UTC)": dt.datetime(2026, 3, 1, 6),
        "day": dt.date(2026, 3, 1),
        "old": "1899-05-01",
        "yes": 0,
        "big": "9007199254740993",
        "money": 12.34,
        "spend": '{"SAR":5}',
        "list": "[1,2]",
        "formula": "=1+1",
        "kind": "a",
        "id": "00000000-0000-0000-0000-000000000007",
        "score": -0.5,
        "city": "الرياض",
    }
    assert (second["sometimes (UTC)"], second["yes"]) == (None, 1)
    assert "toUUID(" in "".join(pl.read_excel(file, sheet_name="about", has_header=False).to_series())


def test_what_a_sheet_cannot_hold_is_refused_with_a_sentence(
    clickhouse: ClickHouse, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    where = ["--clickhouse", clickhouse.url, "--database", clickhouse.database, "--out", str(tmp_path / "a.xlsx")]
    assert query_excel.ROWS == 2**20 - 1
    monkeypatch.setattr(query_excel, "ROWS", 1000)
    assert main.main(["query", "SELECT number FROM numbers(1000)", *where]) == 0
    before = (tmp_path / "a.xlsx").read_bytes()
    for sql, sentence in (
        ("SELECT number FROM numbers(1001)", "a sheet of Excel holds 1,000 rows and its header; the answer has more"),
        ("SELECT repeat('x', 32768) AS long", "a cell of Excel holds 32,767 characters; row 1 has 32,768 in long"),
        (
            "SELECT number, throwIf(number = 900, 'broken off') FROM numbers(1000) SETTINGS max_block_size = 100",
            "broken",
        ),
        ("SELECT nothing", "nothing"),
    ):
        capsys.readouterr()
        assert main.main(["query", sql, *where]) == 1, sql
        said = capsys.readouterr().err
        assert sentence in said
        assert "Traceback" not in said
    assert (tmp_path / "a.xlsx").read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["a.xlsx"]
