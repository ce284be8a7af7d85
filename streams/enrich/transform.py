"""Events become interactions, links and refusals. Pure: no Kafka, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import polars as pl

from schemas.datums import Rows
from schemas.decode import BatchDecoder, Decoded
from schemas.encode import BatchEncoder
from schemas.records import CHANNELS
from schemas.registry import Registry
from schemas.wire import SINGLE_OBJECT, Wire, prefix
from streams.enrich.clean import clean
from streams.enrich.enriched import Enriched
from streams.enrich.foreign import ForeignEvents, merged
from streams.enrich.names import Names
from streams.enrich.splice import Splicer, Touchpoints
from streams.enrich.validate import refusals
from streams.erasure.erased import Erased
from streams.erasure.guard import guard
from streams.model.company import Model, built_in
from streams.model.mask import masked
from streams.model.normal import Nobody
from streams.text.scorer import Scorer

DIFFERENT = "the event keeps the rules, and yet it was not taken: a defect of Rihla, please report it"


class Enricher:
    """Enriches groups of events. Holds the catalogue and the text scorer, and no state of the stream."""

    def __init__(
        self,
        registry: Registry,
        wire: Wire = SINGLE_OBJECT,
        erased: Erased | None = None,
        nobody: Nobody | None = None,
        model: Model | None = None,
    ) -> None:
        """wire: the form of the interactions' headers. erased: who was; none by default. nobody: what names nobody.
        model: what events mean; the one that comes with Rihla by default."""
        self._model = built_in() if model is None else model
        self._scopes = self._model.scopes
        self._names = Names(self._model.nobody() if nobody is None else nobody, self._scopes)
        self._erased = Erased() if erased is None else erased
        self._decoders = {channel: BatchDecoder(channel, registry) for channel in CHANNELS}
        self._encoders = {channel: BatchEncoder(channel, registry) for channel in CHANNELS}
        self._foreign = ForeignEvents(registry)
        self._registry, self._wire = registry, wire
        self._touchpoints, self._scorer = Touchpoints(self._model.touchpoints), Scorer(aspects=self._model.aspects)

    @cached_property
    def _splicers(self) -> dict[str, Splicer]:  # not before there is something to write: the registry may be asked
        header = self._registry.header_for("interaction", self._wire)
        known = (self._touchpoints, self._scorer, self._names, self._model.kinds, self._model.scales)
        return {channel: Splicer(channel, header, *known) for channel in CHANNELS}

    def enrich(self, events: Mapping[str, Sequence[bytes | None]], now_ms: int) -> Enriched:
        """Validate, normalise, scrub, score and re-key events, those of all channels together.

        Args:
            events: of each channel (booking, check_in, stay, post_travel) the values of its records. The position of
                one is its place among all of them, channel by channel.
            now_ms: the worker's clock, epoch milliseconds.

        Raises RegistryError where the registry cannot be asked: the group is to be tried again.
        """
        enriched = Enriched()
        left: list[tuple[str, Rows, int]] = []
        base = 0  # the position of a channel's first event
        for channel, values in events.items():
            header = self._decoders[channel].current(values[0]) if values else None
            others = [*range(len(values))]
            if header is not None:
                others = self._splicers[channel].take(values, header, now_ms, enriched)
            rows = np.asarray(others, np.int64)
            enriched.rows += np.delete(np.arange(base, base + len(values)), rows).tolist()
            left.append((channel, rows, base))
            base += len(values)
        if len(self._erased) and self._erased.any_of(enriched.names()):
            enriched = Enriched()
            left = [(channel, np.arange(len(events[channel])), base) for channel, _, base in left]
        taken = len(enriched.rows)
        for channel, rows, base in left:
            if len(rows):
                self._judge(channel, events[channel], rows, base, now_ms, enriched)
        if len(enriched.rows) > taken:
            enriched.sort()
        return enriched

    def _judge(
        self, channel: str, values: Sequence[bytes | None], rows: Rows, base: int, now_ms: int, enriched: Enriched
    ) -> None:
        """Say what is wrong with events at these rows, and take those of them that are only written otherwise.

        base: added to a row it is a position.
        """
        decoded = self._decoded(channel, [values[row] for row in rows.tolist()])
        if decoded.lost:
            enriched.lost[channel] = enriched.lost.get(channel, 0) + decoded.lost
        decoded, erased = guard(channel, decoded, (), (), self._erased)
        enriched.refused += [(int(base + rows[at]), "undecodable", detail) for at, detail in decoded.errors]
        cleaned = clean(decoded.frame, self._names.nobody, self._scopes, self._model.scales)
        clear = {int(decoded.rows[at]): found for at, found in cleaned.clear.items()}
        # who was erased was known by the spelling of then, which was perhaps not the normal one
        decoded, more = guard(channel, Decoded(cleaned.frame, decoded.rows, []), (), (), self._erased)
        enriched.erased += erased + more
        enriched.nobody += cleaned.nobody
        positions = base + rows[decoded.rows]
        clear_rows = {at: clear[row] for at, row in enumerate(decoded.rows.tolist()) if row in clear}
        for at, (_, secrets) in clear_rows.items():
            payload = values[int(rows[decoded.rows[at]])] or b""
            enriched.clear[int(positions[at])] = self._shown(channel, payload, secrets), secrets
        refused = refusals(decoded.frame, now_ms, clear_rows)
        enriched.refused += [(int(positions[at]), reason, detail) for at, reason, detail in refused]
        good = np.delete(np.arange(len(positions)), [at for at, _, _ in refused])
        if not len(good):
            return
        positions = positions[good]
        again = self._encoders[channel].encode(decoded.frame[good])
        left = self._splicers[channel].take(again, prefix(again[0]), now_ms, enriched)
        # Both ways have the same rules. Should they ever differ, then a dead letter waits until that is mended, and not
        # all of the stream.
        enriched.refused += [(int(positions[at]), "undecodable", DIFFERENT) for at in left]
        enriched.rows += np.delete(positions, left).tolist()

    def _decoded(self, channel: str, payloads: list[bytes | None]) -> Decoded:
        """Events of any schema."""
        others = self._foreign.among(channel, payloads)
        if not others:
            return self._decoders[channel].decode(payloads)
        out = set(others)
        ours = np.asarray([at for at in range(len(payloads)) if at not in out], dtype=np.int64)
        decoded = self._decoders[channel].decode([payloads[at] for at in ours.tolist()])
        errors = [(int(ours[at]), detail) for at, detail in decoded.errors]
        placed = Decoded(decoded.frame, ours[decoded.rows], errors, decoded.lost)
        return merged(placed, self._foreign.decode(channel, payloads, others))

    def _shown(self, channel: str, payload: bytes, secrets: list[str]) -> bytes:
        """A payload without what may not be shown: with asterisks in its place; written anew where that breaks it."""
        shown = masked(payload, secrets)
        if not self._decoded(channel, [shown]).errors:
            return shown
        frame = self._decoded(channel, [payload]).frame
        (again,) = self._encoders[channel].encode(frame.with_columns(_hidden(frame, secrets)))
        return again


def _hidden(frame: pl.DataFrame, secrets: list[str]) -> list[pl.Series]:
    """The columns of an event's names, without those that may not be shown."""
    stars = {secret: "*" * len(secret) for secret in secrets}
    (ids,), (reference,) = frame["ids"].to_list(), frame["booking_ref"].to_list()
    hidden = [{name: stars.get(text, text) for name, text in one.items()} for one in ids]
    return [
        pl.Series("ids", [hidden], frame.schema["ids"]),
        pl.Series("booking_ref", [stars.get(reference, reference)], pl.String),
    ]
