"""Names of things, and the records of cx.deliveries. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from streams.deliver.match import state_of
from streams.deliver.state import Delivery, Entry
from streams.model.whose import owner_of

_IDS = {
    "alert": "alert_id",
    "move": "move_id",
    "incident": "incident_id",
    "invitation": "invitation_id",
    "message": "message_id",
    "breach": "breach_id",
    "report": "report_id",
}


def name_of(kind: str, thing: Mapping[str, Any]) -> str:
    """The id of a thing among those of its kind."""
    if kind == "next_action":
        return str(thing["customer_id"])
    id_ = _IDS.get(kind)
    second = "segment" if kind == "segment" else "case_id"
    return str(thing[id_]) if id_ else f"{thing['customer_id']}/{thing[second]}"


def delivery_row(entry: Entry, one: Delivery) -> tuple[Any, ...]:
    """A record of delivery.avsc."""
    thing = entry.things.get(one.version, {})
    return (
        one.target,
        entry.kind,
        entry.id,
        one.version,
        entry.customer_id,
        thing.get("rule"),
        thing.get("severity"),
        owner_of(thing),
        state_of(entry.kind, thing) if thing else None,
        one.status,
        one.attempts,
        one.code,
        one.error,
        one.since,
        one.at,
        one.revision,
    )


def delivery_key(row: Iterable[Any]) -> bytes:
    """The key of a record of delivery.avsc."""
    target, kind, id_, version, *_ = row
    return f"{target}/{kind}/{id_}/{version}".encode()
