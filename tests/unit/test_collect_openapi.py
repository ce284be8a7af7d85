"""The collector keeps what its OpenAPI document promises, whatever comes: schemathesis finds nothing."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from streams.collect.openapi import document
from tests.support.collector import TOKEN, Served, serving
from tests.support.waiting import HUNG

FEW = 8
EXAMPLES = int(os.environ.get("OPENAPI_EXAMPLES", FEW))
"""Requests a route; `make clients` makes many, and the covering ones besides."""

load_all_checks()


@pytest.fixture(scope="module")
def collector() -> Iterator[str]:
    """A collector in a thread of its own: its address."""
    found: list[Served] = []
    there, done = threading.Event(), threading.Event()

    async def run() -> None:
        async with serving() as on:
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


@schema.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_answer_is_one_that_is_documented(case: schemathesis.Case, collector: str) -> None:
    case.call_and_validate(
        base_url=collector,
        headers={"Authorization": f"Bearer {TOKEN}"},
        # An event of the right form may break a rule (nobody is named), and one of the wrong form may be understood (a
        # number as text): tests/unit/test_collect.py has those.
        excluded_checks=[positive_data_acceptance, negative_data_rejection],
        timeout=HUNG,
    )


def test_the_document_is_openapi() -> None:
    schema.validate()
    labels = {operation.ok().label for operation in schema.get_all_operations()}
    assert {"POST /v1/events", "POST /v1/batch", "POST /v1/webhooks/{name}"} <= labels
