"""What is sent to guests by the company's own messaging system: each invitation and message once, while it may be.

For people an alert has versions, and each of them is news. A guest is written to once: of the versions of a message the
newest that may be sent is, and none after one was taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from streams.deliver.message import Message
from streams.deliver.model import Routes
from streams.deliver.routes import GUESTS, is_of_guests
from streams.deliver.state import DELIVERED, OPEN, WITHHELD, Entry
from streams.guest import events
from streams.model.subjects import keys_of, subjects
from streams.sources.jsonl import row_of_object
from streams.sources.rows import rows_to_frame

SENDABLE = {"invitation": "planned", "message": "approved"}
"""Kind: the status in which it is sent."""


def targets(routes: Routes, kind: str, thing: Mapping[str, Any], found: Mapping[str, bool]) -> dict[str, bool]:
    """Those of the targets that are told of this version: a target that writes to guests only of what may be sent."""
    may_go = SENDABLE.get(kind) == thing.get("status")
    return {name: clear for name, clear in found.items() if may_go or not is_of_guests(routes, name)}


def only_once(routes: Routes, entry: Entry, thing: Mapping[str, Any], now: int) -> None:
    """Withhold, after a further version was taken in, what is not to be sent to guests: all of what may not be sent any
    more, and what they have, or get in a newer version."""
    if entry.kind not in GUESTS:
        return
    may_go = SENDABLE[entry.kind] == thing["status"]
    for name, told in entry.told.items():
        if not is_of_guests(routes, name):
            continue
        unsent = [one for one in entry.deliveries if one.target == name and one.status in OPEN]
        keep = unsent[-1] if unsent and may_go and not told.sent else None
        for one in unsent:
            if one is not keep:
                one.changed(WITHHELD, now, one.attempts)


def letter(message: Message, entry: Entry, thing: Mapping[str, Any], link: str | None) -> Message:
    """The message for a system that writes to guests: the guest's own text, under a key that is the same for all
    versions."""
    key = f"{entry.kind}.{entry.id}"
    text = str(thing["text"]).replace("{link}", link or "")
    fields = {**message.fields, "key": key, "text": text, "link": link}
    return Message(key, fields, message.subject, text)


def sent(routes: Routes, entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """The events of what guests were sent, as JSON lines have them. Made anew after a crash, they have the same ids."""
    return [
        events.sent(entry.kind, entry.things[one.version], max(one.at, entry.things[one.version]["occurred_at"]))
        for entry in entries
        for one in entry.deliveries
        if entry.kind in GUESTS and one.status == DELIVERED and is_of_guests(routes, one.target)
    ]


def records(lines: Sequence[Mapping[str, Any]]) -> tuple[pl.DataFrame, list[bytes]]:
    """Events of post-travel, and their keys."""
    frame = rows_to_frame("post_travel", [row_of_object(dict(line)) for line in lines])
    return frame, keys_of(subjects(frame))
