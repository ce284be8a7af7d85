"""What interactions state of a customer beyond the contact: groups, and what a text really says. Pure.

Kept under the subject of the interaction that says so, one key for each thing that is spoken of; read for all
identifiers of a customer at once. For each key the last word counts, or the set of what was said, so order does not
matter.

    e subject, group                -> all that was said of a membership
    z subject, event                -> what the text of the event really says, as said last
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from streams.loop import corrections
from streams.model import groups, membership
from streams.model.identifiers import GROUP
from streams.serve.store import Transaction, digest, pack, unpack

TABLES = (b"e", b"z")
"""First letters of the keys."""
SAID_KEPT = 50
"""Most statements about one membership that are kept, the last ones."""
NO_END = groups.FOREVER

Row = Mapping[str, Any]
Document = dict[str, Any]


def apply(view: Transaction, row: Row) -> None:
    """Apply what an interaction states."""
    touchpoint = row["touchpoint"]
    if (work := _WORKS.get(touchpoint)) is not None:
        work(view, row)


def _correction(view: Transaction, row: Row) -> None:
    if (said := corrections.corrected(row["attributes"])) is not None:
        told = [row["occurred_at"], row["event_id"], said.about, said.verdict, row["agent_id"]]
        _put_if_later(view, b"z" + digest(row["subject"]) + digest(said.about), told)


def _put_if_later(view: Transaction, key: bytes, told: list[Any]) -> None:
    stored = view.get(key)
    if stored is None or unpack(stored)[:2] < told[:2]:
        view.put(key, pack(told))


def _membership(view: Transaction, row: Row) -> None:
    said = membership.said_of(row["touchpoint"], row["occurred_at"], membership.by_key(row["attributes"] or ()))
    for name in {one["value"] for one in row["ids"] or () if one["kind"] == GROUP}:
        key = b"e" + digest(row["subject"]) + digest(name)
        stored = view.get(key)
        known = [] if stored is None else unpack(stored)[1]
        if (new := [*said[:4], list(said[4])]) not in known:
            view.put(key, pack([name, sorted([*known, new])[-SAID_KEPT:]]))


_WORKS: dict[str, Callable[[Transaction, Row], None]] = {
    **dict.fromkeys(corrections.TOUCHPOINTS, _correction),
    **dict.fromkeys(groups.TOUCHPOINTS, _membership),
}


def memberships(view: Transaction, names: Iterable[str], iso: Callable[[int], str | None]) -> list[Document]:
    """When the customer was in which groups, the latest first. until: null where it has no end."""
    said: dict[str, set[membership.Said]] = {}
    for name, some in _all(view, b"e", names):
        said.setdefault(name, set()).update((at, what, since, until, tuple(of)) for at, what, since, until, of in some)
    found = [(since, name, until, labels) for name, some in said.items() for since, until, labels in
             membership.periods(some)]  # fmt: skip
    return [
        {"group": name, "since": iso(since), "until": None if until >= NO_END else iso(until)}
        | {label: value for label, value in zip(groups.LABELS, labels, strict=True) if value}
        for since, name, until, labels in sorted(found, reverse=True)
    ]


def corrected(view: Transaction, names: Iterable[str], iso: Callable[[int], str | None]) -> dict[str, Document]:
    """What people said that texts really say, by the id of the event with the text."""
    told: dict[str, list[Any]] = {}
    for one in _all(view, b"z", names):
        told[one[2]] = max(told.get(one[2], one), one, key=lambda each: (each[0], each[1]))
    return {about: {"verdict": one[3], "who": one[4], "at": iso(one[0])} for about, one in told.items()}


def _all(view: Transaction, table: bytes, names: Iterable[str]) -> list[list[Any]]:
    return [unpack(value) for name in names for _, value in view.scan(table + digest(name))]
