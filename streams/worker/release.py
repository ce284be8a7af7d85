"""Which releases of Rihla have worked on a pipeline's topics, and whether this one may join them.

Every worker leaves a mark in the topic of schemas before it reads its first record: its release, and the *format* of
what that release writes for other workers and for its own successor (records, states in changelogs, requests).
Releases of one format run beside each other, and take over from each other. A release of a later format joins only
when a person says that no worker of the old one runs any more; the old one does not start after it. Without this, a
worker would meet records and states that it cannot read, and end in a crash loop or in dead letters.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass

from aiokafka import TopicPartition

from streams.errors import RihlaError
from streams.kafka import clients
from streams.metrics import package_version
from streams.model.digits import number_of
from streams.settings import Settings
from streams.topology import SCHEMAS, WORKERS_BY_NAME

FORMAT = 1
"""Raised by one when workers of the release before cannot read what this one writes, or the other way around. Releases
before there were marks (0.1) have format 1, too."""
READS = 1
"""The oldest format whose records and states this release reads."""
REPLACES = "RIHLA_REPLACES_FORMAT"
"""Variable that says of which format all workers have been stopped, so that this release may follow it."""
MARK = b"release/"
"""What the key of a mark begins with; the worker's name follows. The keys of schemas begin with an address."""
PAGE = "docs/release.md"
WAIT_MS = 500


class ReleaseError(RihlaError):
    """This release cannot work beside, or after, another one."""


@dataclass(frozen=True)
class Mark:
    """What the process of a worker that started last has left."""

    worker: str
    release: str
    format: int


def refusal(marks: Iterable[Mark], formats: range, replaces: int | None) -> ReleaseError | None:
    """Why a release may not join; None: it may.

    marks: those that are there. formats: from the oldest that the release reads to its own, which is the last.
    replaces: the format of which a person says that all workers have been stopped.
    """
    ours, us = formats[-1], f"this is release {package_version()}"
    for mark in sorted(marks, key=lambda mark: -abs(mark.format - ours)):
        theirs = f"{mark.worker} of release {mark.release} (format {mark.format})"
        if mark.format > ours:
            return ReleaseError(
                f"{theirs} has worked on these topics, and {us}, which knows formats up to {ours}",
                f"start release {mark.release} or a later one; how to go back is said in {PAGE}",
            )
        if mark.format not in formats:
            return ReleaseError(
                f"the topics are of {theirs}, and {us}, which reads formats from {formats[0]}",
                f"upgrade by way of a release that reads format {mark.format}: {PAGE}",
            )
        if mark.format < ours and mark.format != replaces:
            return ReleaseError(
                f"{theirs} has worked on these topics, and {us} (format {ours}), which cannot run beside it",
                f"stop every worker of release {mark.release}, then start these with {REPLACES}={mark.format}: {PAGE}",
            )
    return None


async def join(settings: Settings, worker: str) -> None:
    """Leave this release's mark, if it may join those that are there. The topics must exist.

    Services, which hold nothing that another release would take over, look and leave none. On the embedded broker,
    whose topics are new at each start, there are no marks. Raises ReleaseError, and aiokafka's KafkaError.
    """
    if settings.embedded:
        return
    marks = await _read(settings)
    wrong = refusal(marks.values(), range(READS, FORMAT + 1), number_of(os.environ.get(REPLACES, "")))
    if wrong is not None:
        raise wrong
    mark = Mark(worker, package_version(), FORMAT)
    if worker not in WORKERS_BY_NAME or marks.get(worker) == mark:
        return
    producer = clients.producer(settings, acks="all")
    await producer.start()
    try:
        value = json.dumps({"release": mark.release, "format": mark.format}).encode()
        await producer.send_and_wait(settings.topic(SCHEMAS), value, MARK + worker.encode(), partition=0)
    finally:
        await producer.stop()


async def _read(settings: Settings) -> dict[str, Mark]:
    """The marks by worker."""
    consumer = clients.consumer(settings, group_id=None, enable_auto_commit=False)
    await consumer.start()
    try:
        partition = TopicPartition(settings.topic(SCHEMAS), 0)
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        await consumer.seek_to_beginning(partition)
        marks: dict[str, Mark] = {}
        while await consumer.position(partition) < end:
            for records in (await consumer.getmany(timeout_ms=WAIT_MS)).values():
                for record in records:
                    if (record.key or b"").startswith(MARK) and record.value is not None:
                        said = json.loads(record.value)
                        worker = record.key.removeprefix(MARK).decode()
                        marks[worker] = Mark(worker, str(said["release"]), int(said["format"]))
        return marks
    finally:
        await consumer.stop()
