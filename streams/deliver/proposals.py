"""Next actions as they are told: those that the model proposes, and when the first news of them is due. Pure.

A record says from when each action is due. A target first hears of a customer when the first action is due, and from
then on of each change at once. What waits for its time is replaced by a later version, and never sent if nothing is
left to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streams.deliver.courier import Held
from streams.deliver.state import OPEN, WITHHELD, Delivery, Entry
from streams.model.actions import Actions

KIND = "next_action"
_FIRST = ("action", "reason", "evidence", "begins_at", "ends_at")


def thing_of(row: Mapping[str, Any], model: Actions, published: int) -> dict[str, Any]:
    """What is told of a record of next_action.avsc: its actions that the model proposes, the most urgent first.

    The fields of the first are the thing's own, too. published: epoch ms.
    """
    known = model.by_name
    found = [
        {"priority": known[one["action"]].rank, **one}
        for one in row["actions"]
        if one["action"] in known and known[one["action"]].propose
    ]
    found.sort(key=lambda one: (one["priority"], one["evidence"]))
    first: Mapping[str, Any] = found[0] if found else {}
    return {
        "customer_id": row["customer_id"],
        **{name: first.get(name) for name in _FIRST},
        "actions": found,
        "published_at": published,
        "version": row["version"],
    }


def begins(thing: Mapping[str, Any]) -> int:
    """From when on there is something to do, epoch ms; 0: at once, or never again."""
    return min((one["begins_at"] or 0 for one in thing["actions"]), default=0)


def check(entry: Entry, one: Delivery, now: int) -> None:
    """Raises Held if a target that was never told of this customer would hear of it too early. now: epoch ms."""
    if entry.kind != KIND or not _is_first(entry, one):
        return
    due = begins(entry.things[one.version])
    if due > now:
        raise Held(due)


def _is_first(entry: Entry, one: Delivery) -> bool:
    """Whether the target certainly has none before this."""
    told = entry.told.get(one.target)
    others = (other for other in entry.deliveries if other.target == one.target and other is not one)
    return all(other.status == WITHHELD for other in others) and (told is None or not told.sent)


def supersede(entry: Entry, now: int) -> bool:
    """Withhold deliveries that still wait for their time where a later version is there, and those of an end of which
    the target never heard the beginning. Returns whether there were any. now: epoch ms."""
    if entry.kind != KIND:
        return False
    any_withheld = False
    for target in [*entry.told]:
        of_it = [one for one in entry.deliveries if one.target == target and one.status != WITHHELD]
        while len(of_it) > 1 and _is_waiting(entry, of_it, now):
            of_it.pop(0).changed(WITHHELD, now, 0)
            any_withheld = True
        if len(of_it) == 1 and any_withheld and not entry.told[target].sent:
            only = of_it[0]
            if only.status in OPEN and not entry.things[only.version]["actions"]:
                only.changed(WITHHELD, now, 0)
                del entry.told[target]
    return any_withheld


def _is_waiting(entry: Entry, of_it: list[Delivery], now: int) -> bool:
    first = of_it[0]
    never_told = not entry.told[first.target].sent
    return never_told and first.status in OPEN and begins(entry.things[first.version]) > now
