"""Stitch with Quix Streams: a streaming dataframe, state in RocksDB with a changelog topic, at-least-once.

To the good of Quix Streams: one output step whose topic each record chooses; a branch for each of the four topics would
copy every value for each.

    python -m tests.benchmarks.peers.quix_worker BROKERS PREFIX PARTITIONS FOLDER
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from quixstreams import Application, State, message_context
from quixstreams.models import Serializer, TopicConfig

from tests.benchmarks.peers.records import PUBLISHED, Folder

Published = tuple[str, bytes, bytes]
"""Topic (without prefix), key, payload."""


class Payload(Serializer):  # type: ignore[misc]  # untyped
    """The payload of what is published."""

    def __call__(self, value: Published, ctx: Any) -> bytes:
        return value[2]


def build(brokers: str, prefix: str, partitions: int, folder: str) -> Application:
    """The application: group `<prefix>-stitch`, its usual commit interval."""
    app = Application(
        broker_address=brokers,
        consumer_group=f"{prefix}-stitch",
        auto_offset_reset="earliest",
        state_dir=f"{folder}/quix",
        use_changelog_topics=True,
        loglevel="WARNING",
    )
    config = TopicConfig(num_partitions=partitions, replication_factor=1)
    interactions = app.topic(f"{prefix}.interactions", "bytes", "bytes", config=config)
    # The embedded broker does not tell it, and Quix Streams cannot do without.
    interactions.broker_config.extra_config.setdefault("retention.ms", "-1")
    outputs = {
        topic: app.topic(f"{prefix}.{topic}", value_serializer=Payload(), key_serializer="bytes", config=config)
        for topic, *_ in PUBLISHED
    }
    job = Folder()

    def read(value: bytes, key: bytes, *_: Any) -> Any:
        return key.decode(), message_context().offset, job.event(value)

    def fold(value: Any, state: State) -> list[Published]:
        key, offset, event = value
        encoded, changes = job.fold(key, offset, event, state.get_bytes("subject", None))
        state.set_bytes("subject", encoded)
        return list(job.publications(changes))

    def each(published: list[Published]) -> Iterator[Published]:
        return iter(published)

    (
        app.dataframe(interactions)
        .apply(read, metadata=True)
        .apply(fold, stateful=True)
        .apply(each, expand=True)
        .to_topic(lambda value, *_: outputs[value[0]], key=lambda value: value[1])
    )
    return app


if __name__ == "__main__":
    build(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]).run()
