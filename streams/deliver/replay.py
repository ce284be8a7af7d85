"""Sends dead deliveries again: finds them in ClickHouse, and requests them in the topic `redeliveries`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.encode import BatchEncoder
from streams.clock import now_ms
from streams.kafka.acl_check import require
from streams.kafka.batch_producer import BatchProducer
from streams.registries import registry_of
from streams.settings import Settings
from streams.sources.feeder import producing

_DEAD = """
    SELECT target, kind, thing_id, any(customer_id), any(rule), any(unit),
        arrayCount(one -> one > sent, dead) AS asked, length(dead) - asked
    FROM
    (
        SELECT target, kind, thing_id, customer_id, any(rule) AS rule, any(unit) AS unit,
            groupArrayIf(thing_version, status = 'dead') AS dead,
            maxIf(thing_version, status = 'delivered') AS sent
        FROM deliveries
        GROUP BY target, kind, thing_id, customer_id
    )
    WHERE notEmpty(dead) AND (empty({targets:Array(String)}) OR has({targets:Array(String)}, target))
    GROUP BY target, kind, thing_id, dead, sent
    ORDER BY target, kind, thing_id
"""


@dataclass
class Asked:
    """What was requested: deliveries by target, and the number of those skipped because a later version has arrived."""

    deliveries: dict[str, int] = field(default_factory=dict)
    superseded: int = 0


async def replay(client: Any, settings: Settings, targets: Sequence[str], *, dry_run: bool) -> Asked:
    """Ask deliver to send dead deliveries again.

    client: of clickhouse-connect, on the database of the tables. targets: only these; empty: all.
    Raises RihlaError, aiokafka's KafkaError, clickhouse_connect's errors.
    """
    asked, keys, rows, now = Asked(), list[bytes](), list[tuple[Any, ...]](), now_ms()
    found = client.query(_DEAD, {"targets": list(targets)}).result_rows
    for target, kind, thing_id, customer_id, rule, unit, count, superseded in found:
        asked.superseded += superseded
        if count:
            asked.deliveries[target] = asked.deliveries.get(target, 0) + count
            rows.append((target, kind, thing_id, customer_id, now))
            keys.append((customer_id if kind == "move" else thing_id).encode())
            if (
                rule is not None and unit is not None
            ):  # its state may be in the partition where alerts of that rule and unit are gathered
                rows.append(rows[-1])
                keys.append(f"{rule}/{unit}".encode())
    if rows and not dry_run:
        await require(settings, "replay")
        async with producing(settings) as producer:
            output = BatchProducer(producer, settings.topic("redeliveries"))
            await output.send(keys, BatchEncoder("redelivery", registry_of(settings), settings.wire).encode(rows))
            await output.flush()
    return asked
