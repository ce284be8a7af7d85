"""Small moments of a trip, stage by stage: how probable they are and what they do to the mood (moments.csv)."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from streams.sources.simulate.trip import Trip


@dataclass(frozen=True, slots=True)
class Moment:
    """One row of moments.csv."""

    touchpoint: str
    chance: float
    medium: str
    mood: float
    """What it adds to the trip's mood."""


@cache
def moments(stage: str, kind: str) -> tuple[Moment, ...]:
    """The moments that a stage of a kind of trip may have, in the file's order."""
    table = files(__package__).joinpath("moments.csv").read_text("utf-8")
    return tuple(
        Moment(row["touchpoint"], float(row["chance"]), row["medium"], float(row["mood"]))
        for row in csv.DictReader(io.StringIO(table))
        if row["stage"] == stage and kind in row["kinds"].split()
    )


def live(trip: Trip, stage: str, start: int, end: int, unit: str) -> None:
    """Let the lead live through the moments of a stage, each by chance, at some time from start to end (epoch ms)."""
    random = trip.random
    for moment in moments(stage, trip.kind.name):
        if random.random() < moment.chance:
            at = random.randint(start, max(start, end))
            trip.report(trip.lead, at, moment.touchpoint, moment.medium, unit=unit)
            trip.worsen(-moment.mood)
