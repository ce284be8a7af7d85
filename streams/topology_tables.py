"""The topology (streams.topology) as the tables that the documentation shows; `python -m streams.topology_tables`."""

from __future__ import annotations

from collections.abc import Iterator

from streams.topology import (
    CHANNEL_TOPICS,
    DEAD_LETTERS,
    ERASURES,
    MASTER_TOPICS,
    SCHEMAS,
    SERVICES,
    TOPICS,
    WORKERS,
    Service,
    Worker,
    readers,
)

_WRITTEN_BY = {
    DEAD_LETTERS: "every worker",
    SCHEMAS: "every worker",
    ERASURES: "`rihla forget`",
    "redeliveries": "`rihla replay deliveries`",
}
"""Writers of topics that are not in the `writes` of a worker."""


def workers_table() -> Iterator[str]:
    """The workers, as lines of a Markdown table."""
    yield "| worker | reads | writes | holds | scales to |"
    yield "| --- | --- | --- | --- | --- |"
    every: tuple[Worker | Service, ...] = (*WORKERS, *SERVICES)
    for worker in every:
        reads, writes = _names(worker.reads), _names(worker.writes)
        yield f"| {worker.name} | {reads} | {writes} | {worker.holds} | {worker.scales_to} |"


def topics_table() -> Iterator[str]:
    """The topics, as lines of a Markdown table."""
    yield "| topic | record | key | kept | partitions | written by | read by | stored in |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for topic in TOPICS:
        writers = [worker.name for worker in WORKERS if topic.name in worker.writes]
        edges = [service.name for service in SERVICES if topic.name in service.writes]
        written = _WRITTEN_BY.get(
            topic.name,
            ", ".join([*(["producers"] if topic.name in (*CHANNEL_TOPICS, *MASTER_TOPICS) else writers), *edges]),
        )
        others = (service.name for service in SERVICES if topic.name in service.reads)
        read = "every worker" if topic.name in (ERASURES, SCHEMAS) else ", ".join([*readers(topic.name), *others])
        partitions = topic.partitions or "`RIHLA_PARTITIONS`"
        stored = f"`{topic.stored.view}`" if topic.stored else ""
        yield (
            f"| `{topic.name}` | {topic.record or 'JSON'} | {topic.key} | {topic.retention} | {partitions} "
            f"| {written} | {read} | {stored} |"
        )


def _names(topics: tuple[str, ...]) -> str:
    """Names of topics for people: the channels are one thing."""
    shown = [name for name in topics if name not in CHANNEL_TOPICS]
    channels = ["the four channel topics"] if len(shown) < len(topics) else []
    return ", ".join([*channels, *(f"`{name}`" for name in shown)])


if __name__ == "__main__":
    print("\n".join([*workers_table(), "", *topics_table()]))
