"""Brings stored interactions to what enrich makes of their events under the model that holds now.

Whatever a model decides of an interaction is written anew: scores by the priors of touchpoints, aspects of texts,
answers on scales, brands in identifiers. So the tables, which are a function of the stored interactions and the model,
are a function of the events and the model again.

All rows are written in the epoch that comes next; then those of earlier epochs are deleted, so nothing is left under a
name that an event no longer has. What the model no longer lets in becomes a dead letter. It may be broken off at any
point and begun anew: the database remembers that it was begun (sinks.clickhouse.models), until a sink of the new
history records the model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from schemas.decode import BatchDecoder
from schemas.encode import BatchEncoder
from schemas.records import CHANNELS
from schemas.registry import Registry
from sinks.clickhouse import models
from sinks.clickhouse.resolved import mark_all
from sinks.clickhouse.stored import interactions
from sinks.clickhouse.tables import TABLES, VERSION_BITS, to_arrow
from sinks.clickhouse.writer import INSERT_SETTINGS
from streams.enrich.transform import Enricher
from streams.erasure.shards import rows_of
from streams.model import company
from streams.model.company import Model
from streams.model.dead_letter import DeadLetter, letters_frame
from streams.restore.as_sent import Written, as_sent
from streams.restore.events import largest_epoch
from streams.settings import Settings
from streams.topology import channel_topic

DONE = {"mutations_sync": "2"}
"""A statement that deletes returns once every replica has done it."""
BECAUSE = "{} (an event that was accepted under an earlier model: rihla rebuild)"


@dataclass
class Rewritten:
    """What became of the stored interactions. Changed in place."""

    events: int = 0
    changed: int = 0
    """Those of which something is not as it was."""
    refused: Counter[str] = field(default_factory=Counter)
    """Reason: how many are dead letters now."""


def is_due(client: Any, model: Model) -> bool:
    """Whether the tables are made under another model, or a rewrite was begun and not finished.

    client: of clickhouse-connect, on the database of the tables.
    """
    told = models.current(client)
    return told is not None and told[0] != model.hash


def rewrite(
    client: Any, settings: Settings, registry: Registry, now_ms: int, progress: Callable[[int], None]
) -> Rewritten:
    """Write stored interactions anew by the settings' model, and forget who was who, which follows from them.

    Nobody else may write interactions meanwhile. The tables of journeys, customers and the rest must be made anew
    afterwards, in an epoch above `largest_epoch`. progress: called with the number of events looked at so far.

    Raises the errors of clickhouse-connect and of the registry, and ModelError.
    """
    model = company.load(settings.model)
    epoch = (largest_epoch(client) or 0) + 1
    written = Written.under(models.meanings(client))
    models.begin(client, now_ms, epoch)
    work = _Rewriting(client, settings, registry, model, epoch, now_ms)
    for frame in interactions(client, before=epoch):
        work.take(frame, written)
        progress(work.done.events)
    for table, older in (
        ("interactions_store", f"epoch < {epoch}"),
        ("interactions_by_time_store", f"epoch < {epoch}"),
        ("interactions_resolved_store", f"epoch < {epoch}"),
        ("interaction_days_store", f"version < {epoch << VERSION_BITS}"),
    ):
        client.command(f"ALTER TABLE {rows_of(client, table)} DELETE WHERE {older}", settings=DONE)
    client.command(f"TRUNCATE TABLE {rows_of(client, 'identities_store')}")
    mark_all(client, settings.database)
    return work.done


class _Rewriting:
    def __init__(
        self, client: Any, settings: Settings, registry: Registry, model: Model, epoch: int, now_ms: int
    ) -> None:
        self._client, self._settings, self._model, self._epoch, self._now = client, settings, model, epoch, now_ms
        nobody = model.nobody(settings.nobody_values)
        self._enricher = Enricher(registry, nobody=nobody, model=model)
        self._encoders = {channel: BatchEncoder(channel, registry) for channel in CHANNELS}
        self._decoder = BatchDecoder("interaction", registry)
        self.done = Rewritten()

    def take(self, frame: pl.DataFrame, written: Written) -> None:
        """Rewrite some stored interactions."""
        events = as_sent(frame, written, self._model.scales)
        values = {channel: self._encoders[channel].encode(some) for channel, some in events.items()}
        enriched = self._enricher.enrich(values, self._now)
        # as `enrich` counts positions: channel by channel
        before = pl.concat([frame.filter(pl.col("channel") == channel) for channel in values])
        after = self._decoder.decode(enriched.values).frame
        old, new = _comparable(before[enriched.rows]), _comparable(after)
        same = pl.DataFrame({name: old[name].eq_missing(new[name]) for name in new.columns})
        self._insert("interactions", after)
        if enriched.refused:
            refused = before[[position for position, _, _ in enriched.refused]]
            self._letters(refused, [value for some in values.values() for value in some], enriched.refused)
        self.done.events += frame.height
        self.done.changed += len(enriched.refused) + int(same.select((~pl.all_horizontal(pl.all())).sum()).item())

    def _letters(self, rows: pl.DataFrame, values: list[bytes], refused: list[tuple[int, str, str]]) -> None:
        """Store dead letters: the events as they would be sent, so that a replay sends them."""
        letters = []
        for row, (position, reason, detail) in zip(rows.iter_rows(named=True), refused, strict=True):
            topic = self._settings.topic(channel_topic(row["channel"]))
            offset = sum(self.done.refused.values())
            said = BECAUSE.format(detail)
            letters.append(DeadLetter(topic, 0, offset, row["subject"].encode(), values[position], reason, said))
            self.done.refused[reason] += 1
        self._insert("dead-letters", letters_frame(letters, self._now))

    def _insert(self, topic: str, frame: pl.DataFrame) -> None:
        if frame.height:
            rows = to_arrow(frame, TABLES[topic], self._epoch)
            self._client.insert_arrow(TABLES[topic].store, rows, settings=INSERT_SETTINGS)


def _comparable(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows that are equal where they say the same: attributes are a map in the database, without an order."""
    return frame.with_columns(pl.col("attributes").list.sort())
