"""One browser for all of these tests: to start one costs more than most of them. It lives in one event loop, in which
the tests run, each with a profile of its own."""

from __future__ import annotations

import asyncio
import inspect
import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.async_api import Browser

from tests.support.desk import CHROMIUM, chromium

_RUNNER = pytest.StashKey[asyncio.Runner]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without Chromium (Debian package chromium) they are skipped, unless RIHLA_REQUIRE_CHROMIUM=1."""
    if shutil.which(CHROMIUM) is None and os.environ.get("RIHLA_REQUIRE_CHROMIUM") != "1":
        for item in items:
            if "browser" in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.skip(reason="Chromium is missing (Debian package chromium)"))


@pytest.fixture(scope="session")
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    """Debian's Chromium."""
    with asyncio.Runner() as runner:
        request.config.stash[_RUNNER] = runner
        starting = chromium()
        yield runner.run(starting.__aenter__())
        runner.run(starting.__aexit__(None, None, None))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """A test that has the browser runs in its loop."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj) or "browser" not in pyfuncitem.funcargs:
        return None
    runner = pyfuncitem.config.stash[_RUNNER]
    runner.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}))
    return True
