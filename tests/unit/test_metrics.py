"""The catalogue of metrics: names, help, labels, and that operators can look each one up."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families

from streams import metrics

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "operations.md"
SOURCE = "\n".join(
    path.read_text(encoding="utf-8")
    for package in ("streams", "sinks")
    for path in sorted((ROOT / package).rglob("*.py"))
    if path != Path(metrics.__file__)
)
CATALOGUE = {name: value for name, value in vars(metrics).items() if isinstance(value, MetricWrapperBase)}


def exported_name(metric: MetricWrapperBase) -> str:
    """The name that an operator sees: counters end in _total, infos in _info."""
    (described,) = metric.describe()
    return described.name + {"counter": "_total", "info": "_info"}.get(described.type, "")


@pytest.mark.parametrize("constant", sorted(CATALOGUE))
def test_named_after_what_it_counts(constant: str) -> None:
    metric = CATALOGUE[constant]
    (described,) = metric.describe()
    assert described.name.startswith("rihla_")
    assert described.documentation.endswith(".")
    stem = constant.lower().removesuffix("_lag")  # CONSUMER_LAG is rihla_consumer_lag_records
    assert described.name.removeprefix("rihla_").startswith(stem)


@pytest.mark.parametrize("constant", sorted(CATALOGUE))
def test_operators_can_look_it_up(constant: str) -> None:
    assert f"`{exported_name(CATALOGUE[constant])}" in DOCS.read_text(encoding="utf-8")


@pytest.mark.parametrize("constant", sorted(CATALOGUE.keys() - {"BUILD"}))
def test_some_worker_keeps_it(constant: str) -> None:
    """A metric that nobody touches is a panel without data and an alert that never fires."""
    assert re.search(rf"\bmetrics\.{constant}\b|\bimport\b[^\n]*\b{constant}\b", SOURCE), constant


def test_build_info_names_the_installed_version() -> None:
    registry = CollectorRegistry()
    registry.register(metrics.BUILD)
    (family,) = text_string_to_metric_families(generate_latest(registry).decode())
    (sample,) = family.samples
    assert (sample.name, sample.labels, sample.value) == ("rihla_build_info", {"version": version("rihla")}, 1.0)


def test_partition_gauge_can_be_withdrawn() -> None:
    registry = CollectorRegistry()
    registry.register(metrics.CONSUMER_LAG)
    metrics.CONSUMER_LAG.labels("cx.withdrawn", 0).set(7)
    assert b'topic="cx.withdrawn"' in generate_latest(registry)
    metrics.CONSUMER_LAG.remove("cx.withdrawn", 0)
    assert b'topic="cx.withdrawn"' not in generate_latest(registry)
