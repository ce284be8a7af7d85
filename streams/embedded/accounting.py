"""Accounts for every fed event: stored, stored before (a duplicate), a dead letter, or lost.

A scratch database beside the tables holds the keys of the events that are fed, so that ClickHouse answers from what it
holds, and not from what the workers report.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import Any, NamedTuple

import polars as pl
from clickhouse_connect.driver.exceptions import ClickHouseError

from schemas.decode import BatchDecoder
from schemas.records import CHANNELS
from schemas.registry import Registry
from sinks.clickhouse.errors import in_short, is_retriable
from streams.enrich.clean import as_stored
from streams.model import company
from streams.model.brands import Scopes
from streams.model.dead_letter import UNPROCESSABLE
from streams.model.identifiers import BUILT_IN, Kinds
from streams.model.normal import Nobody
from streams.model.subjects import subjects
from streams.model.vocabulary import UUID
from streams.settings import Settings
from streams.text.scrub import cover_text
from streams.topology import channel_topic

SCRATCH = "rihla_run"
PAUSE = 1.0  # seconds before an insert is tried again

_LEFT_OUT = "(subject, event_id, epoch) IN (SELECT subject, event_id, epoch FROM left_out)"
_STORED = f"SELECT count() FROM interactions_store FINAL WHERE NOT {_LEFT_OUT}"
"""Counts stored events. Those that stitch could not process are stored but in no table, and count as refused."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Account:
    """The events fed, counted: new in the tables, there before, refused (by reason), lost, and those about erased
    people, which are stored nowhere."""

    events: int
    stored: int
    duplicates: int
    refused: dict[str, int]
    lost: int
    erased: int = 0


class Accounting:
    """One run's account. Call `open()` before feeding, `feed()` for each batch, `account()` at the end, then `close()`.

    client: of clickhouse-connect, on the database of the tables. Blocking, and not for use by several threads at once.
    """

    def __init__(self, client: Any, settings: Settings, registry: Registry) -> None:
        self._client, self._settings, self._registry = client, settings, registry
        self._events = self._before = self._began = self._erased = 0
        self.naming = Naming.of(settings)
        self._closing = threading.Event()

    def open(self) -> None:
        """Look at what is stored before anything is fed."""
        self._drop()
        self._client.command(f"CREATE DATABASE {SCRATCH}")
        for table in ("fed", "refused"):
            columns = "subject String, event_id String"
            self._client.command(f"CREATE TABLE {SCRATCH}.{table} ({columns}) ENGINE = MergeTree ORDER BY ()")
        self._before = self._count(_STORED)
        self._began = time.time_ns() // 1_000_000

    def feed(self, keys: pl.DataFrame) -> None:
        """Note events that the broker has acknowledged: their `subject` and `event_id`."""
        self._note("fed", keys)
        self._events += keys.height

    def feed_erased(self, events: int) -> None:
        """Note acknowledged events of erased people, which the workers refuse."""
        self._erased += events
        self._events += events

    def close(self) -> None:
        """Drop the scratch database; what is being noted meanwhile is not tried again."""
        self._closing.set()
        self._drop()

    def _drop(self) -> None:
        self._client.command(f"DROP DATABASE IF EXISTS {SCRATCH} SYNC")

    def account(self) -> Account:
        """The account, taken from the tables once all is stored."""
        refused = self._refused()
        stored = self._count(_STORED) - self._before
        left_out = self._count(
            f"SELECT uniqExact(subject, event_id) FROM interactions_store FINAL WHERE {_LEFT_OUT} "
            f"AND (subject, event_id) IN (SELECT subject, event_id FROM {SCRATCH}.fed)"
        )
        if left_out:
            refused[UNPROCESSABLE] = refused.get(UNPROCESSABLE, 0) + left_out
        fed = self._count(f"SELECT uniqExact(subject, event_id) FROM {SCRATCH}.fed")
        found = self._count(
            f"""
            SELECT uniqExact(subject, event_id) FROM (
                SELECT subject, event_id FROM interactions_store
                UNION ALL
                SELECT subject, event_id FROM {SCRATCH}.refused
            )
            WHERE (subject, event_id) IN (SELECT subject, event_id FROM {SCRATCH}.fed)
            """
        )
        duplicates = self._events - stored - sum(refused.values()) - self._erased
        return Account(self._events, stored, duplicates, refused, fed - found, self._erased)

    def _refused(self) -> dict[str, int]:
        """Dead letters of the channels' topics since `open()`, by reason; their event ids go into the scratch table."""
        topics = {self._settings.topic(channel_topic(channel)): channel for channel in CHANNELS}
        letters = pl.from_arrow(
            self._client.query_arrow(
                "SELECT topic, reason, payload FROM dead_letters_store FINAL "
                "WHERE topic IN {topics:Array(String)} AND failed_at >= fromUnixTimestamp64Milli({began:Int64})",
                {"topics": list(topics), "began": self._began},
            )
        )
        assert isinstance(letters, pl.DataFrame)
        for (topic,), some in letters.group_by("topic"):
            decoder = BatchDecoder(topics[_text(topic)], self._registry)
            payloads = some["payload"].cast(pl.Binary).to_list()
            events = decoder.decode(payloads, ["event_id", "ids", "booking_ref", "unit", "attributes"]).frame
            self._note("refused", event_keys(events, self.naming))
        counts = letters.group_by("reason").len()
        return {_text(reason): number for reason, number in counts.iter_rows()}

    def _note(self, table: str, keys: pl.DataFrame) -> None:
        """Store keys; tried again where the sink would, a full disk say: keys that are there twice do no harm."""
        while keys.height:
            try:
                self._client.insert_arrow(f"{SCRATCH}.{table}", keys.to_arrow(compat_level=pl.CompatLevel.oldest()))
                return
            except ClickHouseError as error:
                if not is_retriable(error) or self._closing.wait(PAUSE):
                    raise
                log.warning("what was fed could not be noted, trying again: %s", in_short(error))

    def _count(self, sql: str) -> int:
        return int(self._client.command(sql))


class Naming(NamedTuple):
    """How enrich derives the subject of an event."""

    nobody: Nobody
    scopes: Scopes | None
    kinds: Kinds

    @classmethod
    def of(cls, settings: Settings) -> Naming:
        """What these settings, and the model that they name, say."""
        model = company.load(settings.model)
        return cls(model.nobody(settings.nobody_values), model.scopes, model.kinds)


def event_keys(events: pl.DataFrame, naming: Naming | None = None) -> pl.DataFrame:
    """The key under which an event is stored once: its `subject` ("" where it names nobody) and its `event_id`, as in
    enrich.

    events: with the columns event_id, ids, booking_ref, unit and attributes of any channel's frame form. naming: as of
    enrich; that of Rihla's own model by default.
    """
    nobody, scopes, kinds = naming or Naming(Nobody(), None, BUILT_IN)
    events = as_stored(events, nobody, scopes)
    ids = events["event_id"]
    if (odd := ~ids.str.contains(UUID)).any():  # these events are refused, and their letters show no personal data
        ids = ids.zip_with(~odd, ids.map_elements(cover_text, pl.String))
    return events.select(subjects(events, kinds).fill_null("").alias("subject"), ids.str.to_lowercase())


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
