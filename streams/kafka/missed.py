"""Records that were deleted before a worker's group had read them: logged, counted, and sent to the dead letters.

This happens when a group was away for longer than retention keeps its input. A group without a commit (a new one, or
one whose commits the broker dropped after seven days without a member) sees the same when the log begins past offset 0.
For the channels' topics that is usual: they may be older than the pipeline. For Rihla's own topics it is a loss.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from typing import NamedTuple

from streams import metrics
from streams.model.dead_letter import EXPIRED, DeadLetter

CURES = {
    "enrich": "if their source can still send them, have it do so: what was read before changes nothing",
    "identity": "rihla restore sends the links of every stored event again",
    "stitch": "rihla restore sends again what ClickHouse has stored of them",
    "sink": "what enrich can still read of the channels comes again once its group is reset to the earliest offsets",
}
"""By worker: how what was missed comes back."""

log = logging.getLogger(__name__)


class Missed(NamedTuple):
    """Offsets [first, end) of a partition that a group was never given. committed: it had read up to `first`."""

    topic: str
    partition: int
    first: int
    end: int
    committed: bool

    def detail(self, worker: str) -> str:
        """A sentence for people."""
        count = self.end - self.first
        which = f"offsets {self.first} to {self.end - 1} were deleted"
        if self.committed:
            return f"{which} by retention before {worker} read them ({count} records at most)"
        return f"{which}, and {worker} has no commit: it may never have read them ({count} records at most)"


def tell(missed: Missed, worker: str, channels: Collection[str]) -> bool:
    """Log and count missed records. True: they are a loss, and a dead letter should record it.

    channels: full names of the topics of the channels.
    """
    where = f"{missed.topic}[{missed.partition}]: {missed.detail(worker)}"
    if not missed.committed and missed.topic in channels:
        log.warning("%s; reading begins at offset %d", where, missed.end)
        return False
    metrics.RECORDS_MISSED.labels(worker, missed.topic).inc(missed.end - missed.first)
    log.error("%s; %s", where, CURES.get(worker, "rihla verify tells what differs"))
    return True


def letters(missed: Iterable[Missed], worker: str) -> list[DeadLetter]:
    """Dead letters about missed records, where `rihla query dead_letters` and `rihla verify` find them.

    The payload is lost; the worker's name takes its place, so that two workers that missed the same have two letters.
    """
    name = worker.encode()
    return [DeadLetter(one.topic, one.partition, one.first, None, name, EXPIRED, one.detail(worker)) for one in missed]
