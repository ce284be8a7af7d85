"""Stitch in a plain loop over librdkafka with a dict: near what a record at a time can do in Python, nothing durable.

The state is gone when the process ends: there is no changelog, and nothing is read back. Offsets are committed once
what the records before them caused is sent.

    python -m tests.benchmarks.peers.confluent_worker BROKERS PREFIX PARTITIONS FOLDER
"""

from __future__ import annotations

import signal
import sys
from typing import Any

from confluent_kafka import Consumer, Producer

from tests.benchmarks.peers.records import Folder

AT_ONCE = 1000
"""Records a call: what consume() is for."""


def run(brokers: str, prefix: str) -> None:
    """Read, fold and publish until a signal ends the process."""
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": f"{prefix}-stitch",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    producer = Producer({"bootstrap.servers": brokers, "linger.ms": 20})
    consumer.subscribe([f"{prefix}.interactions"])
    folder, states = Folder(), dict[bytes, bytes | None]()
    failed: list[Any] = []

    def delivered(error: Any, message: Any) -> None:
        if error is not None:
            failed.append(error)

    while True:
        messages = consumer.consume(AT_ONCE, 0.5)
        for message in messages:
            if message.error():
                raise RuntimeError(str(message.error()))
            key = message.key()
            event = folder.event(message.value())
            states[key], changes = folder.fold(key.decode(), message.offset(), event, states.get(key))
            for topic, to, value in folder.publications(changes):
                producer.produce(f"{prefix}.{topic}", value, to, on_delivery=delivered)
            producer.poll(0)
        if messages:
            producer.flush()
            if failed:
                raise RuntimeError(str(failed[0]))
            consumer.commit(asynchronous=False)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    run(*sys.argv[1:3])
