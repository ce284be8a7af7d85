"""Stitch with Bytewax: a dataflow with a stateful step, Kafka in and out, recovery snapshots each epoch of ten seconds.

python -m tests.benchmarks.peers.bytewax_worker BROKERS PREFIX PARTITIONS FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from streams.stitch.journey import Event
from tests.benchmarks.peers.records import Folder


def build(brokers: str, prefix: str) -> Dataflow:
    """The dataflow: interactions in; everything that is published out, each record to its own topic."""
    job = Folder()

    def read(message: KafkaSourceMessage) -> tuple[str, tuple[str, int, Event]]:
        key = message.key.decode()
        return key, (key, message.offset, job.event(message.value))

    def fold(state: bytes | None, item: tuple[str, int, Event]) -> tuple[bytes | None, list[KafkaSinkMessage]]:
        encoded, changes = job.fold(*item, state)
        return encoded, [
            KafkaSinkMessage(key, value, topic=f"{prefix}.{topic}") for topic, key, value in job.publications(changes)
        ]

    flow = Dataflow("stitch")
    messages = op.input("interactions", flow, KafkaSource([brokers], [f"{prefix}.interactions"]))
    events = op.map("read", messages, read)
    published = op.stateful_flat_map("fold", events, fold)
    op.output("publish", op.map("unkey", published, lambda pair: pair[1]), KafkaSink([brokers], None))
    return flow


if __name__ == "__main__":
    recovery = Path(sys.argv[4]) / "bytewax"
    recovery.mkdir()
    init_db_dir(recovery, 1)
    cli_main(build(*sys.argv[1:3]), recovery_config=RecoveryConfig(str(recovery)))
