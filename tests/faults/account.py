"""The account after a trial: is everything that was read stored once, counted as a duplicate, or a dead letter?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import polars as pl
from aiokafka import AIOKafkaConsumer, TopicPartition
from clickhouse_connect.driver.client import Client

from schemas.decode import BatchDecoder
from schemas.records import CHANNELS
from streams.embedded.accounting import event_keys
from streams.registries import registry_of
from streams.settings import Settings
from streams.topology import channel_topic
from streams.verify import topics
from streams.verify.verify import KEYS, verify
from tests.faults.poison import shown
from tests.faults.world import World, page, sample
from tests.support.exactness import VIEWS, Row, against_truth, line, plain

SHOWN = 3  # examples of what differs
FEW_BATCHES = 1000
"""Batches of events, of 250, of a world that is compared with the simulator's truth: some gigabytes of Python's."""
UNIQUE = {**KEYS, "dead_letters": ("topic", "partition", "offset"), "alerts": ("alert_id",)}
"""Exact views, and what no two of their rows may share."""

Place = tuple[str, int, int]
"""Topic, partition, offset."""


async def differences(world: World) -> list[str]:
    """Everything in which a settled world is not as it must be; [] when it is."""
    settings = world.settings
    found = await _counts(world, settings)
    found += await asyncio.to_thread(_rows_twice, world.client)
    found += await asyncio.to_thread(_verified, world.client, lambda: asyncio.run(topics.read(settings)))
    found += await asyncio.to_thread(_truth, world)
    return found + await _metrics(world)


async def counted_once(world: World) -> list[str]:
    """Of a world whose input topics may have lost records since: whether each event fed is stored once, the tables are
    those of the simulator's truth, and `rihla verify` finds nothing in them. Of more than FEW_BATCHES no truth: it is
    compared row by row in Python."""
    fed = {key for batch in world.batches for key in event_keys(batch.frame).rows()}
    stored = await asyncio.to_thread(_rows, world.client, "SELECT subject, event_id FROM interactions")
    found = _sets("events fed and interactions", fed, {tuple(row) for row in stored})
    found += await asyncio.to_thread(_rows_twice, world.client)
    found += await asyncio.to_thread(_verified, world.client, None)
    return found + (await asyncio.to_thread(_truth, world) if len(world.batches) <= FEW_BATCHES else [])


async def _counts(world: World, settings: Settings) -> list[str]:
    """Compare what the input topics hold with the tables: nothing lost, nothing invented, every duplicate counted."""
    registry = registry_of(settings)
    found: list[str] = []
    keys: list[tuple[str, str]] = []
    bad: dict[Place, tuple[bytes, str]] = {}
    for channel in CHANNELS:
        topic = settings.topic(channel_topic(channel))
        good: list[bytes] = []
        for record in await read_topic(world, topic):
            value = record.value
            if value is None:
                continue  # a tombstone says nothing: it is counted by the worker, and no dead letter
            if value in world.poison:
                reason = world.poison[value]
                bad[topic, record.partition, record.offset] = shown(value, reason), reason
            else:
                good.append(value)
        decoded = BatchDecoder(channel, registry).decode(good, ["event_id", "ids", "booking_ref"])
        keys += event_keys(decoded.frame).rows()
    fed = {key for batch in world.batches for key in event_keys(batch.frame).rows()}
    found += _sets("events fed and events in the input topics", fed, set(keys))
    stored = await asyncio.to_thread(_rows, world.client, "SELECT subject, event_id FROM interactions")
    found += _sets("events in the input topics and interactions", set(keys), {tuple(row) for row in stored})
    letters = await asyncio.to_thread(
        _rows, world.client, "SELECT topic, partition, offset, hex(payload), reason FROM dead_letters"
    )
    told = {
        (topic, partition, offset): (bytes.fromhex(value), reason)
        for topic, partition, offset, value, reason in letters
    }
    found += _sets("poison in the input topics and dead letters", {*bad.items()}, {*told.items()})
    copies = len(await read_topic(world, settings.topic("interactions")))
    counted = await asyncio.to_thread(_number, world.client, "SELECT sum(duplicates) FROM customers_store FINAL")
    if copies != len(set(keys)) + counted:
        found.append(
            f"{copies} records in the topic interactions, but {len(set(keys))} events and {counted} duplicates counted"
        )
    read = len(keys) + len(bad)
    if read != len(stored) + (len(keys) - len(set(keys))) + len(told):
        found.append(f"{read} records read, {len(stored)} stored, {len(told)} dead letters: they do not balance")
    return found


async def read_topic(world: World, topic: str) -> list[Any]:
    """Every record of a topic on Apache Kafka, up to where it ends now."""
    left = [TopicPartition(topic, partition) for partition in await world.producer.partitions_for(topic)]
    consumer = AIOKafkaConsumer(bootstrap_servers=world.settings.broker_list, enable_auto_commit=False)
    await consumer.start()
    try:
        ends = await consumer.end_offsets(left)
        consumer.assign(left)
        await consumer.seek_to_beginning(*left)
        records: list[Any] = []
        while left := [tp for tp in left if await consumer.position(tp) < ends[tp]]:
            for chunk in (await consumer.getmany(*left, timeout_ms=500)).values():
                records += chunk
        return records
    finally:
        await consumer.stop()


def _rows_twice(client: Client) -> list[str]:
    found = []
    for view, key in UNIQUE.items():
        columns = ", ".join(key)
        twice = _number(client, f"SELECT count() - uniqExact({columns}) FROM {view}")
        if twice:
            found.append(f"{twice} rows more than keys in the view {view}")
    return found


def _verified(client: Client, read_log: Callable[[], topics.Log] | None) -> list[str]:
    """What `rihla verify` says: with `--source topics` where read_log reads them."""
    report = verify(client, read_log)
    shown = [str(row) for row in report.differences.head(SHOWN).iter_rows()]
    return [f"verify: {report.differences.height} differences, such as {shown}"] if report.differences.height else []


def _truth(world: World) -> list[str]:
    """What the simulator knows that the tables must hold."""
    wrong = against_truth({view: _view(world.client, view) for view in VIEWS}, world.truth)
    return [f"truth of {kind}: {len(lines)} rows, such as {lines[:SHOWN]}" for kind, lines in wrong.items() if lines]


def _view(client: Client, view: str) -> list[Row]:
    frame = pl.from_arrow(
        client.query_arrow(f"SELECT * FROM {view}", settings={"output_format_arrow_string_as_string": 1})
    )
    assert isinstance(frame, pl.DataFrame)
    times = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.Datetime)]
    return sorted((plain(row) for row in frame.with_columns(pl.col(times).dt.epoch("ms")).to_dicts()), key=line)


async def _metrics(world: World) -> list[str]:
    """The running enrich workers' own account: each has read what it accepted, refused or sent to dead letters."""
    found = []
    for address in world.addresses()["enrich"]:
        text = await page(f"{address}/metrics")
        if text is None:
            found.append(f"{address} does not answer")
            continue
        read = sample(text, "rihla_records_read_total", worker="enrich")
        accepted = sample(text, "rihla_events_accepted_total")
        refused = sample(text, "rihla_dead_letters_total", worker="enrich")
        tombstones = sample(text, "rihla_tombstones_total")
        if read != accepted + refused + tombstones:
            found.append(
                f"an enrich worker counts {read:.0f} read, {accepted:.0f} accepted, {refused:.0f} refused, "
                f"{tombstones:.0f} tombstones"
            )
    return found


def _sets(what: str, left: set[Any], right: set[Any]) -> list[str]:
    only_left, only_right = left - right, right - left
    if not only_left and not only_right:
        return []
    return [f"{what}: {len(only_left)} only there, {len(only_right)} only here, such as "
            f"{[*only_left][:SHOWN]} {[*only_right][:SHOWN]}"]  # fmt: skip


def _rows(client: Client, sql: str) -> list[Any]:
    return list(client.query(sql).result_rows)


def _number(client: Client, sql: str) -> int:
    return int(client.command(sql))
