"""Stitch the usual Faust way: an event at a time, fastavro, a stock table with its changelog, a send for each record.

A process of the benchmark stitch_vs_faust. The fold is streams.stitch's own; only what is around it differs. To the
good of Faust: the workers' event loop (uvloop), their thresholds of the cycle collector, no erasures, no alert rules.

    python -m tests.benchmarks.faust_worker BROKERS PREFIX PARTITIONS
"""

from __future__ import annotations

import gc
import io
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import faust
from fastavro import schemaless_reader, schemaless_writer

from schemas import catalogue, records
from schemas.registry import LocalRegistry
from schemas.wire import WireHeader, split
from streams.app import configure_logging, run_worker
from streams.edge import now_ms
from streams.settings import Settings
from streams.stitch import preferences
from streams.stitch.fold import Changes, fold_interactions
from streams.stitch.journey import CHANNELS, INSTRUMENTS, MICRO, MILESTONES, Event
from streams.stitch.rows import Row
from streams.stitch.watching import Watching
from streams.worker import GC_THRESHOLDS

PUBLISHED: tuple[tuple[str, str, Callable[[Changes], list[Row]], Callable[[Row], str]], ...] = (
    ("journeys", "journey", lambda changes: changes.journeys, lambda row: row[0]),
    ("customers", "customer", lambda changes: changes.customers, lambda row: row[0]),
    ("cases", "case", lambda changes: changes.cases, lambda row: f"{row[1]}/{row[0]}"),
    ("moves", "move", lambda changes: changes.moves, lambda row: row[1]),
)
"""Topic, record, its rows, key of a row: what the stitch worker publishes of interactions without alert rules."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
Record = dict[str, Any]


class Reader:
    """Decodes interactions, one at a time."""

    def __init__(self) -> None:
        self._registry = LocalRegistry()
        self._schemas: dict[WireHeader, Any] = {}

    def __call__(self, payload: bytes) -> Record:
        """The record of a payload."""
        header, body = split(payload)
        schema = self._schemas.get(header)
        if schema is None:
            schema = self._schemas[header] = self._registry.writer_schema(header)
        record: Record = schemaless_reader(io.BytesIO(body), schema, None)
        return record


class Writer:
    """Encodes rows of a record, one at a time."""

    def __init__(self, name: str) -> None:
        self._schema = records.schema(name)
        self._header = LocalRegistry().header_for(name)
        self._names = [field["name"] for field in self._schema["fields"]]
        self._items = {
            field["name"]: [item["name"] for item in field["type"]["items"]["fields"]]
            for field in records.inlined(name)["fields"]
            if isinstance(field["type"], dict) and field["type"]["type"] == "array"
        }

    def __call__(self, row: Row) -> bytes:
        """The payload of a row."""
        record = dict(zip(self._names, row, strict=True))
        for name, names in self._items.items():
            record[name] = [dict(zip(names, item, strict=True)) for item in record[name]]
        out = io.BytesIO()
        out.write(self._header)
        schemaless_writer(out, self._schema, record)
        return out.getvalue()


class Maker:
    """Makes the fold's event of an interaction: what streams.stitch.events does of a batch."""

    def __init__(self) -> None:
        self._roles = {
            name: (MILESTONES.index(point.milestone) if point.milestone else -1, point.case_role)
            for name, point in catalogue.load().items()
        }
        self._rules = list(enumerate(preferences.load()))

    def __call__(self, record: Record) -> Event:
        """The event of a record as fastavro reads it."""
        milestone, case_role = self._roles.get(record["touchpoint"], (-1, None))
        survey, money, score = record["survey"], record["money"], record["score"]
        return Event(
            (record["occurred_at"] - EPOCH) // MILLISECOND,
            bytes.fromhex(record["event_id"].replace("-", "")),
            record["booking_ref"],
            record["touchpoint"],
            CHANNELS.index(record["channel"]),
            milestone,
            case_role,
            record["case_id"],
            record["unit"],
            None if score is None else round(score * MICRO),
            record["score_weight"] or 0.0,
            INSTRUMENTS.index(survey["instrument"]) if survey else -1,
            survey["score"] if survey else 0.0,
            money["amount_minor"] if money else 0,
            money["currency"] if money else None,
            self._stated(record),
        )

    def _stated(self, record: Record) -> tuple[tuple[str, str], ...]:
        """The preferences that it states; see streams.stitch.preferences."""
        found: tuple[tuple[str, str], ...] = ()
        said: dict[str, tuple[int, str]] = {}
        for rank, rule in self._rules:
            if rule.source == "touchpoint":
                if rule.name == record["touchpoint"]:
                    found = (*found, (rule.key, rule.value))
            elif rule.source == "field":
                value = record[rule.name]
                if value is not None and rule.value == "language":
                    language = value.partition("-")[0]
                    value = language.lower() if language.isalpha() else None
                if value is not None:
                    found = ((rule.key, value), *found)
            else:
                for attribute in record["attributes"]:
                    if attribute["key"] != rule.name:
                        continue
                    value = attribute["value"].strip().lower()
                    if value and rule.match.lower() in ("", value):
                        meant = (rank, value if rule.value == "*" else rule.value)
                        said[rule.key] = min(meant, said.get(rule.key, meant))
        for key, (_, value) in said.items():
            found = ((key, value), *(pair for pair in found if pair[0] != key))
        return found


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
    outputs = [
        (app.topic(settings.topic(topic), key_serializer="raw", value_serializer="raw"), Writer(record), rows, key)
        for topic, record, rows, key in PUBLISHED
    ]
    read, make = Reader(), Maker()

    @app.agent(app.topic(settings.topic("interactions"), key_serializer="raw", value_serializer="raw"))
    async def stitch(stream: Any) -> None:
        async for message in stream.events():
            event = make(read(message.value))
            one = {message.key.decode(): [(message.message.offset, event.event_id[:8], event)]}
            changes = fold_interactions(table.get, one, Watching({}, now_ms()))
            for key, state in changes.states.items():
                table[key] = state
            for topic, write, rows, key_of in outputs:
                for row in rows(changes):
                    await topic.send(key=key_of(row).encode(), value=write(row))

    return app


if __name__ == "__main__":
    configure_logging()
    brokers, prefix, partitions = sys.argv[1:]
    rival = build(Settings(brokers=brokers, prefix=prefix, partitions=int(partitions), embedded=True))
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    sys.exit(run_worker(rival))
