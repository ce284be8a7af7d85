"""`rihla export` on the real engine, read by DuckDB and Polars: changed days alone, whole files, an analyst's view."""

from __future__ import annotations

from pathlib import Path

import duckdb
import msgspec
import polars as pl
import pyarrow.parquet as pq
import pytest

from sinks.clickhouse.roles import make_views
from streams.cli import main
from streams.embedded.clickhouse.database import of_engine
from streams.export import manifest, nightly
from tests.support.clickhouse import ClickHouse
from tests.support.sink_rows import DAY, NOON, frame, interaction, journey


@pytest.fixture
def stored(clickhouse: ClickHouse) -> ClickHouse:
    """Ten days with an interaction and a journey each, and a customer's text."""
    clickhouse.migrated()
    events = [interaction(f"customer:{at % 3}", NOON + at * DAY, score=at / 10, text="secret") for at in range(10)]
    clickhouse.write("interactions", frame("interaction", *events))
    trips = [journey("C1", f"B{at}", NOON + at * DAY, NOON + at * DAY, booked_at=NOON) for at in range(10)]
    clickhouse.write("journeys", frame("journey", *trips))
    return clickhouse


def export(stored: ClickHouse, folder: Path, *more: str) -> int:
    where = ["--clickhouse", stored.url, "--database", stored.database, "--out", str(folder)]
    return main.main(["export", *where, *more])


def files(folder: Path) -> dict[str, int]:
    """File: when it was written, nanoseconds."""
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*.parquet")}


def test_what_changed_alone_is_written_again(
    stored: ClickHouse, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake, reader = tmp_path / "lake", ("--user", "reader")
    assert export(stored, lake, *reader) == 0
    assert "interactions: 10 days written (10 rows), 0 as they were; 10 rows" in capsys.readouterr().out
    first = files(lake)
    assert export(stored, lake, *reader) == 0
    assert files(lake) == first

    later = journey("C1", "B3", NOON + 3 * DAY, NOON + 9 * DAY, status="completed", version=2)  # restated in its day
    moved = journey("C1", "B5", NOON + 6 * DAY, NOON + 6 * DAY, version=2)  # to another day
    stored.write("journeys", frame("journey", later, moved))
    (lake / "journeys/day=2024-01-09/part-0.parquet").write_bytes(b"cut off")
    (lake / "journeys/day=2024-01-10/part-0.parquet").unlink()
    assert export(stored, lake, *reader, "--since", "2024-01-07", "--table", "journeys") == 0
    said = "journeys: 3 days written (4 rows), 7 as they were; 11 rows"  # the day left is not looked at
    assert said in capsys.readouterr().out
    assert export(stored, lake, *reader) == 0
    assert "journeys: 1 days written (1 rows), 8 as they were, 1 removed; 10 rows" in capsys.readouterr().out

    second = files(lake)
    changed = {f"journeys/day=2024-01-{day:02}/part-0.parquet" for day in (4, 7, 9, 10)}
    assert {name for name in second if second[name] != first[name]} == changed
    assert first.keys() - second.keys() == {"journeys/day=2024-01-06/part-0.parquet"}
    assert not list(lake.rglob("*.part"))

    told = manifest.read(lake, stored.database)
    on_disk = {str(path.relative_to(lake)): pq.read_metadata(path).num_rows for path in lake.rglob("*.parquet")}
    assert {day.file: day.rows for table in told.tables.values() for day in table.days.values()} == on_disk
    [about] = [one for one in told.tables["journeys"].columns if one.name == "status"]
    assert about.comment

    journeys = f"read_parquet('{lake}/journeys/*/*.parquet', hive_partitioning = true)"
    asked = "day::varchar, journey_id, status, epoch_ms(started_at)"
    found = duckdb.sql(f"SELECT {asked} FROM {journeys} ORDER BY ALL").fetchall()
    sql = "SELECT toString(toDate(started_at)), journey_id, status, toUnixTimestamp64Milli(started_at) FROM journeys"
    assert found == sorted(stored.rows(sql))
    assert ("2024-01-04", "C1/B3", "completed", NOON + 3 * DAY) in found
    scanned = pl.scan_parquet(lake / "interactions", hive_partitioning=True)
    assert scanned.filter(pl.col("day") >= pl.date(2024, 1, 8)).select(pl.col("score").sum()).collect().item() == (
        pytest.approx(0.7 + 0.8 + 0.9)
    )


def test_an_analysts_export_holds_nobody_and_is_the_default(
    stored: ClickHouse, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_views(of_engine(stored.engine), stored.database)
    try:
        assert export(stored, tmp_path, "--table", "interactions") == 0
        frame = pl.read_parquet(tmp_path / "interactions", hive_partitioning=True)
        assert frame.height == 10
        assert "secret" not in set(frame["text"])
        assert not set(frame["subject"]) & {"customer:0", "customer:1", "customer:2"}
        assert frame["subject"].n_unique() == 3
        assert export(stored, tmp_path, "--user", "reader") == 1
        assert f"holds an export of {stored.database}_analyst" in capsys.readouterr().err
    finally:
        stored.engine.query(f"DROP DATABASE {stored.database}_analyst")


def test_an_export_that_breaks_off_leaves_whole_files_and_the_next_one_mends_it(
    stored: ClickHouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reader = ("--user", "reader", "--table", "journeys")
    assert export(stored, tmp_path, *reader) == 0
    stored.write(
        "journeys",
        frame(
            "journey",
            *(
                journey("C1", f"B{at}", NOON + at * DAY, NOON + at * DAY, status="completed", version=2)
                for at in range(10)
            ),
        ),
    )
    write, wrote = pq.write_table, []

    def full(table: object, where: Path, **how: object) -> None:
        wrote.append(where)
        write(table, where, **how)
        if len(wrote) == 3:
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(pq, "write_table", full)
        assert export(stored, tmp_path, *reader) == 1
    assert "No space left" in capsys.readouterr().err
    statuses = [pl.read_parquet(path)["status"].item() for path in sorted(tmp_path.rglob("*.parquet"))]
    assert statuses == ["completed"] * 2 + ["booked"] * 8
    assert not list(tmp_path.rglob("*.part"))
    assert export(stored, tmp_path, *reader) == 0
    assert set(pl.read_parquet(tmp_path / "journeys")["status"]) == {"completed"}
    with nightly._alone(tmp_path):
        assert export(stored, tmp_path, *reader) == 1
    assert "another export works on" in capsys.readouterr().err
    told = msgspec.json.decode((tmp_path / "manifest.json").read_bytes())
    told["tables"]["journeys"]["columns"].pop()  # as if this version had one column more
    (tmp_path / "manifest.json").write_bytes(msgspec.json.encode(told))
    assert export(stored, tmp_path, *reader, "--since", "2024-01-10") == 0
    assert "journeys: 10 days written" in capsys.readouterr().out
