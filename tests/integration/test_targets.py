"""Targets: what the model wants is in ClickHouse, and is judged as a plain computation over the answers judges it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from sinks.clickhouse import models
from streams.model.company import built_in
from streams.model.targets import Target
from streams.targets import store
from streams.targets.breaches import breaches
from streams.verify.targets import targets as verified
from tests.integration.test_clickhouse_queries import ask
from tests.support.clickhouse import ClickHouse
from tests.support.sink_rows import DAY, NOON, frame, interaction

WANTED = (
    Target("nps", "month", 40.0, (), 4),
    Target("csat", "month", 90.0, ("MAK-1",), 2),
    Target("csat", "month", 60.0, ("MAK-*", "JED_1"), 2),
    Target("ces", "year", 5.0, (), 2),
)
FIRST = NOON // DAY * DAY


def told(instrument: str, unit: str, at: int, *scores: float) -> list[dict[str, object]]:
    return [
        interaction(
            f"customer:{unit}{at}{place}", at + place, unit=unit, survey={"instrument": instrument, "score": score}
        )
        for place, score in enumerate(scores)
    ]


def test_each_target_is_judged_by_its_interval(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    rows = [
        *told("nps", "MAK-1", NOON, *[10] * 30),
        *told("nps", "JED_1", NOON + 40 * DAY, *[0] * 30, *[10] * 2),
        *told("csat", "MAK-1", NOON, *[5] * 8, *[1] * 2),
        *told("csat", "MAK-2", NOON, *[5] * 8, *[1] * 2),
        *told("csat", "JED_1", NOON, 1),
        *told("csat", "JEDx1", NOON, 1, 1, 1),
        *told("ces", "MAK-1", NOON, 4, 4, 4),
    ]
    clickhouse.write("interactions", frame("interaction", *rows))
    assert ask(clickhouse, "targets") == []
    model = replace(built_in(), targets=WANTED)
    with clickhouse.connect() as client:
        assert models.record_targets(client, model, 1)
        assert not models.record_targets(client, model, 2)
    found = {(row[0], row[1], row[3]): row for row in ask(clickhouse, "targets")}
    months = sorted({key[2] for key in found if key[0] == "nps"})
    assert len(months) == 2
    best, worst = (found["nps", "", month] for month in months)
    assert (best[6], *best[11:13]) == (100.0, "met", 1)
    # (2 + 0.75 - 30 - 0.75) / 35 = -0.8; p + d = 33.5/35: 196 sqrt((0.95714 - 0.64) / 35) = 18.66
    assert (worst[6], worst[9], *worst[11:13]) == (-87.5, 32, "missed", 1)
    assert worst[7:9] == pytest.approx((-98.657, -61.343), abs=0.01)
    by_unit = {unit: row for (metric, unit, _), row in found.items() if metric == "csat"}
    assert sorted(by_unit) == ["JED_1", "MAK-1", "MAK-2"]  # an underscore is no wildcard
    assert [by_unit[unit][5] for unit in sorted(by_unit)] == [60.0, 90.0, 60.0]  # the first that fits holds
    # Wilson, 8 of 10: 0.490 to 0.943
    assert by_unit["MAK-1"][7:9] == pytest.approx((49.02, 94.33), abs=0.02)
    assert by_unit["MAK-1"][11:13] == ("missed", 0)
    assert by_unit["MAK-2"][11:13] == ("met", 0)
    assert by_unit["JED_1"][11:13] == ("not enough answers", 0)
    assert [row[7:9] for key, row in found.items() if key[0] == "ces"] == [(None, None)]
    assert [row[1] for row in ask(clickhouse, "targets", unit="MAK-2")] == ["MAK-2"]
    # A period that began before `since` is read whole.
    later = ask(clickhouse, "targets", since=f"{date.fromordinal(months[0].toordinal() + 27)} 00:00:00")
    assert {(row[0], row[1], row[3]): row for row in later} == found
    with clickhouse.connect() as client:
        assert verified(client, model).differences.height == 0
        new = breaches(store.judged(client))
        assert [(one.metric, one.unit, one.starts) for one in new] == [("nps", "", months[1])]
        assert store.observe(client, new, 1_000) == new
        assert store.observe(client, new, 2_000) == []  # the same breach is no news
        assert clickhouse.rows("SELECT breach_id, toUnixTimestamp64Milli(observed_at) FROM target_breaches") == [
            (new[0].breach_id, 1_000)
        ]
        clickhouse.client.command(
            "ALTER TABLE targets_store UPDATE minimum = 1 WHERE rank = 3 SETTINGS mutations_sync = 2"
        )
        assert verified(client, model).differences.height > 0
        assert models.record_targets(client, built_in(), 3)
    assert ask(clickhouse, "targets") == []
