"""Halal readiness of a unit, worked by hand: evidence fades, meals go by the times of prayer, and reports count."""

from __future__ import annotations

from math import sqrt
from pathlib import Path

import pytest

from sinks.clickhouse import prayers
from tests.integration.test_attribution import event, stored
from tests.integration.test_clickhouse_queries import ask
from tests.integration.test_prayers import UNITS, at
from tests.integration.test_units import load
from tests.support.clickhouse import ClickHouse


def test_worked_by_hand(clickhouse: ClickHouse, tmp_path: Path) -> None:
    """Two guests say 1.0 and -0.5 of halal food, the second 180 days before the day that is asked about, so that its
    weight is half. Good: 1 + 0.5 x 0.25 = 1.125, bad: 0.5 x 0.75 = 0.375; share (1 + 1.125) / (2 + 1.5) = 0.607."""
    clickhouse.migrated()
    load(clickhouse, tmp_path / "u.csv", UNITS, now=1)
    day = at("2025-08-30 12:00:00")
    old = day - 180 * 86_400_000
    there, wifi = {"unit": "RUH-1"}, {"aspect": "wifi", "score": 1.0}
    stored(
        clickhouse,
        event("1", day, "stay", aspects=[{"aspect": "halal_food", "score": 1.0}], **there),
        event("2", old, "stay", aspects=[{"aspect": "halal_food", "score": -0.5}, wifi], **there),
        event("3", day, "stay", touchpoint="stay.privacy_breach", **there),
        event("4", at("2025-03-02 04:40:00"), "stay", touchpoint="stay.suhoor_served", **there),
        event("4", at("2025-03-03 05:30:00"), "stay", touchpoint="stay.suhoor_served", **there),
        event("4", at("2025-03-02 18:05:00"), "stay", touchpoint="stay.iftar_served", **there),
        event("5", day, "stay", touchpoint="stay.suhoor_served", **there),  # no Ramadan: no evidence
        event("6", day, "stay", unit="HERE"),
    )
    prayers.fill(clickhouse.client)
    until = "2025-08-30 09:00:01"
    found = {(row[0], row[1]): row[2:] for row in ask(clickhouse, "halal_readiness", until=until)}
    assert len(found) == 18
    importance, evidence, experiences, guests, against, share, low, high, last = found["RUH-1", "halal_food"]
    deviation = sqrt(2.125 * 1.375 / (3.5**2 * 4.5))
    assert (importance, evidence, experiences, guests, against) == ("need", 1.5, 2, 2, 1)
    assert (share, low, high) == pytest.approx(
        (2.125 / 3.5, 2.125 / 3.5 - 1.645 * deviation, 2.125 / 3.5 + 1.645 * deviation), abs=0.001
    )
    assert str(last).startswith("2025-08-30 09:00:00")
    assert found["RUH-1", "ramadan"][2:5] == (3, 1, 1), "one suhoor of three meals was after Fajr"
    assert found["RUH-1", "privacy"][2:5] == (5, 5, 1), "one of five guests"
    assert found["RUH-1", "no_islamophobia"][2:5] == (5, 5, 0)
    assert found["RUH-1", "prayer"][1:] == (0, 0, 0, 0, None, None, None, None), "nobody speaks of it"
    assert found["HERE", "privacy"][2:5] == (1, 1, 0)
    assert {row[0] for row in ask(clickhouse, "halal_readiness", until=until, unit="HERE")} == {"HERE"}


def test_the_evidence_names_what_was_said_and_the_prayer_of_its_time(clickhouse: ClickHouse, tmp_path: Path) -> None:
    """Riyadh, 30 August 2025: noon prayer at 11:54. What speaks against the unit comes first; guests without a report
    are not listed, and nothing of another unit is."""
    clickhouse.migrated()
    load(clickhouse, tmp_path / "u.csv", UNITS, now=1)
    there, noon = {"unit": "RUH-1"}, at("2025-08-30 12:00:00")
    said = {"text": "The prayer room was shut", "language": "en"}
    stored(
        clickhouse,
        event("1", noon, "stay", aspects=[{"aspect": "prayer", "score": -0.8}], **said, **there),
        event("2", at("2025-08-30 15:00:00"), "stay", aspects=[{"aspect": "halal_food", "score": 1.0}], **there),
        event("3", noon - 1, "stay", touchpoint="stay.privacy_breach", **there),
        event("4", noon, "stay", aspects=[{"aspect": "prayer", "score": -1.0}], unit="HERE"),
    )
    prayers.fill(clickhouse.client)
    until = "2025-08-31 00:00:00"
    found = ask(clickhouse, "readiness_evidence", unit="RUH-1", until=until)
    assert [(row[0], row[3], round(row[5], 2), row[7], row[8]) for row in found] == [
        ("privacy", "dhuhr", 0.0, None, None),
        ("prayer", "dhuhr", 0.1, "en", "The prayer room was shut"),
        ("halal_food", "none", 1.0, None, None),
    ]
    assert found[1][2] == "2025-08-30 12:00:00"
    days = ask(clickhouse, "prayer_times", unit="RUH-1", until=until, limit="1")
    assert [(str(day[0]), day[1], day[3], day[7]) for day in days] == [("2025-08-30", 0, "11:54", "Asia/Riyadh")]
    assert ask(clickhouse, "prayer_times", unit="HERE", until=until) == []
