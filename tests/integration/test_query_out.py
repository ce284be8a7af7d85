"""`rihla query --out` on the real engine: a whole file, or none."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from streams.cli import main
from tests.support.clickhouse import ClickHouse


def test_a_file_is_whole_or_as_it_was(
    clickhouse: ClickHouse, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "numbers.parquet"
    where = ["--clickhouse", clickhouse.url, "--database", clickhouse.database]
    assert main.main(["query", "SELECT number FROM numbers(300000)", *where, "--out", str(file)]) == 0
    assert pl.read_parquet(file)["number"].sum() == 299999 * 300000 // 2
    assert f"{file}: {file.stat().st_size:,} bytes" in capsys.readouterr().err
    for fmt in ("CSV", "Parquet"):  # it fails after rows were sent
        sql = "SELECT number, throwIf(number = 3000000, 'broken off') FROM numbers(5000000) SETTINGS max_threads = 1"
        assert main.main(["query", sql, *where, "--format", fmt, "--out", str(file)]) == 1
        assert "numbers.parquet" not in capsys.readouterr().err
    assert pl.read_parquet(file).height == 300000
    assert list(tmp_path.iterdir()) == [file]
    assert main.main(["query", "SELECT 1", *where, "--out", str(tmp_path / "a.txt")]) == 2
    assert "a.txt ends in none of .parquet, .csv" in capsys.readouterr().err
    assert main.main(["query", "SELECT 1", *where, "--out", str(tmp_path / "none/a.csv")]) == 1
    assert "Traceback" not in capsys.readouterr().err
