"""The rules by which preferences are found in interactions: rows of preferences.csv.

Where to look (source), what to look for, and what it means; streams.stitch.preferences says how a rule is applied.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).parent / "preferences.csv"
SOURCES: Final = ("attribute", "field", "touchpoint")
FIELDS: Final = ("locale", "meal_plan", "room_type")
"""Fields of an interaction that may tell a preference."""


class PreferenceError(ValueError):
    """A rule makes no sense; the message names file, line and reason."""


@dataclass(frozen=True, slots=True)
class Preference:
    """A rule: a row of preferences.csv."""

    source: str
    name: str
    match: str
    key: str
    value: str
    doc: str


@cache
def load(path: Path = FILE) -> tuple[Preference, ...]:
    """The rules of a file, in order. Raises PreferenceError, OSError."""
    columns = [field.name for field in fields(Preference)]
    rules = []
    with path.open(encoding="utf-8-sig", newline="") as lines:
        rows = csv.DictReader(lines)
        if rows.fieldnames != columns:
            raise PreferenceError(f"{path.name}, line 1: must be {','.join(columns)}")
        for row in rows:
            where = f"{path.name}, line {rows.line_num}"
            if None in row or None in row.values():
                raise PreferenceError(f"{where}: {len(columns)} values are due")
            rule = Preference(**row)
            if rule.source not in SOURCES:
                raise PreferenceError(f"{where}: source {rule.source!r} is none of {', '.join(SOURCES)}")
            if rule.source == "field" and rule.name not in FIELDS:
                raise PreferenceError(f"{where}: the field {rule.name!r} is none of {', '.join(FIELDS)}")
            if not (rule.name and rule.key and rule.value):
                raise PreferenceError(f"{where}: name, key and value are due")
            if rule.key.startswith("."):
                raise PreferenceError(f"{where}: a key begins with no full stop: such ones are Rihla's own")
            if rule.match and rule.source != "attribute":
                raise PreferenceError(f"{where}: match is for attributes only")
            rules.append(rule)
    return tuple(rules)
