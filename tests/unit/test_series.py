"""Every labelled counter and histogram exists from a worker's start, with all values of its labels."""

from __future__ import annotations

import subprocess
import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families

from streams.model.dead_letter import REASONS
from streams.series import labelled
from streams.topology import PROCESSES, SERVICES_BY_NAME

STARTED = """
import importlib, sys
from prometheus_client import generate_latest
from streams.kafka.app import build
from streams.settings import Settings
from streams.topology import WORKERS_BY_NAME
settings, worker = Settings(), sys.argv[1]
importlib.import_module(WORKERS_BY_NAME[worker].module).create(build(settings, worker), settings)
sys.stdout.write(generate_latest().decode())
"""
"""A process of its own: here others have counted."""
SERVED = """
import importlib, sys
from prometheus_client import generate_latest
from streams.series import begin
from streams.settings import Settings
from streams.topology import SERVICES_BY_NAME
service = SERVICES_BY_NAME[sys.argv[1]]
begin(Settings(), service, importlib.import_module(service.module).KNOWN)
sys.stdout.write(generate_latest().decode())
"""
"""The same of a service."""


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    """Worker: what it tells Prometheus before anything has happened."""
    return {
        worker: subprocess.run(
            [sys.executable, "-c", SERVED if worker in SERVICES_BY_NAME else STARTED, worker],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for worker in PROCESSES
    }


def samples(page: str) -> dict[str, list[dict[str, str]]]:
    """The labels of each series, by the name of its metric."""
    families = text_string_to_metric_families(page)
    return {family.name: [sample.labels for sample in family.samples] for family in families}


def test_every_one_is_born_in_some_worker(pages: dict[str, str]) -> None:
    born = {name for page in pages.values() for name, series in samples(page).items() if series}
    for metric in labelled():
        (family,) = metric.describe()
        assert family.name in born, (
            f"{family.name}{{{', '.join(metric._labelnames)}}} is born with its first event: `increase` does not "
            f"see that one. Give its labels' values to `count_from_zero` in the agent that counts, or to streams.series"
        )


@pytest.mark.parametrize("worker", PROCESSES)
def test_every_reason_of_every_worker_is_there(worker: str, pages: dict[str, str]) -> None:
    series = samples(pages[worker])["rihla_dead_letters"]
    assert {labels["reason"] for labels in series} == {*REASONS}
    assert {labels["worker"] for labels in series} == {worker}


def test_a_label_without_a_closed_list_is_found() -> None:
    """What the first test would say of a counter that somebody adds without the values of its label."""
    page = subprocess.run(
        [
            sys.executable,
            "-c",
            "from streams import metrics\nfrom prometheus_client import Counter\n"
            "metrics.FORGOTTEN = Counter('rihla_forgotten_total', 'F.', ['worker', 'whim'])\n" + STARTED,
            "enrich",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert samples(page)["rihla_forgotten"] == []
    assert samples(page)["rihla_dead_letters"]
