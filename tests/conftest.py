"""What all tests share."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

from streams import compiled

# Both fail by the clock: on a busy machine examples take long to make, and to run.
settings.register_profile("any-load", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-load")

pytest_plugins = ["tests.support.brokers", "tests.support.clickhouse"]


def pytest_sessionstart() -> None:
    """Compiled modules hide their source: tests of what was there before would say nothing."""
    if changed := compiled.stale():
        raise pytest.UsageError(f"changed since they were compiled: {', '.join(map(str, changed))}; run `make compile`")
    if os.environ.get("RIHLA_PLAIN") == "1" and (modules := compiled.modules()):
        raise pytest.UsageError(f"these tests are to run without compiled modules, and there are {len(modules)}")
