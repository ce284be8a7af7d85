"""The touchpoint catalogue: what each thing that can happen on a journey means.

A data file, `touchpoints.csv`; an operator's own touchpoints are added there. What it does not know is still accepted.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

import polars as pl

from schemas.records import CHANNELS
from streams.model.vocabulary import ASPECTS, CASE_ROLES, MILESTONES

FILE: Final = Path(__file__).parent / "touchpoints.csv"


class CatalogueError(ValueError):
    """The catalogue contradicts itself; the message names file, line and reason."""


@dataclass(frozen=True, slots=True)
class Touchpoint:
    """One thing that can happen on a journey."""

    name: str
    """channel.what_happened"""
    channel: str
    """booking, check_in, stay or post_travel."""
    milestone: str | None
    """Journey status that it brings about (MILESTONES)."""
    prior: float | None
    """Sentiment in [-1, 1] to be assumed of a customer to whom it happens; none for milestones and surveys."""
    effort: float | None
    """What it asks of the customer, from 1 (nothing) to 7 (a great deal)."""
    case_role: str | None
    """What it does to a case (CASE_ROLES)."""
    aspect: str | None
    """What it is about (ASPECTS)."""
    doc: str
    """What happened, in words."""


@functools.cache
def load(path: Path = FILE, aspects: tuple[str, ...] = ASPECTS) -> dict[str, Touchpoint]:
    """The catalogue by name, in the order of the file (shared: do not change it). Raises CatalogueError, OSError.

    aspects: those that there are.
    """
    catalogue: dict[str, Touchpoint] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        columns = [field.name for field in fields(Touchpoint)]
        if rows.fieldnames != columns:
            raise CatalogueError(f"{path.name}: the first line must be {','.join(columns)}")
        for row in rows:
            where = f"{path.name}, line {rows.line_num}"
            if None in row or None in row.values():
                raise CatalogueError(f"{where}: {len(columns)} values are due")
            touchpoint = _touchpoint(row, where, aspects)
            if touchpoint.name in catalogue:
                raise CatalogueError(f"{where}: {touchpoint.name} is there twice")
            catalogue[touchpoint.name] = touchpoint
    return catalogue


def frame(touchpoints: Mapping[str, Touchpoint] | None = None) -> pl.DataFrame:
    """A catalogue (Rihla's own by default) as columns, to join with: `touchpoint` for the name, the others as in
    Touchpoint."""
    schema = {"name": pl.String, "channel": pl.String, "milestone": pl.String, "prior": pl.Float64}
    schema |= {"effort": pl.Float64, "case_role": pl.String, "aspect": pl.String, "doc": pl.String}
    rows = [asdict(touchpoint) for touchpoint in (load() if touchpoints is None else touchpoints).values()]
    return pl.DataFrame(rows, schema=schema).rename({"name": "touchpoint"})


def _touchpoint(row: dict[str, str], where: str, aspects: tuple[str, ...]) -> Touchpoint:
    """A line of the file. Raises CatalogueError, with `where`, for one that makes no sense."""
    name, channel = row["name"], row["channel"]
    if channel not in CHANNELS:
        raise CatalogueError(f"{where}: channel {channel!r} is none of {', '.join(CHANNELS)}")
    what = name.removeprefix(f"{channel}.")
    if what == name or not (what.isascii() and what.isidentifier() and what.islower()):
        raise CatalogueError(f"{where}: {name!r} is not {channel}. and then words in lower case joined by _")
    if not row["doc"]:
        raise CatalogueError(f"{where}: {name} has no doc")
    touchpoint = Touchpoint(
        name=name,
        channel=channel,
        milestone=_one_of(row["milestone"], tuple(MILESTONES), "milestone", where),
        prior=_number(row["prior"], -1.0, 1.0, "prior", where),
        effort=_number(row["effort"], 1.0, 7.0, "effort", where),
        case_role=_one_of(row["case_role"], CASE_ROLES, "case_role", where),
        aspect=_one_of(row["aspect"], aspects, "aspect", where),
        doc=row["doc"],
    )
    if touchpoint.milestone is not None and touchpoint.prior is not None:
        raise CatalogueError(f"{where}: {name} is a milestone, which has no prior")
    return touchpoint


def _one_of(value: str, allowed: tuple[str, ...], column: str, where: str) -> str | None:
    if value and value not in allowed:
        raise CatalogueError(f"{where}: {column} {value!r} is none of {', '.join(allowed)}")
    return value or None


def _number(value: str, low: float, high: float, column: str, where: str) -> float | None:
    if not value:
        return None
    try:
        number = float(value)
    except ValueError:
        raise CatalogueError(f"{where}: {column} {value!r} is no number") from None
    if not low <= number <= high:
        raise CatalogueError(f"{where}: {column} {value} is not from {low:g} to {high:g}")
    return number
