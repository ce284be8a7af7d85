"""Customer 360 keeps what its OpenAPI document promises, whatever comes: schemathesis finds nothing."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from streams.serve.openapi import document
from tests.support.waiting import HUNG
from tests.unit.test_serve_api import Served, serving

FEW = 8
EXAMPLES = int(os.environ.get("OPENAPI_EXAMPLES", FEW))
"""Requests a route; `make clients` makes many, and the covering ones besides."""

load_all_checks()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Customer 360 over some rows, in a thread of its own: its address."""
    found: list[Served] = []
    there, done = threading.Event(), threading.Event()
    folder: Path = tmp_path_factory.mktemp("serve")

    async def run() -> None:
        async with serving(folder) as on:
            found.append(on)
            there.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    assert there.wait(HUNG)
    yield found[0].url
    done.set()
    thread.join()


schema = schemathesis.openapi.from_dict(document())
schema.config.phases.coverage.enabled = EXAMPLES > FEW  # some hundred requests a route


@schema.exclude(path_regex="/events$").parametrize()  # streams have no end: tests/unit/test_serve_api.py
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_answer_is_one_that_is_documented(case: schemathesis.Case, served: str) -> None:
    query = case.query or {}
    unsaid = query.get("reveal") == "true" and not str(query.get("reason", "")).strip()
    case.call_and_validate(
        base_url=served,
        headers={"Authorization": "Bearer ops"},
        # Parameters of other names are passed over. That reveal=true needs a reason no schema of one of them can say.
        excluded_checks=[negative_data_rejection, *([positive_data_acceptance] if unsaid else [])],
        timeout=HUNG,
    )


def test_the_document_is_openapi() -> None:
    schema.validate()
    labels = {operation.ok().label for operation in schema.get_all_operations()}
    assert labels == {f"{method.upper()} {path}" for path, of in document()["paths"].items() for method in of}
