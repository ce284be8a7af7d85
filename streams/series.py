"""Makes a worker's series exist from its start, at zero: `increase` and `rate` miss the first value of a new series.

A label's values are a closed list wherever a metric of streams.metrics is counted by them: here where every worker has
the same, else in the agent that counts. A metric whose labels are all known comes into being with every combination;
a test fails for one that no worker brings into being.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import product

from prometheus_client import Counter, Histogram
from prometheus_client.metrics import MetricWrapperBase

from streams import metrics
from streams.model.dead_letter import REASONS
from streams.settings import Settings
from streams.topology import DEAD_LETTERS, Service, Worker

Known = Mapping[str, Iterable[str | tuple[str, ...]]]
"""Values by label; of labels that belong together (names separated by a space), tuples."""

EVERYWHERE: Known = {
    "reason": REASONS,
    "kind": ("outage", "refused"),  # of the schema registry
}
"""Closed lists that are the same for every worker."""


def begin(settings: Settings, worker: Worker | Service, known: Known) -> None:
    """Bring a worker's, or a service's, counters and histograms into being.

    known: values of labels that the topology does not know.
    """
    read = [settings.topic(topic) for topic in worker.reads]
    written = [settings.topic(topic) for topic in (*worker.writes, DEAD_LETTERS)]
    for metric in labelled():
        topics = written if metric is metrics.RECORDS_WRITTEN else read
        of_worker = {"worker": (worker.name,), "topic": topics, "stage": worker.stages}
        for labels in _combinations(metric, {**of_worker, **EVERYWHERE, **known}):
            metric.labels(**labels)


def labelled() -> list[MetricWrapperBase]:
    """The counters and histograms that have labels. (Gauges are set when there is something to tell.)"""
    declared = [value for value in vars(metrics).values() if isinstance(value, Counter | Histogram)]
    return [metric for metric in declared if metric._labelnames]


def _combinations(metric: MetricWrapperBase, known: Known) -> Iterator[dict[str, str]]:
    """Labels of each series of a metric; none where a label's values are not known."""
    wanted = set(metric._labelnames)
    groups = {tuple(names.split()): values for names, values in known.items() if wanted.issuperset(names.split())}
    if {name for names in groups for name in names} != wanted:
        return
    for values in product(*groups.values()):
        labels: dict[str, str] = {}
        for names, value in zip(groups, values, strict=True):
            labels.update(zip(names, (value,) if isinstance(value, str) else value, strict=True))
        yield labels
