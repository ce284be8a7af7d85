"""Prometheus's own judgement of its configuration, of the alert rules and their tests, and of the dashboard's PromQL.

Needs promtool (Debian package prometheus). Where it is missing the tests are skipped, unless RIHLA_REQUIRE_PROMTOOL=1.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
PROMTOOL = shutil.which("promtool")

pytestmark = pytest.mark.skipif(
    PROMTOOL is None and os.environ.get("RIHLA_REQUIRE_PROMTOOL") != "1",
    reason="promtool is not installed (Debian package prometheus)",
)


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PROMTOOL or "promtool", *arguments], capture_output=True, text=True, check=False)


def test_configuration() -> None:
    result = promtool("check", "config", DEPLOY / "prometheus/prometheus.yml")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "2 rule files found" in result.stdout


@pytest.mark.parametrize("name", ["rihla", "slo"])
def test_alert_rules_fire_when_they_must(name: str) -> None:
    result = promtool("test", "rules", DEPLOY / f"prometheus/tests/{name}.yml")
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("name", ["rihla", "slo"])
def test_every_alert_is_tested_firing(name: str) -> None:
    rules = yaml.safe_load((DEPLOY / f"prometheus/rules/{name}.yml").read_text(encoding="utf-8"))
    tests = yaml.safe_load((DEPLOY / f"prometheus/tests/{name}.yml").read_text(encoding="utf-8"))
    cases = [case for test in tests["tests"] for case in test["alert_rule_test"]]
    firing = {case["alertname"] for case in cases if case.get("exp_alerts")}
    silent = {case["alertname"] for case in cases if not case.get("exp_alerts")}
    alerts = {rule["alert"] for group in rules["groups"] for rule in group["rules"] if "alert" in rule}
    assert firing == silent == alerts


def test_a_loosened_rule_fails_its_tests(tmp_path: Path) -> None:
    shutil.copytree(DEPLOY / "prometheus", tmp_path, dirs_exist_ok=True)
    rules = tmp_path / "rules/rihla.yml"
    text = rules.read_text(encoding="utf-8")
    assert "> 60" in text
    rules.write_text(text.replace("> 60", "> 6000"), encoding="utf-8")
    result = promtool("test", "rules", tmp_path / "tests/rihla.yml")
    assert result.returncode != 0
    assert "RihlaEventToTableSlow" in result.stdout + result.stderr


def test_a_page_needs_both_windows_of_a_pair(tmp_path: Path) -> None:
    shutil.copytree(DEPLOY / "prometheus", tmp_path, dirs_exist_ok=True)
    rules = tmp_path / "rules/slo.yml"
    text = rules.read_text(encoding="utf-8")
    alone = re.sub(r" and rihla:\w+:ratio_rate30m > 6 \* [\d.]+", "", text)
    assert alone != text
    rules.write_text(alone, encoding="utf-8")
    result = promtool("test", "rules", tmp_path / "tests/slo.yml")
    assert result.returncode != 0
    assert "RihlaFreshnessBurning" in result.stdout + result.stderr


def test_dashboard_expressions_are_promql(tmp_path: Path) -> None:
    dashboard = json.loads((DEPLOY / "grafana/dashboards/rihla-pipeline.json").read_text(encoding="utf-8"))
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    assert expressions
    rules = [
        {"record": f"dashboard:expression{number}", "expr": expression.replace("$__rate_interval", "1m")}
        for number, expression in enumerate(expressions)
    ]
    path = tmp_path / "dashboard.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}), encoding="utf-8")
    result = promtool("check", "rules", path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{len(rules)} rules found" in result.stdout
