"""Which releases of Rihla may work on the same topics, and what one that may not says when it is started."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest

from streams.kafka.topics import ensure_topics
from streams.metrics import package_version
from streams.worker import release
from streams.worker.release import Mark, ReleaseError, refusal
from tests.support.brokers import Broker
from tests.support.waiting import HUNG

OURS = range(2, 4)  # reads format 2, and writes 3


def marks(**formats: int) -> list[Mark]:
    return [Mark(worker, f"0.{number}.0", number) for worker, number in formats.items()]


def test_releases_of_one_format_join_and_a_new_pipeline_takes_any() -> None:
    assert refusal([], OURS, None) is None
    assert refusal(marks(enrich=3, stitch=3), OURS, None) is None


@pytest.mark.parametrize(
    ("there", "replaces", "said", "hint"),
    [
        ({"enrich": 3, "stitch": 4}, None, "stitch of release 0.4.0 (format 4) has worked", "start release 0.4.0"),
        ({"sink": 4}, 4, "knows formats up to 3", "go back"),  # nobody can say that away
        ({"sink": 1}, None, "reads formats from 2", "by way of a release that reads format 1"),
        ({"enrich": 3, "sink": 2}, None, "cannot run beside it", "RIHLA_REPLACES_FORMAT=2"),
        ({"enrich": 2, "sink": 4}, 2, "sink of release 0.4.0", "start release 0.4.0"),
    ],
)
def test_what_cannot_be_mixed_is_refused(there: dict[str, int], replaces: int | None, said: str, hint: str) -> None:
    wrong = refusal(marks(**there), OURS, replaces)
    assert wrong is not None
    assert said in str(wrong)
    assert hint in str(wrong.hint)


def test_one_that_replaces_what_has_been_stopped_joins() -> None:
    assert refusal(marks(enrich=2, stitch=3), OURS, 2) is None


async def test_a_worker_leaves_its_mark_once_and_a_service_none(
    memory_broker: Broker, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = memory_broker.settings(topic_prefix)
    await ensure_topics(settings)
    await release.join(settings, "stitch")
    await release.join(settings, "serve")
    await release.join(settings, "stitch")
    assert await release._read(settings) == {"stitch": Mark("stitch", package_version(), release.FORMAT)}
    monkeypatch.setattr(release, "FORMAT", release.FORMAT + 1)
    with pytest.raises(ReleaseError, match="cannot run beside"):
        await release.join(settings, "serve")
    monkeypatch.setenv(release.REPLACES, str(release.FORMAT - 1))
    await release.join(settings, "stitch")
    monkeypatch.undo()
    with pytest.raises(ReleaseError, match="has worked on these topics"):
        await release.join(settings, "enrich")


async def test_an_older_worker_ends_at_its_start_with_a_sentence(
    memory_broker: Broker, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = memory_broker.settings(topic_prefix)
    await ensure_topics(settings)
    monkeypatch.setattr(release, "FORMAT", release.FORMAT + 1)
    monkeypatch.setattr(release, "package_version", lambda: "7.0.0")
    await release.join(settings, "sink")
    environment = {**os.environ, "RIHLA_BROKERS": settings.brokers, "RIHLA_PREFIX": settings.prefix}
    command = [sys.executable, "-m", "streams.cli", "worker", "enrich", "--metrics-port", "0"]
    ended = await asyncio.to_thread(
        subprocess.run, command, env=environment, capture_output=True, text=True, timeout=HUNG, check=False
    )
    assert ended.returncode == 1
    assert "sink of release 7.0.0 (format 2) has worked on these topics" in ended.stderr
    assert "Traceback" not in ended.stderr
