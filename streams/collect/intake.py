"""Validates what was sent at once, so that the sender learns of errors: events for Kafka, and refusals. Pure.

The rules are enrich's own (streams.enrich). E-mail addresses and phone numbers are hashed here, and every other text is
scrubbed of them here, so that Kafka never has them.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
import orjson
import polars as pl

from schemas.encode import BatchEncoder
from schemas.records import CHANNELS, polars_schema
from schemas.registry import Registry
from schemas.wire import Wire, prefix
from streams.collect.contact import hashed
from streams.collect.forms import Words, of_call, of_cloudevent
from streams.enrich.clean import clean
from streams.enrich.enriched import Enriched
from streams.enrich.names import Names
from streams.enrich.splice import Splicer, Touchpoints
from streams.enrich.validate import TEXT_LIMIT_BYTES, refusals
from streams.model.company import Model, built_in
from streams.model.normal import Nobody
from streams.model.subjects import keys_of, subjects
from streams.sources.jsonl import NotAnEvent, row_of, row_of_object
from streams.sources.rows import rows_to_frame
from streams.sources.spelling import give_uuids, respelled, touchpoint
from streams.text.scorer import Scorer
from streams.text.scrub import scrub_text

OWN, CLOUDEVENT, SEGMENT = "own", "cloudevent", "segment"
_touchpoint = lru_cache(10_000)(touchpoint)
UNREADABLE = "an address or a number that cannot be read, and is not kept in clear: phone numbers need their country"


@dataclass(frozen=True, order=True, slots=True)
class Refused:
    """Why an item is refused. index: its position in the request, from 0."""

    index: int
    reason: str
    detail: str


class Identifier(NamedTuple):
    """An identifier of an event."""

    kind: str
    value: str


class Ready(NamedTuple):
    """Events of a channel, ready for its topic. indices: the position of each in the request."""

    channel: str
    keys: list[bytes]
    values: list[bytes]
    indices: list[int]


@dataclass
class Taken:
    """The result of judging some items of a request."""

    ready: list[Ready] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


@dataclass(frozen=True)
class Sender:
    """The sender on whose behalf items are read. source: the system's name, for event ids. allowed: CloudEvents
    sources;
    None: any. country: default for phone numbers without a calling code."""

    source: str
    words: Words = field(default_factory=Words)
    allowed: frozenset[str] | None = None
    country: str | None = None


class Intake:
    """Judges events, and encodes them.

    Enrich's own compiled code decides which events may pass unchanged. The others are validated in columns, as in
    enrich, which corrects what can be corrected and says what is wrong with the rest.
    """

    def __init__(self, registry: Registry, wire: Wire, nobody: Nobody, model: Model | None = None) -> None:
        """wire: format of the header of an encoded event. nobody: identifier values that name nobody. model: Rihla's
        own by default; brands are left to enrich. May call the registry."""
        model = built_in() if model is None else model
        self._nobody, self._scales = nobody, model.scales
        self._encoders = {channel: BatchEncoder(channel, registry, wire) for channel in CHANNELS}
        known = (Touchpoints(model.touchpoints), Scorer(), Names(nobody), model.kinds, model.scales)
        self._splicers = {channel: Splicer(channel, b"", *known) for channel in CHANNELS}
        self._tuples = {channel: _Tuples(channel) for channel in CHANNELS}

    def take(
        self,
        form: str,
        items: Iterable[tuple[int, bytes | dict[str, Any]]],
        sender: Sender,
        now_ms: int,
        kind: str | None,
    ) -> Taken:
        """The events in items of a request, each with its index.

        form: OWN, CLOUDEVENT or SEGMENT. kind: the call of Segment that the route stands for, if it does.
        """
        taken = Taken()
        rows: dict[str, list[Any]] = {channel: [] for channel in CHANNELS}
        places: dict[str, list[int]] = {channel: [] for channel in CHANNELS}
        by_source: dict[str, list[Any]] = {}
        for index, item in items:
            try:
                source, row = _read(form, item, sender, kind)
                row.ids = list(self._hashed(row.ids or (), sender.country, strict=form == OWN))
                row.touchpoint = _touchpoint(row.touchpoint)
                if row.text is not None and len(row.text) <= TEXT_LIMIT_BYTES:
                    row.text = scrub_text(row.text)
                by_source.setdefault(source, []).append(row)
                channel = row.__struct_config__.tag
                rows[channel].append(row)
                places[channel].append(index)
            except NotAnEvent as error:
                taken.refused.append(Refused(index, error.reason, error.detail))
        for source, some in by_source.items():
            give_uuids(some, source)
        for channel in CHANNELS:
            if rows[channel]:
                self._judge(channel, rows[channel], places[channel], now_ms, taken)
        taken.refused.sort()
        return taken

    def _judge(self, channel: str, rows: list[Any], places: list[int], now_ms: int, taken: Taken) -> None:
        values = self._encoders[channel].encode([self._tuples[channel].of(row) for row in rows])
        found = Enriched()
        left = self._splicers[channel].take(values, prefix(values[0]), now_ms, found)
        if not left:
            taken.ready.append(Ready(channel, found.subjects, values, places))
            return
        out = set(left)
        good = [row for row in range(len(rows)) if row not in out]
        if good:
            some = [values[row] for row in good]
            taken.ready.append(Ready(channel, found.subjects, some, [places[row] for row in good]))
        self._look(channel, [rows[row] for row in left], [places[row] for row in left], now_ms, taken)

    def _look(self, channel: str, rows: list[Any], places: list[int], now_ms: int, taken: Taken) -> None:
        """Judge events by columns."""
        found = clean(respelled(rows_to_frame(channel, rows)), self._nobody, None, self._scales)
        refused = refusals(found.frame, now_ms, found.clear)
        taken.refused += [Refused(places[row], reason, detail) for row, reason, detail in refused]
        out = {row for row, _, _ in refused}
        good = [row for row in range(len(rows)) if row not in out]
        if good:
            frame = found.frame[good]
            values = self._encoders[channel].encode(frame)
            taken.ready.append(Ready(channel, keys_of(subjects(frame)), values, [places[row] for row in good]))

    def _hashed(self, ids: Iterable[Any], country: str | None, *, strict: bool) -> Iterator[Identifier]:
        """Identifiers, hashed where necessary. One that cannot be read is left out or, if `strict`, raises
        NotAnEvent."""
        for one in ids:
            found = hashed(one.kind, one.value, country, self._nobody)
            if found is not None:
                yield Identifier(*found)
            elif strict:
                raise NotAnEvent("clear_identifier", f"an identifier of the kind {one.kind[:40]} is {UNREADABLE}")


def _read(form: str, item: bytes | dict[str, Any], sender: Sender, kind: str | None) -> tuple[str, Any]:
    """(its source, the row) of an item. Raises NotAnEvent."""
    if form == OWN and isinstance(item, bytes):
        row = row_of(item, any_id=True)
        if row is None:
            raise NotAnEvent("undecodable", "nothing is here")
        return sender.source, row
    if isinstance(item, bytes):
        try:
            item = orjson.loads(item)
        except orjson.JSONDecodeError as error:
            raise NotAnEvent("undecodable", f"not JSON: {error}") from None
    if form == SEGMENT:
        return sender.source, row_of_object(of_call(item, kind, sender.words), any_id=True)
    source, event = of_cloudevent(item, sender.words)
    if sender.allowed is not None and source not in sender.allowed:
        raise NotAnEvent("undecodable", "this token may not send events of this source")
    return source, row_of_object(event, any_id=True)


def objects_of(body: bytes) -> list[bytes]:
    """The items of a JSON array, or the one object, unread. Raises msgspec.MsgspecError."""
    body = body.removeprefix(BOM_UTF8)
    if body.lstrip()[:1] == b"[":
        return [bytes(one) for one in msgspec.json.decode(body, type=list[msgspec.Raw])]
    return [body]


class _Batch(msgspec.Struct):
    """Segment's batch, as its libraries send it."""

    batch: list[msgspec.Raw]


def calls_of(body: bytes) -> list[bytes]:
    """The calls of a batch, unread. Raises msgspec.MsgspecError."""
    return [bytes(one) for one in msgspec.json.decode(body, type=_Batch).batch]


class _Tuples:
    """Rows of a channel as the encoder takes them: tuples, also for records in them; empty optional texts are null."""

    def __init__(self, channel: str) -> None:
        schema = polars_schema(channel)
        self._lists = [place for place, dtype in enumerate(schema.values()) if isinstance(dtype, pl.List)]
        self._records = [place for place, dtype in enumerate(schema.values()) if isinstance(dtype, pl.Struct)]
        texts = [(place, name) for place, (name, dtype) in enumerate(schema.items()) if dtype == pl.String]
        self._texts = [place for place, name in texts if name not in ("event_id", "touchpoint", "medium")]

    def of(self, row: Any) -> tuple[Any, ...]:
        values = list(msgspec.structs.astuple(row))
        for place in self._lists:
            some = values[place] or ()
            values[place] = [one if isinstance(one, tuple) else msgspec.structs.astuple(one) for one in some]
        for place in self._records:
            if values[place] is not None:
                values[place] = msgspec.structs.astuple(values[place])
        for place in self._texts:
            if values[place] == "":
                values[place] = None
        return tuple(values)
