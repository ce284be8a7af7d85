"""Which RIHLA_ variables there are, and that a misspelt one is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from streams.variables import FILE, FOREIGN, known, misspelt, sentence

ROOT = Path(__file__).parents[2]
PLACEHOLDERS = {"RIHLA_X", "RIHLA_X_FILE", "RIHLA_SSL", "RIHLA_BROKER"}


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("RIHLA_BROKER", "RIHLA_BROKERS"),
        ("RIHLA_CLICKHOUS", "RIHLA_CLICKHOUSE"),
        ("RIHLA_SESION_TIMEOUT", "RIHLA_SESSION_TIMEOUT"),
        ("RIHLA_XYZZY_PLUGH", None),
    ],
)
def test_a_misspelt_one_is_told_with_the_nearest(name: str, nearest: str | None) -> None:
    assert misspelt({name: "1", "RIHLA_BROKERS": "h:1", "PATH": "x"}) == {name: nearest}
    assert (nearest or "nothing") in sentence(name, nearest)


def test_files_of_values_and_the_tests_own_are_none() -> None:
    assert misspelt({"RIHLA_CLICKHOUSE_FILE": "/run/secrets/x", "RIHLA_TEST_PAUSE": "1"}) == {}


def test_what_kubernetes_says_of_services_is_none_and_a_misspelt_port_is() -> None:
    links = {
        "RIHLA_SINK_SERVICE_HOST": "10.0.0.7",
        "RIHLA_SINK_SERVICE_PORT": "9100",
        "RIHLA_SINK_SERVICE_PORT_METRICS": "9100",
        "RIHLA_SINK_PORT": "tcp://10.0.0.7:9100",
        "RIHLA_SINK_PORT_9100_TCP": "tcp://10.0.0.7:9100",
        "RIHLA_SINK_PORT_9100_TCP_ADDR": "10.0.0.7",
    }
    assert misspelt({**links, "RIHLA_METRIC_PORT": "9100"}) == {"RIHLA_METRIC_PORT": "RIHLA_METRICS_PORT"}


def test_every_variable_that_is_named_anywhere_is_known() -> None:
    """Else `rihla doctor` would call it misspelt: a new one is a field of Settings, or stands in FURTHER."""
    named: set[str] = set()
    for folder in ("streams", "sinks", "schemas", "deploy", "docs"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".md", ".yaml", ".yml") and path.name != "variables.py":
                named.update(re.findall(r"\bRIHLA_[A-Z][A-Z_]*[A-Z]\b", path.read_text(encoding="utf-8")))
    odd = {name for name in named - PLACEHOLDERS if name.removesuffix(FILE) not in known() and name not in known()}
    assert {name for name in odd if not name.startswith(FOREIGN)} == set()
