"""Compares segments at targets with the view `segments`: by what each target was last sent, or by a file of its
members."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from streams.errors import RihlaError

_SENT = """
    SELECT
        customer_id,
        substring(thing_id, length(customer_id) + 2) AS segment,
        argMaxIf(toString(state), thing_version, status = 'delivered') AS has,
        argMax(toString(status), thing_version) AS newest,
        argMax(error, thing_version) AS why
    FROM deliveries
    WHERE kind = 'segment' AND target = {target:String}
    GROUP BY customer_id, segment
"""
_MEMBERS = "SELECT customer_id, toString(segment) FROM segments"


class Drift(NamedTuple):
    """A customer and a segment for which a target differs from the state."""

    customer_id: str
    segment: str
    target_has: bool
    why: str
    """Status of the newest delivery: waiting, retrying, dead, with its error; never sent; or the file's value."""


def of_target(client: Any, target: str) -> list[Drift]:
    """The differences between what targets were last sent and the state, for segments that they were ever sent.

    client: of clickhouse-connect, on the database of the tables. Raises RihlaError if it was never sent a segment.
    """
    sent = {
        (customer, segment): (has == "entered", newest, why)
        for customer, segment, has, newest, why in client.query(_SENT, {"target": target}).result_rows
    }
    told = {segment for _, segment in sent}
    if not told:
        raise RihlaError(
            f"no target {target!r} was ever told of a segment", 'a route with kinds = ["segment"]: docs/segments.md'
        )
    members = {one for one in _members(client) if one[1] in told}
    found = []
    for customer, segment in sorted(members | sent.keys()):
        has, newest, why = sent.get((customer, segment), (False, "never sent", None))
        if has != ((customer, segment) in members):
            # delivered, and the state has changed since: deliver has not read that change yet
            status = "not read by deliver yet" if newest == "delivered" else newest
            found.append(Drift(customer, segment, has, status if not why else f"{status}: {why}"))
    return found


def of_file(client: Any, path: Path) -> list[Drift]:
    """The differences between a file of a system's members and the state, for the segments that it names.

    path: CSV with a head: customer_id, segment, and member (yes, no, 1, 0, true, false); a row without `member` is a
    member. Raises RihlaError.
    """
    with path.open(encoding="utf-8-sig", newline="") as lines:
        held = dict(_read(lines, path.name))
    named = {segment for _, segment in held}
    members = {one for one in _members(client) if one[1] in named}
    return [
        Drift(*one, held.get(one, False), "the file says so" if one in held else "the file has no such row")
        for one in sorted(members | held.keys())
        if held.get(one, False) != (one in members)
    ]


def _read(lines: Iterable[str], name: str) -> Iterator[tuple[tuple[str, str], bool]]:
    rows = csv.DictReader(lines)
    if not {"customer_id", "segment"} <= {*(rows.fieldnames or ())}:
        raise RihlaError(f"{name}: its head must have customer_id and segment, and may have member")
    for row in rows:
        said = (row.get("member") or "yes").strip().lower()
        if said not in ("yes", "no", "1", "0", "true", "false"):
            raise RihlaError(f"{name}, line {rows.line_num}: member is {said!r}, and not yes or no")
        if not row["customer_id"] or not row["segment"]:
            raise RihlaError(f"{name}, line {rows.line_num}: customer_id and segment are due")
        yield (row["customer_id"], row["segment"]), said in ("yes", "1", "true")


def _members(client: Any) -> Iterator[tuple[str, str]]:
    return ((str(customer), str(segment)) for customer, segment in client.query(_MEMBERS).result_rows)
