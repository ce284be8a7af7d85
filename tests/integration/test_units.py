"""Units in ClickHouse: by file and by topic, with history; what holds at a time; grouping by brand and region."""

from __future__ import annotations

import random
from pathlib import Path

import polars as pl
import pytest

from streams.master import files, store
from streams.master.units import Unit
from streams.verify import units as oracle
from streams.verify.compare import compare
from streams.verify.store import of_units
from tests.integration.test_clickhouse_queries import answers, ask
from tests.support.clickhouse import ClickHouse
from tests.support.sink_rows import DAY, NOON, frame

FILE = """unit,valid_from,name,kind,parent,brand,region,timezone
noor,,Noor Hotels,brand,,,gulf,Asia/Riyadh
safa,,Safa Resorts,brand,,,,Europe/Istanbul
MAK-1,,Makkah Ajyad,property,,noor,,
MAK-1,2024-06-01,,property,,safa,,
DESK-3,,,desk,MAK-1,,,
"""


def load(clickhouse: ClickHouse, path: Path, text: str, now: int, *, replace: bool = False) -> store.Stored:
    path.write_text(text, encoding="utf-8")
    return store.write(clickhouse.client, files.read(path, "unit", Unit), now, replace=replace)


def test_what_holds_at_a_time_and_grouping_by_it(clickhouse: ClickHouse, tmp_path: Path) -> None:
    clickhouse.migrated()
    assert load(clickhouse, tmp_path / "u.csv", FILE, now=10) == (5, 0)
    rows = [
        *answers("nps", 10, unit="DESK-3"),  # 2024-01-01
        *answers("nps", 0, unit="MAK-1", event_id="00000000-0000-4000-8000-0000000000aa"),
        *answers("nps", 9, unit="ELSEWHERE", event_id="00000000-0000-4000-8000-0000000000ab"),
    ]
    rows[1]["occurred_at"] = NOON + 200 * DAY
    clickhouse.write("interactions", frame("interaction", *rows))
    by = {
        name: {row[0]: row[5] for row in ask(clickhouse, "nps", by=name)} for name in ("brand", "region", "unit_kind")
    }
    assert by == {
        "brand": {"noor": 100.0, "safa": -100.0, "": 100.0},
        "region": {"gulf": 100.0, "": 0.0},
        "unit_kind": {"desk": 100.0, "property": -100.0, "": 100.0},
    }
    listed = {row[0]: (row[1], row[3], row[5], row[8]) for row in ask(clickhouse, "units")}
    assert listed == {
        "ELSEWHERE": ("no", "", "", 1),
        "DESK-3": ("yes", "desk", "safa", 1),
        "MAK-1": ("yes", "property", "safa", 1),
        "noor": ("yes", "brand", "noor", 0),
        "safa": ("yes", "brand", "safa", 0),
    }
    assert [row[0] for row in ask(clickhouse, "units", known="no")] == ["ELSEWHERE"]


def test_what_is_said_last_counts_by_file_and_by_topic(clickhouse: ClickHouse, tmp_path: Path) -> None:
    """Versions are clocks; an epoch of what follows from events is none of theirs. A file counts when it is loaded."""
    clickhouse.migrated()
    said = {"unit": "A", "valid_from": 0, "version": 500}
    clickhouse.write("units", frame("unit", said | {"brand": "topic"}, said | {"unit": "B"}), epoch=7)
    clickhouse.write("units", frame("unit", said | {"brand": "stale", "version": 499}), epoch=8)
    brand = "SELECT unit, brand FROM units ORDER BY unit"
    assert clickhouse.rows(brand) == [("A", "topic"), ("B", None)]
    load(clickhouse, tmp_path / "u.csv", "unit,brand\nA,file\n", now=400)
    assert clickhouse.rows(brand) == [("A", "file"), ("B", None)]
    assert load(clickhouse, tmp_path / "u.csv", "unit,brand\nA,file\n", now=600, replace=True) == (1, 1)
    assert clickhouse.rows(brand) == [("A", "file")]


@pytest.mark.parametrize("seed", [1, 2])
def test_the_view_is_what_the_plain_way_gives(clickhouse: ClickHouse, seed: int) -> None:
    """Random forests with cycles, unknown parents, parents that change, and brands and regions that are units."""
    clickhouse.migrated()
    chance = random.Random(seed)
    names = [f"U{n}" for n in range(40)]

    def some(*values: object) -> object:
        return chance.choice((None, None, *values))

    rows = [
        {
            "unit": unit,
            "valid_from": at * DAY,
            "parent": some(*names[: names.index(unit) + 3], "NOWHERE"),
            "kind": some("brand", "region", "desk"),
            "brand": some("U1", "U2", "X"),
            "region": some("R1", "U3"),
            "timezone": some("UTC", "Asia/Riyadh"),
            "currency": some("SAR"),
            "latitude": some(1.0, 2.0),
            "longitude": some(3.0),
            "capacity": some(4),
            "version": 1,
        }
        for unit in names
        for at in chance.sample(range(0, 20_000, 900), chance.randint(1, 4))
    ]
    chance.shuffle(rows)
    clickhouse.write("units", frame("unit", *rows, *chance.sample(rows, 20)))
    said, holds = of_units(clickhouse.client, "units"), of_units(clickhouse.client, "unit_levels")
    comparison = compare("unit_levels", *oracle.unit_levels(said, holds), oracle.KEY)
    assert comparison.rows > 800
    assert comparison.differences.to_dicts() == []
    wrong = holds.with_columns(pl.when(pl.col("unit") == "U9").then(pl.lit("Z")).otherwise("brand").alias("brand"))
    assert (
        compare("unit_levels", *oracle.unit_levels(said, wrong), oracle.KEY)
        .differences["key"]
        .str.starts_with("U9")
        .all()
    )


def test_days_are_those_of_the_unit(clickhouse: ClickHouse, tmp_path: Path) -> None:
    """22:45 on 28 February 2025 in UTC is 01:45 on 1 March in Riyadh, and the first of Ramadan; in London it is not."""
    clickhouse.migrated()
    (answer,) = answers("ces", 5, unit="DESK-3")
    at = 1_740_782_700_000
    clickhouse.write("interactions", frame("interaction", answer | {"occurred_at": at, "country": "SA"}))
    dimensions = ("day", "month", "hour", "season", "hijri_day", "weekend")

    def found(**given: str) -> tuple[object, ...]:
        return tuple(ask(clickhouse, "ces", by=name, **given)[0][0] for name in dimensions)

    utc = ("2025-02-28", "2025-02", "22", "umrah_peak", "1446-08-29", "weekend")
    riyadh = ("2025-03-01", "2025-03", "01", "ramadan", "1446-09-01", "weekend")
    assert found() == found(timezone="Europe/London") == utc
    assert found(elsewhere="Asia/Riyadh") == found(timezone="Asia/Riyadh") == riyadh
    load(clickhouse, tmp_path / "u.csv", "unit,brand,timezone\nnoor,,Asia/Riyadh\nDESK-3,noor,\n", now=1)
    assert found() == riyadh
    assert found(timezone="UTC") == utc
    clickhouse.write("units", frame("unit", {"unit": "DESK-3", "timezone": "Nowhere/Else", "version": 9}))
    assert found() == utc
