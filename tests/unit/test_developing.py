"""docs/developing.md names layers, files and tests that are there; what its recipes ask for is held."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from streams.alerts import rules
from streams.topology import WORKERS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/developing.md").read_text("utf-8")


def test_the_tree_is_that_of_the_layers() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    rows = re.findall(r"^\| \d+ \| ([^|]+) \|", PAGE, re.MULTILINE)
    shown = [{name.removesuffix(".py").replace("/", ".") for name in re.findall(r"`([^`]+)`", row)} for row in rows]
    assert shown == [set(re.split(r" [|:] ", layer)) for layer in layers]


def test_every_file_that_is_named_is_there() -> None:
    named = re.findall(r"`((?:streams|schemas|sinks|deploy|tests)/[a-z0-9_./*-]+)`", PAGE)
    assert len(named) > 40
    assert [name for name in named if not [*ROOT.glob(name)]] == []


def test_every_test_that_is_named_is_there() -> None:
    named = {*re.findall(r"`(test_\w+)`", PAGE)}
    assert named
    assert [name for name in sorted(named) if not (ROOT / f"tests/unit/{name}.py").exists()] == []


def test_every_worker_is_in_the_contract_of_workers() -> None:
    """import-linter says nothing of a package that no contract names."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    apart = next(contract["modules"] for contract in contracts if contract["type"] == "independence")
    assert sorted(apart) == sorted(worker.module.rpartition(".")[0] for worker in WORKERS)


def test_every_alert_rule_is_on_its_page() -> None:
    page = (ROOT / "docs/alerts.md").read_text("utf-8")
    table = page[page.index("| rule |") : page.index("A rule is a table")]
    severities = {name: rule.severity for name, rule in rules.load().items()}
    assert dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", table, re.MULTILINE)) == severities
