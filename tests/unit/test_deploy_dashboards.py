"""What the dashboards say is drawn (tests/dashboards), and is what Grafana would take: panels, units, links, names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.dashboards.drawing import UNITS, Series, Shown, formatted, page, threshold
from tests.dashboards.reading import NAMES, Panel, expanded_promql, expanded_sql, legend, panels, read

DOCS = Path(__file__).parents[2] / "docs"
DASHBOARDS = {name: read(name) for name in NAMES}
PANELS = [(name, panel) for name, dashboard in DASHBOARDS.items() for panel in panels(dashboard)]


def units_of(panel: Panel) -> set[str]:
    config = panel.said.get("fieldConfig", {})
    said = {config.get("defaults", {}).get("unit", "short")}
    properties = [one for override in config.get("overrides", ()) for one in override["properties"]]
    return said | {one["value"] for one in properties if one["id"] == "unit"}


@pytest.mark.parametrize(("name", "panel"), PANELS, ids=[f"{name}-{panel.said['id']}" for name, panel in PANELS])
def test_a_panel_is_one_that_is_drawn_with_its_own_unit(name: str, panel: Panel) -> None:
    assert units_of(panel) <= UNITS.keys()
    rates = [target["expr"] for target in panel.targets if target.get("expr", "").find("rate(") >= 0]
    if rates and not any("histogram_quantile" in one or "/ sum" in one for one in rates):
        assert units_of(panel) & {"eps", "recps", "reqps", "rowsps", "cps", "percentunit"}, "a rate says of what"


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_to_pages_that_are_there(name: str) -> None:
    dashboard = DASHBOARDS[name]
    (docs,) = [one for one in dashboard["templating"]["list"] if one["name"] == "docs"]
    assert docs["type"] == "constant"
    links = [link["url"] for link in dashboard["links"] if link["type"] == "link"]
    links += [link["url"] for panel in panels(dashboard) for link in panel.said.get("links", ())]
    assert links
    for url in links:
        assert (DOCS / url.removeprefix("${docs}/").partition("#")[0]).is_file(), url


def test_each_alert_links_to_a_heading_of_the_guide() -> None:
    """As a reader's browser looks for it: GitHub's anchor of a heading is its text in lower case."""
    guide = (DOCS / "operations.md").read_text(encoding="utf-8")
    anchors = {
        re.sub(r"[^\w -]", "", line).strip().lower().replace(" ", "-") for line in re.findall(r"^#+ (.*)$", guide, re.M)
    }
    for file in (DOCS.parent / "deploy/prometheus/rules").glob("*.yml"):
        for anchor in re.findall(r"operations\.md#(\w+)", file.read_text(encoding="utf-8")):
            assert anchor in anchors


@pytest.mark.parametrize(
    ("value", "said", "shown"),
    [
        (0.0623, {"unit": "s"}, "62.3 ms"),
        (1234.0, {"unit": "recps"}, "1.23k rec/s"),
        (1536.0, {"unit": "bytes"}, "1.50 KiB"),
        (0.125, {"unit": "percentunit"}, "12.5%"),
        (4.0, {"unit": "short", "decimals": 0}, "4"),
        (float("nan"), {}, "-"),
        ("stay.wifi_failed", {}, "stay.wifi_failed"),
    ],
)
def test_values_are_shown_as_their_unit_says(value: Any, said: dict[str, Any], shown: str) -> None:
    assert formatted(value, said) == shown


def test_queries_are_expanded_as_grafana_does() -> None:
    assert expanded_promql("rate(x[$__rate_interval])", 15, 30) == "rate(x[60s])"
    sql = "SELECT 1 WHERE $__timeFilter(at) AND has([${unit:singlequote}], unit)"
    said = expanded_sql(sql, 1, 2, ["", "Sa'i"])
    assert said == r"SELECT 1 WHERE (at >= toDateTime(1) AND at <= toDateTime(2)) AND has(['', 'Sa\'i'], unit)"
    with pytest.raises(ValueError, match="not replaced"):
        expanded_sql("SELECT $other", 1, 2, [])
    assert legend("{{a}} to {{ b }}", {"a": "x", "b": "y"}) == "x to y"
    assert legend(None, {"a": "x"}) == '{a="x"}'


def test_a_page_shows_titles_values_legends_and_what_is_empty() -> None:
    dashboard, shown = DASHBOARDS["rihla-pipeline"], []
    for panel in panels(dashboard):
        found = Shown(series=[Series("a <line>", [(0.0, 1.0), (60.0, 5.0)])])
        shown.append((panel, Shown() if panel.title == "Lag" else found))
    html = page(dashboard, shown, 0.0, 60.0)
    assert all(panel.title.replace("'", "&#x27;") in html for panel, _ in shown)
    assert "a &lt;line&gt;" in html
    assert html.count("No data") == sum(panel.title == "Lag" for panel, _ in shown)
    ready = next(panel for panel, _ in shown if panel.title == "Workers ready")
    assert [threshold(value, ready.defaults("")) for value in (3, 4)] == ["#f2495c", "#73bf69"]
