"""How long from an alert in its topic to its receiver: the deliver worker under a steady load, on loopback.

Starts the embedded broker and one worker, publishes RATE alerts a second, and measures from each alert's
time stamp in Kafka to its arrival.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

import numpy as np

from streams.embedded.tansu import Tansu
from streams.kafka.topics import ensure_topics
from tests.benchmarks.report import Outcome, tabulate
from tests.support.brokers import Broker, until
from tests.support.delivering import alert, deliver, publish, write_routes
from tests.support.receiver import receiving
from tests.support.waiting import PATIENCE
from tests.support.workers import producing

RATE, WARM = 100, 50


def measure(alerts: int) -> Outcome:
    """Publish so many alerts, RATE a second."""
    with tempfile.TemporaryDirectory(prefix="rihla-deliver-") as folder:
        found = asyncio.run(_measured(Path(folder), alerts))
    table = tabulate(["alert to receiver, s", *found], [["", *map(str, found.values())]])
    return Outcome(table, {f"deliver_{name}": value for name, value in found.items()})


async def _measured(folder: Path, alerts: int) -> dict[str, float]:
    """Quantiles in seconds, and the alerts a second that were really published."""
    process = Tansu(folder / "broker.log")
    await process.start()
    try:
        settings = Broker(process.address, True, process).settings("bench", partitions=2, session_timeout=6.0)
        await ensure_topics(settings)
        async with receiving() as receiver, producing(settings) as producer:
            write_routes(folder, receiver.url)
            with deliver(settings, folder):
                warm = [alert(-number, 1) for number in range(1, WARM + 1)]
                await publish(producer, settings, "alerts", "alert", [row["alert_id"] for row in warm], warm)
                await until(lambda: len(receiver.taken) >= WARM, PATIENCE, "the worker")
                sent: dict[str, float] = {}
                began, count = time.time(), 0
                while count < alerts:
                    due = min(int((time.time() - began) * RATE) + 1, alerts)
                    rows = [alert(number, 1) for number in range(count, due)]
                    if rows:
                        now = time.time()
                        sent.update((row["alert_id"], now) for row in rows)
                        await publish(producer, settings, "alerts", "alert", [row["alert_id"] for row in rows], rows)
                        count = due
                    await asyncio.sleep(0.005)
                published = count / (time.time() - began)
                await until(lambda: len(receiver.taken) >= WARM + count, PATIENCE, "everything to arrive")
    finally:
        await process.stop()
    arrived = {request.body["data"]["id"]: request.at / 1000 for request in reversed(receiver.taken)}
    took = [arrived[name] - at for name, at in sent.items()]
    quantiles = {f"p{q}": round(float(np.quantile(took, q / 100)), 3) for q in (50, 95, 99)}
    return {"rate": round(published, 1), **quantiles, "max": round(max(took), 3)}
