"""Events of a channel in a schema that is not Rihla's: Avro as other systems write it. Pure.

A schema that resolves with ours field by field (schemas.plan) counts as ours. Any other (another record's name, a map
of attributes, enums written as text, times in microseconds, UUIDs as fixed(16), unions of several types) is read by the
writer's schema alone, and then by names, as a line of JSON is (streams.sources.jsonl).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl

from schemas.decode import Decoded
from schemas.foreign import avro_reader
from schemas.plan import NoPlanError, plan
from schemas.records import empty, inline, schema
from schemas.registry import Registry, UnknownSchemaError
from schemas.single import UndecodableError
from schemas.wire import WireError, parse, prefix
from streams.sources.jsonl import NotAnEvent, row_of_object
from streams.sources.rows import rows_to_frame
from streams.sources.spelling import respelled

LOCAL = (
    "occurred_at is a local time, and nothing says of which zone: have a mapping read this topic (rihla feed), which "
    "knows the zones of units"
)
NAMESPACE = "rihla."
"""In front of the names of Rihla's own records."""
Read = Callable[[bytes], Any]


class ForeignEvents:
    """Reads them. Keeps what it knows of schemas."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._known: dict[tuple[str, bytes], Read | None] = {}

    def among(self, channel: str, payloads: Sequence[bytes | None]) -> list[int]:
        """Positions of the events of foreign schemas. Raises RegistryError where the registry cannot be asked now."""
        return [at for at, payload in enumerate(payloads) if payload and self._reader(channel, payload) is not None]

    def decode(self, channel: str, payloads: Sequence[bytes | None], positions: Sequence[int]) -> Decoded:
        """The events at these positions, as BatchDecoder gives them."""
        rows, good, errors = [], [], []
        for at in positions:
            payload = payloads[at] or b""
            read = self._reader(channel, payload)
            assert read is not None
            try:
                rows.append(row_of_object({**read(payload[len(prefix(payload)) :]), "channel": channel}))
                good.append(at)
            except (UndecodableError, NotAnEvent) as error:
                errors.append((at, str(error)))
        frame = respelled(rows_to_frame(channel, rows)) if rows else empty(channel)
        return Decoded(frame, np.asarray(good, dtype=np.int64), errors)

    def _reader(self, channel: str, payload: bytes) -> Read | None:
        """What reads the events of a foreign schema; None of ours, and of one that nobody knows."""
        try:
            header = prefix(payload)
        except WireError:
            return None
        if (channel, header) not in self._known:
            try:
                writer = self._registry.writer_schema(parse(header))
            except UnknownSchemaError:
                return None  # it may be known later
            self._known[channel, header] = None if _ours(writer, channel) else _reads(writer)
        return self._known[channel, header]


def merged(one: Decoded, other: Decoded) -> Decoded:
    """Two parts of a batch, in its order."""
    rows = np.concatenate([one.rows, other.rows])
    order = np.argsort(rows)
    frame = pl.concat([one.frame, other.frame])[order]
    return Decoded(frame, rows[order], sorted([*one.errors, *other.errors]), one.lost + other.lost)


def _ours(writer: dict[str, Any], channel: str) -> bool:
    name = str(writer.get("name"))
    if name.startswith(NAMESPACE) and name != schema(channel)["name"]:
        return True  # a record of Rihla's that belongs into another topic: what it is to mean here would be a guess
    try:
        plan(inline(writer), inline(schema(channel)))
    except (NoPlanError, ValueError):
        return False
    return _logical(writer, "occurred_at") in (None, "timestamp-millis")


def _logical(writer: dict[str, Any], name: str) -> str | None:
    """The logical type of a field; that of the branch that has one."""
    for field in writer["fields"]:
        if field["name"] == name:
            branches = field["type"] if isinstance(field["type"], list) else [field["type"]]
            found = [one["logicalType"] for one in branches if isinstance(one, dict) and "logicalType" in one]
            return found[0] if found else None
    return None


def _reads(writer: dict[str, Any]) -> Read:
    reads = avro_reader(json.dumps(_public(writer)))
    logical = _logical(writer, "occurred_at") or ""

    def read(datum: bytes) -> Any:
        if logical.startswith("local-"):
            raise UndecodableError(LOCAL)
        found = reads(datum)
        if logical == "timestamp-nanos" and isinstance(found.get("occurred_at"), int):
            found["occurred_at"] //= 1_000_000
        return found

    return read


def _public(node: Any) -> Any:
    """A schema without what fastavro notes in it."""
    if isinstance(node, list):
        return [_public(one) for one in node]
    if isinstance(node, dict):
        return {key: _public(value) for key, value in node.items() if not key.startswith("__")}
    return node
