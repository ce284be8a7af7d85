"""Dashboard and alert rules name only metrics and labels that streams/metrics.py declares, and each metric is shown."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from streams import metrics

DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana/dashboards/rihla-pipeline.json").read_text(encoding="utf-8"))
RULES: list[dict[str, Any]] = [
    rule
    for file in ("rihla", "slo")
    for group in yaml.safe_load((DEPLOY / f"prometheus/rules/{file}.yml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]

# Labels that Prometheus puts on every sample: of its own, and as deploy/prometheus/prometheus.yml relabels them.
TARGET_LABELS = {"job", "instance", "service"}
# Series that are not Rihla's: the Python client's process collector, Prometheus's own.
FOREIGN = {
    "up": TARGET_LABELS,
    "ALERTS": {"alertname", "alertstate", "severity"},
    "process_start_time_seconds": TARGET_LABELS,
    "process_resident_memory_bytes": TARGET_LABELS,
    "process_cpu_seconds_total": TARGET_LABELS,
}
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "info": ("_info",), "histogram": ("_bucket", "_sum", "_count")}


def declared() -> dict[str, set[str]]:
    """Every series of Rihla's metrics with its labels, as Prometheus stores them."""
    series: dict[str, set[str]] = {}
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            (family,) = metric.describe()
            for suffix in SUFFIXES[family.type]:
                labels = {*metric._labelnames, *TARGET_LABELS}
                labels |= {"le"} if suffix == "_bucket" else set()
                labels |= {"version"} if suffix == "_info" else set()
                series[family.name + suffix] = labels
    return series


SERIES = declared() | FOREIGN | {rule["record"]: set[str]() for rule in RULES if "record" in rule}


def problems(expression: str) -> list[str]:
    """What a PromQL expression names that does not exist: series, labels of selectors, labels of by() and on()."""
    found, known, named = [], set(), False
    without_strings = re.sub(r'"[^"]*"', '""', expression)
    for name, matchers in re.findall(r"\b(rihla[_:][\w:]+|process_\w+|up|ALERTS)\b(?:\{([^}]*)\})?", without_strings):
        labels = SERIES.get(name)
        if labels is None:
            found.append(f"no series {name}")
            continue
        named = True
        known |= labels
        used = re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)
        found += [f"{name} has no label {label}" for label in used if label not in labels]
    if not named and not found:
        found.append("names no series")
    for group in re.findall(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)", expression):
        found += [f"no label {label}" for label in re.findall(r"\w+", group) if label not in known]
    return found


def grouped_labels(expression: str) -> set[str] | None:
    """The labels of an expression's result where it is grouped at its top, else None (all labels)."""
    match = re.match(r"(?:histogram_quantile\([\d.]+, )?(?:sum|max|min|count) by \(([^)]*)\)", expression)
    return set(re.findall(r"\w+", match[1])) if match else None


PANELS = {panel["title"]: panel for panel in DASHBOARD["panels"] if panel["type"] != "row"}
TARGETS = [(title, target) for title, panel in PANELS.items() for target in panel["targets"]]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}


@pytest.mark.parametrize(("title", "target"), TARGETS, ids=[f"{t}-{x['refId']}" for t, x in TARGETS])
def test_panel_asks_for_what_exists(title: str, target: dict[str, Any]) -> None:
    assert problems(target["expr"]) == []
    labels = grouped_labels(target["expr"])
    if labels is not None:
        assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= labels


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_rule_asks_for_what_exists(rule: dict[str, Any]) -> None:
    assert problems(rule["expr"]) == []


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("rate(rihla_records_read[5m])", "no series rihla_records_read"),
        ('rihla_records_read_total{worker="enrich", channel="stay"}', "rihla_records_read_total has no label channel"),
        ("sum by (table) (rihla_consumer_lag_records)", "no label table"),
        ("histogram_quantile(0.9, sum by (le) (rihla_batch_seconds_count))", "no label le"),
        ("vector(1)", "names no series"),
    ],
)
def test_mistakes_are_found(expression: str, problem: str) -> None:
    assert problems(expression) == [problem]


def test_every_metric_is_shown() -> None:
    shown = " ".join(target["expr"] for _, target in TARGETS)
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            (family,) = metric.describe()
            assert re.search(rf"\b{family.name}(?:_total|_info|_bucket|_sum)?\b", shown), family.name


def test_panels_have_their_own_place_and_say_what_they_show() -> None:
    cells: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        mine = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in mine) < 24
        assert not mine & cells, panel["title"]
        cells |= mine
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    assert all(panel["description"].endswith(".") for panel in PANELS.values())


def test_dashboard_finds_its_data_source() -> None:
    sources = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text(encoding="utf-8"))
    variable = DASHBOARD["templating"]["list"][0]
    assert variable["current"]["value"] in {source["uid"] for source in sources["datasources"]}
    assert {target["datasource"]["uid"] for _, target in TARGETS} == {f"${{{variable['name']}}}"}


def test_every_alert_has_its_page_in_the_operations_guide() -> None:
    guide = (DEPLOY.parent / "docs/operations.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^### (Rihla\w+)$", guide, flags=re.M)) == set(ALERTS)
    for name, rule in ALERTS.items():
        assert rule["annotations"]["runbook_url"] == "{{ $externalLabels.docs }}/operations.md#" + name.lower()
        assert rule["labels"]["severity"] in ("page", "ticket")
