"""Panels and alert rules that use `increase` or `rate`, on what real workers tell before and after a burst."""

from __future__ import annotations

import asyncio
import json
import math
import os
import re
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from streams.settings import of_owner
from streams.sources.simulate import Options, write
from tests.integration.test_run import rihla
from tests.integration.test_up import PATIENCE, owner_of, sums, up
from tests.support.brokers import wait_until
from tests.support.waiting import HUNG
from tests.support.workers import send_lines
from tests.unit.test_deploy_prometheus import DEPLOY, PROMTOOL, promtool

pytestmark = pytest.mark.skipif(
    PROMTOOL is None and os.environ.get("RIHLA_REQUIRE_PROMTOOL") != "1",
    reason="promtool is not installed (Debian package prometheus)",
)

REFUSED = 3000
Page = dict[str, float]
"""Series, as Prometheus writes it: its value."""
BURST_AT = 15
"""Minutes after the start, in scrapes of 15 seconds."""


def scraped(url: str, service: str) -> Page:
    """The series of a worker's page with the labels that Prometheus adds, but for what is not Rihla's."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=HUNG) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    page: Page = {}
    for family in families:
        for sample in family.samples:
            if sample.name.startswith("rihla_") and not sample.name.endswith("_created"):
                labels = {**sample.labels, "job": "rihla", "service": service, "instance": service}
                named = ",".join(f"{name}={json.dumps(value)}" for name, value in sorted(labels.items()))
                page[f"{sample.name}{{{named}}}"] = sample.value
    return page


def counted(page: Page) -> Page:
    """The counters, and the series of histograms."""
    return {name: value for name, value in page.items() if re.match(r"\w+_(total|bucket|sum|count)\{", name)}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Page, Page]:
    """What real workers tell before their first event, and after some thousand, most of them refused.

    People are told of the alerts by a line in a log, as without routes nobody would be.
    """
    folder = tmp_path_factory.mktemp("series")
    file = folder / "events.jsonl"
    summary = write(Options(customers=40, seed=5), file)
    line = json.loads(file.open().readline())
    bad = {**line, "survey": {"instrument": "nps", "score": 55}}
    (folder / "routes.toml").write_text('[targets.log]\ntype = "log"\n\n[[routes]]\nto = ["log"]\n')
    with up(folder / "data", RIHLA_ROUTES=str(folder / "routes.toml")):
        workers = owner_of(folder / "data").workers

        def page() -> Page:
            return {name: value for each, url in workers.items() for name, value in scraped(url, each).items()}

        def refused() -> float:
            return sum(value for name, value in page().items() if name.startswith("rihla_dead_letters_total"))

        before = page()
        produced = rihla("produce", str(file), "--data", str(folder / "data"))
        assert produced.returncode == 0, produced.stderr
        settings = of_owner(owner_of(folder / "data").settings)
        asyncio.run(send_lines(settings, [json.dumps(bad).encode()] * REFUSED))
        events = summary["interactions"]
        wait_until(lambda: sums(folder / "data") == (events,) * 3, PATIENCE, "all events in the tables")
        wait_until(lambda: refused() >= REFUSED, PATIENCE, "the dead letters on the page")
        return before, page()


def test_no_series_is_born_by_an_event(pages: tuple[Page, Page]) -> None:
    before, after = map(counted, pages)
    assert sorted(after.keys() - before.keys()) == []


def expressions() -> list[tuple[str, str]]:
    """Name and expression of every rule and panel that asks how a counter has grown."""
    dashboard = json.loads((DEPLOY / "grafana/dashboards/rihla-pipeline.json").read_text(encoding="utf-8"))
    rules = yaml.safe_load((DEPLOY / "prometheus/rules/rihla.yml").read_text(encoding="utf-8"))
    found = [
        (f"{panel['title']}-{target['refId']}", target["expr"].replace("$__rate_interval", "1m"))
        for panel in dashboard["panels"]
        for target in panel.get("targets", [])
    ]
    found += [(rule["alert"], rule["expr"]) for group in rules["groups"] for rule in group["rules"]]
    return [(name, " ".join(one.split())) for name, one in found if re.search(r"\b(increase|rate)\(rihla_", one)]


@pytest.fixture(scope="module")
def verdict(pages: tuple[Page, Page], tmp_path_factory: pytest.TempPathFactory) -> str:
    """What promtool says of all of them: nothing of those that see the burst.

    What the events did not make the workers count (insert retries, evictions) grows by five in every series.
    """
    before, after = pages
    series, burst = [], dict[str, float]()
    for name, value in before.items():
        later = after.get(name, value)
        if not math.isfinite(value):  # serve's age before it has read anything; promtool takes no infinity
            value = later
        if name in counted(before) and not any(
            after[other] != before[other] for other in before if other.split("{")[0] == name.split("{")[0]
        ):
            later = value + 5
        metric = name.split("{")[0]
        burst[metric] = burst.get(metric, 0.0) + later - value
        series.append({"series": name, "values": f"{value}x{4 * BURST_AT} {later}x{4 * BURST_AT}"})
    tests: list[dict[str, Any]] = []
    at = f"{BURST_AT * 60 + 45}s"
    for name, expression in expressions():
        if name == "RihlaNoEvents":  # the other way round: silent once the first events have come
            tests.append(asked(f"count({expression})", f"{BURST_AT}m", 1))
            tests.append(asked(f"absent({expression})", at, 1))
            continue
        loosened = re.sub(r"> [\d.]+", "> 0", expression)
        tests.append(asked(f"count(({loosened}) > 0) > bool 0", at, 1))
        whole = re.fullmatch(r"sum\(increase\((\w+)\[1h\]\)\)", expression)
        if whole:
            tests.append(asked(f"abs({expression} / {burst[whole[1]]} - 1) < bool 0.1", at, 1))
    for test in tests:
        test["expr"] = f"({test['expr']})"
    group = {"interval": "15s", "input_series": series, "promql_expr_test": tests}
    path = tmp_path_factory.mktemp("promtool") / "series.yml"
    path.write_text(yaml.safe_dump({"evaluation_interval": "15s", "tests": [group]}), encoding="utf-8")
    result = promtool("test", "rules", path)
    return result.stdout + result.stderr if result.returncode else ""


def asked(expression: str, at: str, value: float) -> dict[str, Any]:
    return {"expr": expression, "eval_time": at, "exp_samples": [{"labels": "{}", "value": value}]}


def test_every_rule_and_panel_sees_the_burst(verdict: str) -> None:
    assert not verdict


def test_the_rule_and_the_panel_of_dead_letters_see_all_of_them(pages: tuple[Page, Page], tmp_path: Path) -> None:
    """And with series that are born with the burst, as they once were, neither would."""
    before, after = pages
    letters = [name for name in after if name.startswith(("rihla_dead_letters_total", "rihla_records_read_total"))]
    born = [{"series": one, "values": f"{before[one]}x60 {after[one]}x60"} for one in letters]
    late = [{"series": one, "values": f"_x60 {after[one]}x60" if after[one] else "_x120"} for one in letters]
    rules = tmp_path / "rules.yml"
    rules.write_text((DEPLOY / "prometheus/rules/rihla.yml").read_text(encoding="utf-8"), encoding="utf-8")
    fires = {
        "exp_labels": {"severity": "ticket", "worker": "enrich", "reason": "bad_survey"},
        "exp_annotations": {
            "summary": "enrich refused 3k records as bad_survey in 10 minutes, over 1 %",
            "runbook_url": "https://docs.example.com/rihla/operations.md#rihladeadletters",
        },
    }
    panel = "round(sum(increase(rihla_dead_letters_total[1h])), 100)"
    tests = [
        {
            "interval": "15s",
            "external_labels": {"docs": "https://docs.example.com/rihla"},
            "input_series": series,
            "alert_rule_test": [{"eval_time": "24m", "alertname": "RihlaDeadLetters", "exp_alerts": alerts}],
            "promql_expr_test": [asked(panel, "24m", seen)],
        }
        for series, alerts, seen in ((born, [fires], REFUSED), (late, [], 0))
    ]
    path = tmp_path / "test.yml"
    path.write_text(yaml.safe_dump({"rule_files": ["rules.yml"], "evaluation_interval": "15s", "tests": tests}))
    result = promtool("test", "rules", path)
    assert result.returncode == 0, result.stdout + result.stderr
