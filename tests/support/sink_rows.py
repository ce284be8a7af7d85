"""Frames for the tables, written by the few fields that a test cares about."""

from __future__ import annotations

import uuid
from typing import Any

import polars as pl

from schemas import records

DAY = 86_400_000
NOON = 1_704_110_400_000  # 2024-01-01 12:00 UTC

_TYPICAL: dict[str, Any] = {
    "touchpoint": "booking.confirmed",
    "medium": "web",
    "channel": "booking",
    "kind": "customer",
    "status": "booked",
    "profile": "non_committal",
    "severity": "high",
    "reason": "undecodable",
    "version": 1,
}


def frame(name: str, *rows: dict[str, Any]) -> pl.DataFrame:
    """Rows in the frame form of a record; what is not given is null where it may be, else typical, zero or empty."""
    fields = {field["name"]: field["type"] for field in records.inlined(name)["fields"]}
    schema = records.polars_schema(name)
    whole = [{field: row.get(field, _default(field, fields[field], schema[field])) for field in fields} for row in rows]
    return pl.DataFrame(whole, schema=schema)


def interaction(subject: str, at: int, **given: Any) -> dict[str, Any]:
    """An interaction of `subject` at epoch milliseconds `at`, with an id of its own."""
    return {"event_id": str(uuid.uuid4()), "subject": subject, "occurred_at": at, **given}


def journey(customer: str, key: str, start: int, end: int, **given: Any) -> dict[str, Any]:
    """A booking journey, or a visit where the key begins with `visit/`, from start to end."""
    booking = not key.startswith("visit/")
    span = {"booking_ref": key, "span_start": start, "span_end": end} if booking else {}
    return {
        "journey_id": f"{customer}/{key}",
        "customer_id": customer,
        "kind": "booking" if booking else "visit",
        "started_at": start,
        "last_event_at": end,
        **span,
        **given,
    }


def _default(name: str, avro: Any, plain: pl.DataType) -> Any:
    if isinstance(avro, list):
        return None
    if isinstance(plain, pl.List):
        return []
    if name in _TYPICAL and plain == (pl.Int64() if isinstance(_TYPICAL[name], int) else pl.String()):
        return _TYPICAL[name]
    return {pl.Int64(): 0, pl.Float64(): 0.0, pl.Boolean(): False, pl.Binary(): b""}.get(plain, "")
