"""A unit as a file says it, and what must hold of a file's units together. Pure.

The published JSON Schema, unit.schema.json, is made of the class Unit: `python -m streams.master.units` writes it
again.
"""

from __future__ import annotations

import ast
import inspect
import json
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from streams.master.times import EVER, since_of
from streams.model import currencies, zones
from streams.model.prayer import Method

FILE = Path(__file__).parent / "unit.schema.json"
LEVELS = 6
"""Number of ancestors from which a unit inherits what it does not say itself (migration 0034)."""

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Unit(msgspec.Struct, forbid_unknown_fields=True, frozen=True, omit_defaults=True):
    """One unit, from a moment on. What it does not say is its parent's, or its brand's."""

    unit: Id
    """Its id, as events name it."""
    valid_from: Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d{2}-\d{2}([T ].+)?$")] | None = None
    """Since when this holds: a day, or an ISO 8601 time; UTC unless it says otherwise. What is said first of a unit
    holds for all time before, too."""
    name: str | None = None
    """Its name for people."""
    kind: (
        Literal["company", "brand", "region", "property", "airport", "flight", "desk", "bus", "tent", "other"] | None
    ) = None
    """What it is."""
    parent: Id | None = None
    """The unit that it is a part of."""
    brand: Id | None = None
    """Brand, as figures are grouped by it; a unit of that id, if there is one, lends what is missing."""
    region: Id | None = None
    """Region, as figures are grouped by it."""
    timezone: str | None = None
    """Its clock: a zone of the IANA database, like Asia/Riyadh."""
    currency: Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")] | None = None
    """Its currency, ISO 4217."""
    latitude: Annotated[float, msgspec.Meta(ge=-90, le=90)] | None = None
    """Degrees, north positive."""
    longitude: Annotated[float, msgspec.Meta(ge=-180, le=180)] | None = None
    """Degrees, east positive."""
    prayer_method: Method | None = None
    """How its times of prayer are reckoned."""
    capacity: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """People that it takes."""

    @property
    def since(self) -> int:
        """`valid_from` as epoch ms: 0 where it is not said, times.NEVER where it is no time."""
        return since_of(self.valid_from)


Placed = tuple[int, Unit]
"""The line of a file on which a unit begins, and the unit."""


def faults(units: Sequence[Placed], known: Mapping[str, Mapping[int, str | None]] | None = None) -> Iterator[str]:
    """What is wrong with the units of a file, a sentence each, with its line; in order of the lines.

    known: what is stored already: unit: {since: parent}. What the file says of the same unit and time replaces it.
    """
    parents = {unit: {**history} for unit, history in (known or {}).items()}
    untimely = {line for line, unit in units if not 0 <= unit.since < EVER}
    for line, unit in units:
        if line not in untimely:
            parents.setdefault(unit.unit, {})[unit.since] = unit.parent
    seen: dict[tuple[str, int], int] = {}
    for line, unit in units:
        if line in untimely:
            yield f"line {line}: unit {unit.unit}: valid_from {unit.valid_from!r} is no time from 1970 to 2199"
            continue
        for sentence in _faults(unit, parents, seen):
            yield f"line {line}: unit {unit.unit}: {sentence}"
        seen.setdefault((unit.unit, unit.since), line)


def _faults(
    unit: Unit, parents: Mapping[str, Mapping[int, str | None]], seen: Mapping[tuple[str, int], int]
) -> Iterator[str]:
    if (line := seen.get((unit.unit, unit.since))) is not None:
        yield f"is on line {line} already, with the same valid_from"
    if unit.parent is not None and unit.parent not in parents:
        yield f"there is no unit {unit.parent}, which is to be its parent{_meant(unit.parent, parents)}"
    if unit.timezone is not None and unit.timezone not in zones.names():
        yield f"there is no time zone {unit.timezone} in the IANA database{_meant(unit.timezone, zones.names())}"
    if unit.currency is not None and unit.currency not in currencies.digits():
        yield f"there is no currency {unit.currency} in ISO 4217{_meant(unit.currency, currencies.digits())}"
    if (unit.latitude is None) != (unit.longitude is None):
        yield "has one of latitude and longitude, and needs both or neither"
    chain = _chain(unit, parents)
    if len(chain) > 1 and chain[-1] == chain[0]:
        yield f"is a part of itself: {' in '.join(chain)}"
    elif len(chain) > LEVELS + 1:
        yield f"has more than {LEVELS} levels above it: {' in '.join(chain)}"


def _chain(unit: Unit, parents: Mapping[str, Mapping[int, str | None]]) -> list[str]:
    """The unit and those above it from when it holds: at most one more than LEVELS allows, or up to itself."""
    chain, parent = [unit.unit], unit.parent
    while parent is not None and len(chain) < LEVELS + 2:
        chain.append(parent)
        if parent == unit.unit:
            break
        parent = parent_at(parents.get(parent, {}), unit.since)
    return chain


def parent_at(history: Mapping[int, str | None], at: int) -> str | None:
    """The parent in a history ({since: parent}) at a time; before the first, what is said first."""
    if not history:
        return None
    begun = [since for since in history if since <= at]
    return history[max(begun) if begun else min(history)]


def _meant(word: str, words: Collection[str]) -> str:
    found = get_close_matches(word, words, 1, 0.75)
    return f"; did you mean {found[0]}?" if found else ""


def schema() -> dict[str, Any]:
    """JSON Schema, 2020-12, of a file of units as data: a table of lists, `[[unit]]` in TOML."""
    made = msgspec.json.schema(Unit)
    docs = _docs()
    for name, about in made["$defs"]["Unit"]["properties"].items():
        about["description"] = docs[name]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Rihla units",
        "type": "object",
        "properties": {"unit": {"type": "array", "items": {"$ref": "#/$defs/Unit"}}},
        "required": ["unit"],
        "additionalProperties": False,
        "$defs": made["$defs"],
    }


def text() -> str:
    """The schema as its file has it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _docs() -> dict[str, str]:
    """What the class says of its fields, in the string after each."""
    (body,) = [
        part.body
        for part in ast.parse(inspect.getsource(sys.modules[__name__])).body
        if isinstance(part, ast.ClassDef) and part.name == "Unit"
    ]
    return {
        ast.unparse(field.target): inspect.cleandoc(ast.literal_eval(doc.value))
        for field, doc in pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(doc, ast.Expr)
    }


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
