"""The dashboard on ClickHouse: the queries of its panels and its variable run on the engine, and find what is there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from tests.dashboards.reading import expanded_sql
from tests.support.clickhouse import ClickHouse
from tests.support.sink_rows import NOON, frame, interaction, journey

GRAFANA = Path(__file__).parents[2] / "deploy" / "grafana"
DASHBOARD: dict[str, Any] = json.loads((GRAFANA / "dashboards/rihla-experience.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
UNIT = next(variable for variable in DASHBOARD["templating"]["list"] if variable["name"] == "unit")
WEEK = 7 * 86_400_000


def expanded(sql: str, units: list[str]) -> str:
    """A query for an hour before NOON and a week from then."""
    return expanded_sql(sql, NOON // 1000 - 3600, (NOON + WEEK) // 1000, units)


def filled(clickhouse: ClickHouse) -> ClickHouse:
    """Twelve NPS and two CSAT answers, a complaint in Arabic, at two units and none; a journey, a case and an alert."""
    clickhouse.migrated()
    unit = {"unit": "MAK-1", "channel": "stay"}
    rows = [
        interaction(f"customer:{at}", NOON + at, survey={"instrument": "nps", "score": 10.0 if at < 9 else 3.0}, **unit)
        for at in range(12)
    ]
    rows += [interaction("customer:c", NOON, survey={"instrument": "csat", "score": score}) for score in (5.0, 2.0)]
    told = {"text": "الغرفة قذرة", "language": "ar", "score": -0.8, "unit": "MAD-1", "channel": "stay"}
    rows.append(interaction("customer:t", NOON, touchpoint="stay.complaint", **told))
    clickhouse.write("interactions", frame("interaction", *rows))
    low = {"lowest_score": -0.8, "lowest_touchpoint": "stay.complaint"}
    clickhouse.write("journeys", frame("journey", journey("t", "B1", NOON, NOON, **low)))
    case = {"case_id": "1", "customer_id": "t", "opened_at": NOON, "status": "open", "unit": "MAD-1"}
    again = {"resolved_at": NOON, "reopened_at": NOON + 1}  # resolved, and opened again: it is open
    resolved = {**case, "case_id": "2", "status": "resolved", "resolved_at": NOON}
    clickhouse.write("cases", frame("case", {**case, **again}, resolved))
    alert = {"alert_id": "a", "customer_id": "t", "occurred_at": NOON, "raised_at": NOON, "unit": "MAD-1"}
    clickhouse.write("alerts", frame("alert", alert))
    return clickhouse


def test_every_panel_finds_what_is_stored(clickhouse: ClickHouse) -> None:
    filled(clickhouse)
    units = [str(row[0]) for row in clickhouse.rows(UNIT["query"])]
    assert units == ["", "MAD-1", "MAK-1"]
    found = {
        panel["title"]: clickhouse.rows(expanded(target["rawSql"], units))
        for panel in PANELS
        for target in panel["targets"]
    }
    assert [title for title, rows in found.items() if not rows] == []
    assert found["NPS"] == [(50.0,)]  # nine promoters, three detractors, of twelve
    assert found["NPS answers"] == [(12,)]
    assert found["CSAT"] == [(0.5,)]
    assert found["Open cases"] == found["Open alerts"] == [(1,)]
    assert [row[1:] for row in found["NPS by week"]] == [(50.0,)]
    assert found["Languages"] == [("ar", 1, 1, -0.8)]
    assert found["Low points"] == [("stay.complaint", 1, -0.8)]
    assert found["Touchpoints"] == [("stay.complaint", 1, 1.0, -0.8)]
    assert found["Units"][0] == ("MAK-1", 12, None, 50.0, 12)


def test_the_variable_chooses(clickhouse: ClickHouse) -> None:
    filled(clickhouse)
    queries = {panel["title"]: panel["targets"][0]["rawSql"] for panel in PANELS}
    assert clickhouse.rows(expanded(queries["NPS answers"], ["MAD-1"])) == [(0,)]
    assert clickhouse.rows(expanded(queries["Open alerts"], ["MAD-1"])) == [(1,)]
    assert clickhouse.rows(expanded(queries["Open alerts"], ["MAK-1"])) == [(0,)]


def test_the_dashboard_finds_its_source_and_every_panel_says_what_it_shows() -> None:
    source = yaml.safe_load((GRAFANA / "provisioning/datasources/clickhouse.yml").read_text(encoding="utf-8"))
    (clickhouse,) = source["datasources"]
    variable = DASHBOARD["templating"]["list"][0]
    assert variable["current"]["value"] == clickhouse["uid"]
    assert {target["datasource"]["type"] for panel in PANELS for target in panel["targets"]} == {clickhouse["type"]}
    assert all(panel["description"].endswith(".") for panel in PANELS)
    cells = [
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
