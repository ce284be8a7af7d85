"""What all tests share."""

from __future__ import annotations

import asyncio
import inspect
import os

import pytest
from hypothesis import HealthCheck, settings

from streams import compiled

# Both fail by the clock: on a busy machine examples take long to make, and to run.
settings.register_profile("any-load", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# What is compiled is the same source: whether Python runs it too takes fewer examples than whether it is right.
settings.register_profile("plain", settings.get_profile("any-load"), max_examples=20)
PLAIN = os.environ.get("RIHLA_PLAIN") == "1"
settings.load_profile("plain" if PLAIN else "any-load")

# For every JVM that a test starts. They live for seconds: the second compiler takes half of the CPU of a start, and
# pays for none of it.
os.environ.setdefault("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1")

pytest_plugins = ["tests.support.brokers", "tests.support.clickhouse"]


def pytest_sessionstart() -> None:
    """Compiled modules hide their source: tests of what was there before would say nothing."""
    if changed := compiled.stale():
        raise pytest.UsageError(f"changed since they were compiled: {', '.join(map(str, changed))}; run `make compile`")
    if PLAIN and (modules := compiled.modules()):
        raise pytest.UsageError(f"these tests are to run without compiled modules, and there are {len(modules)}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that names its number of examples has the profile's on the plain tree, if those are fewer."""
    fewest = settings.default.max_examples if PLAIN else None
    for item in items:
        test = getattr(item, "obj", None)
        own = getattr(test, "_hypothesis_internal_use_settings", None)
        if fewest is not None and own is not None and own.max_examples > fewest:
            test._hypothesis_internal_use_settings = settings(own, max_examples=fewest)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """A test that is a coroutine runs in an event loop of its own.

    Fixtures do not: they are set up before the loop and torn down after it. So a fixture may call asyncio.run.
    """
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}))
    return True
