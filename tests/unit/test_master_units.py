"""Files of units: what is read of them, and what is said of one that cannot be used."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import polars as pl
import pytest

from streams.master import rates, units
from streams.master.files import MasterError, read
from streams.master.units import Unit, faults
from streams.sources.simulate import Options, batches
from streams.sources.simulate.units import write_units
from streams.sources.simulate.world import KINDS
from streams.verify.recompute import recompute
from tests.support.by_columns import Enricher

CSV = """unit,valid_from,name,kind,parent,brand,timezone,currency,latitude,longitude,prayer_method,capacity
noor,,Noor Hotels,brand,,,Asia/Riyadh,SAR,,,umm_al_qura,
MAK-1,,"Makkah, Ajyad",property,,noor,,,21.42,39.83,,400
MAK-1,2025-03-01,Makkah Ajyad,property,,safa,,,21.42,39.83,,420

DESK-3,2024-01-01T06:00+03:00,,desk,MAK-1,,,,,,,
"""
TOML = """
#:schema unit.schema.json
[[unit]]
unit = "MAK-1"
brand = "noor"
latitude = 21.42
longitude = 39.83

[[unit]]
unit = "MAK-1"
valid_from = 2025-03-01
brand = "safa"
capacity = 420
"""


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_csv(tmp_path: Path) -> None:
    found = read(written(tmp_path / "u.csv", CSV), "unit", Unit)
    assert [line for line, _ in found] == [2, 3, 4, 6]
    assert found[1][1] == Unit(
        "MAK-1", name="Makkah, Ajyad", kind="property", brand="noor", latitude=21.42, longitude=39.83, capacity=400
    )
    assert [unit.since for _, unit in found] == [0, 0, 1_740_787_200_000, 1_704_078_000_000]
    assert list(faults(found)) == []


def test_toml(tmp_path: Path) -> None:
    found = read(written(tmp_path / "u.toml", TOML), "unit", Unit)
    assert [(line, unit.since, unit.brand) for line, unit in found] == [(3, 0, "noor"), (9, 1_740_787_200_000, "safa")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("unit,zone\nA,UTC\n", "line 2: there is no field `zone`"),
        ("unit,name\n,Nobody\n", "line 2: it lacks the field `unit`"),
        ("unit,name\nA\n", "line 2: has 1 cells, and there are 2 columns"),
        ("unit,capacity\nA,3\nB,many\n", "line 3: capacity: Expected `int | null`, got `str`: 'many'"),
        ("unit,latitude\nA,91\n", "line 2: latitude: Expected `float` <= 90.0: '91'"),
        ("unit,kind\nA,hotel\n", "line 2: kind: Invalid enum value 'hotel': 'hotel'"),
        ("unit\n", "holds no unit"),
    ],
)
def test_what_no_unit_can_be_made_of(tmp_path: Path, text: str, expected: str) -> None:
    path = written(tmp_path / "u.csv", text)
    with pytest.raises(MasterError) as told:
        read(path, "unit", Unit)
    assert str(told.value) == f"{path}: {expected}"


def test_other_tables_and_no_toml(tmp_path: Path) -> None:
    with pytest.raises(MasterError, match=r"may hold tables \[\[unit\]\] only, and has: hotel"):
        read(written(tmp_path / "a.toml", "[[hotel]]\nunit = 'A'\n"), "unit", Unit)
    with pytest.raises(MasterError, match=r"is no TOML in UTF-8: .*line 1"):
        read(written(tmp_path / "b.toml", "unit,name"), "unit", Unit)


@pytest.mark.parametrize(
    ("given", "known", "expected"),
    [
        ([Unit("A"), Unit("A")], {}, ["line 2: unit A: is on line 1 already, with the same valid_from"]),
        ([Unit("A"), Unit("A", "2025-01-01")], {}, []),
        (
            [Unit("MAK-1"), Unit("D", parent="MAK-2")],
            {},
            ["line 2: unit D: there is no unit MAK-2, which is to be its parent; did you mean MAK-1?"],
        ),
        ([Unit("D", parent="M")], {"M": {0: None}}, []),
        (
            [Unit("A", timezone="Asia/Riyad")],
            {},
            ["line 1: unit A: there is no time zone Asia/Riyad in the IANA database; did you mean Asia/Riyadh?"],
        ),
        ([Unit("A", currency="XQX")], {}, ["line 1: unit A: there is no currency XQX in ISO 4217"]),
        ([Unit("A", latitude=1.0)], {},
         ["line 1: unit A: has one of latitude and longitude, and needs both or neither"]),
        ([Unit("A", parent="A")], {}, ["line 1: unit A: is a part of itself: A in A"]),
        (
            [Unit("A", parent="B"), Unit("B", parent="C")],
            {"C": {0: "A"}},
            ["line 1: unit A: is a part of itself: A in B in C in A",
             "line 2: unit B: is a part of itself: B in C in A in B"],
        ),
        # In 2024 A was in B, and since 2025 B is in A: at no time is one a part of itself.
        (
            [Unit("A", parent="B"), Unit("A", "2025-01-01"), Unit("B"), Unit("B", "2025-01-01", parent="A")],
            {},
            [],
        ),
        (
            [Unit("U0"), *(Unit(f"U{n}", parent=f"U{n - 1}") for n in range(1, 8))],
            {},
            ["line 8: unit U7: has more than 6 levels above it: U7 in U6 in U5 in U4 in U3 in U2 in U1 in U0"],
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_so(given: list[Unit], known: dict[str, dict[int, str | None]], expected: list[str]) -> None:
    assert list(faults([*enumerate(given, 1)], known)) == expected


def test_no_time_is_said_with_its_line() -> None:
    (told,) = faults([(4, Unit("A", "2025-02-30"))])
    assert told.startswith("line 4: unit A: valid_from '2025-02-30' is no time")


def test_the_published_schema_is_that_of_the_class() -> None:
    assert units.FILE.read_text("utf-8") == units.text(), "python -m streams.master.units writes it again"
    schema = json.loads(units.text())
    jsonschema.validate({"unit": [{"unit": "A", "valid_from": "2025-03-01", "latitude": 21.4}]}, schema)
    for wrong in ({"unit": [{"name": "A"}]}, {"unit": [{"unit": "A", "zone": "UTC"}]}, {"hotel": []}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


def test_the_units_of_the_simulated_world(tmp_path: Path) -> None:
    """Of two brands in seven zones, usable as they are; every hotel in which anybody stays is one of them."""
    write_units(tmp_path / "units.csv")
    found = read(tmp_path / "units.csv", "unit", Unit)
    assert list(faults(found)) == []
    hotels = {hotel for kind in KINDS for hotel in kind.hotels}
    master = [unit for _, unit in found if unit.unit in hotels]
    assert {unit.unit for unit in master} == hotels
    assert {unit.brand for unit in master} == {"noor", "safa"}
    assert len({unit.timezone for _, unit in found if unit.timezone}) >= 7


def test_simulated_answers_belong_to_the_hotel_that_they_were_about() -> None:
    """At least 95 in 100 answers after travel have a unit where the journey has a stay, and where the truth is known it
    is the right one."""
    truth: list[dict[str, Any]] = []
    enricher = Enricher()
    options = Options(customers=400, seed=3, duplicates=0, languages=("en",))
    pieces = [
        enricher.enrich({b.channel: b.frame}, 1_900_000_000_000).interactions for b in batches(options, truth.append)
    ]
    log = pl.concat(pieces).unique(["subject", "event_id"], keep="first", maintain_order=True)
    tables = recompute(log)
    key = ["subject", "event_id"]
    whose = tables.interactions.join(tables.attributed["interactions_attributed"], on=key).join(
        log.select(*key, "channel", "survey", "unit"), on=key
    )
    stayed = tables.journeys.filter(pl.col("stay_interactions") > 0).select("journey_id")
    asked = pl.col("survey").is_not_null() & (pl.col("channel") == "post_travel")
    answers = whose.join(stayed, on="journey_id").filter(asked)
    assert answers.height > 100
    assert answers["unit"].null_count() > 50
    assert answers["attributed_unit"].null_count() <= 0.05 * answers.height
    places = pl.DataFrame([(one["event_id"], one["unit"]) for one in truth if one["record"] == "place"],
                          schema=["event_id", "place"], orient="row")  # fmt: skip
    known = answers.join(places, on="event_id")
    assert (known["attributed_unit"] == known["place"]).sum() >= 0.95 * known.height


def test_the_examples_of_the_page_can_be_loaded(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/units.md").read_text("utf-8")
    of_units, of_rates = re.findall(r"^```csv\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    described = read(written(tmp_path / "u.csv", of_units), "unit", Unit)
    assert list(faults(described)) == []
    assert f"{len(described)} units stored" in page
    told = read(written(tmp_path / "r.csv", of_rates), "rate", rates.Rate)
    assert list(rates.faults(told)) == []
    assert f"{len(told)} rates stored" in page
