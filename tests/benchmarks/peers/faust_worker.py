"""Stitch the usual Faust way: an event at a time, fastavro, a stock table with its changelog, a send for each record.

To the good of Faust: the workers' event loop (uvloop), their thresholds of the cycle collector, no erasures, no alert
rules.

    python -m tests.benchmarks.peers.faust_worker BROKERS PREFIX PARTITIONS FOLDER
"""

from __future__ import annotations

import gc
import sys
from typing import Any

import faust

from streams.kafka.app import run_worker
from streams.logs import configure_logging
from streams.settings import Settings
from streams.worker.process import GC_THRESHOLDS
from tests.benchmarks.peers.records import PUBLISHED, Folder


def build(settings: Settings) -> faust.App:
    """The app: group `<prefix>-stitch`, as the worker's."""
    app = faust.App(
        settings.group("stitch"),
        broker=[f"kafka://{address}" for address in settings.broker_list],
        store="memory://",
        autodiscover=False,
        key_serializer="raw",
        value_serializer="raw",
        topic_partitions=settings.partitions,
        topic_disable_leader=True,
        web_enabled=False,
        worker_redirect_stdouts=False,
        consumer_auto_offset_reset="earliest",
        broker_max_poll_records=settings.max_poll_records,
        broker_session_timeout=10.0,
        broker_heartbeat_interval=1.0,
        broker_rebalance_timeout=6.0,
        broker_commit_interval=1.0,
        producer_acks=-1,
        producer_linger_ms=20,  # fewer, larger requests: a little to the good of Faust
    )
    table = app.Table("state", key_type=bytes, value_type=bytes, partitions=settings.partitions)
    outputs = {
        topic: app.topic(settings.topic(topic), key_serializer="raw", value_serializer="raw")
        for topic, _, _, _ in PUBLISHED
    }
    folder = Folder()

    @app.agent(app.topic(settings.topic("interactions"), key_serializer="raw", value_serializer="raw"))
    async def stitch(stream: Any) -> None:
        async for message in stream.events():
            event = folder.event(message.value)
            state, changes = folder.fold(message.key.decode(), message.message.offset, event, table.get(message.key))
            table[message.key] = state
            for topic, key, value in folder.publications(changes):
                await outputs[topic].send(key=key, value=value)

    return app


if __name__ == "__main__":
    configure_logging()
    brokers, prefix, partitions, _ = sys.argv[1:]
    rival = build(Settings(brokers=brokers, prefix=prefix, partitions=int(partitions), embedded=True))
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    sys.exit(run_worker(rival))
