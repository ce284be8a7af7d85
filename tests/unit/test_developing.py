"""docs/developing.md names layers, files and tests that are there; what its recipes ask for is held."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from streams.alerts import rules
from streams.model import catalogue
from streams.topology import WORKERS

ROOT = Path(__file__).parents[2]
LANGUAGES = ("ar", "en", "fr", "id", "tr", "ur")
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
    packages = (worker.module.rpartition(".")[0] for worker in WORKERS)
    # sinks/clickhouse beside the sink worker is a library
    assert sorted(apart) == sorted("sinks.agent" if package == "sinks" else package for package in packages)


def test_every_alert_rule_is_on_its_page() -> None:
    page = (ROOT / "docs/alerts.md").read_text("utf-8")
    table = page[page.index("| rule |") : page.index("A rule is a table")]
    severities = {name: rule.severity for name, rule in rules.load().items()}
    assert dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", table, re.MULTILINE)) == severities


def test_every_recipe_lists_its_files_and_the_tests_that_hold_it() -> None:
    recipes = PAGE[PAGE.index("## Recipes") : PAGE.index("## Wheels and lock files")].split("\n### ")[1:]
    assert len(recipes) == 10
    assert [one.partition("\n")[0] for one in recipes if "\nFiles: " not in one or "Held by `test_" not in one] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_alert_rule_has_a_name_on_the_desk(language: str) -> None:
    """Without one staff would read the gravest alerts in the words of the file, in English."""
    assert [name for name in rules.load() if f"rule.{name}" not in _texts(language)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_touchpoint_has_a_name_on_the_desk(language: str) -> None:
    """A name of all channels (`touchpoint.complaint_made`) or, as the page looks it up first, of one."""
    texts = _texts(language)
    named = ({f"touchpoint.{name}", f"touchpoint.{name.partition('.')[2]}"} for name in catalogue.load())
    assert [names for names in named if not names & texts.keys()] == []


def _texts(language: str) -> dict[str, str]:
    texts: dict[str, str] = json.loads((ROOT / f"streams/serve/desk/page/{language}.json").read_text("utf-8"))
    return texts
