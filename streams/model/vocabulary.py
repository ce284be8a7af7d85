"""The closed lists of words that events, journeys, cases, rules and texts share."""

from __future__ import annotations

import csv
from importlib.resources import files
from types import MappingProxyType
from typing import Final


def _aspects() -> dict[str, str | None]:
    lines = (files("streams.model") / "aspects.csv").read_text(encoding="utf-8").splitlines()
    return {row["name"]: row["parent"] or None for row in csv.DictReader(lines)}


INSTRUMENTS: Final = ("nps", "csat", "ces", "stars")
"""Survey instruments."""

MILESTONES: Final = MappingProxyType(
    {"booked": 1, "cancelled": 2, "no_show": 3, "checked_in": 4, "in_stay": 5, "completed": 6}
)
"""Journey status that a milestone brings about -> its rank among milestones of one instant."""

CASE_ROLES: Final = ("open", "contact", "response", "resolve", "reopen")
"""What a touchpoint does to the case whose id its event carries."""

ASPECT_PARENTS: Final = MappingProxyType(_aspects())
"""What an experience can be about (of touchpoints, of texts and of reviews' ratings) -> the wider one that it is a part
of, or None. The file is streams/model/aspects.csv.
"""
ASPECTS: Final = tuple(ASPECT_PARENTS)

SEVERITIES: Final = ("low", "medium", "high", "critical")
"""Of alerts: how soon somebody must act."""

DAY_MS: Final = 86_400_000

NEGATIVE_AT: Final = -0.25
ADVOCATE_AT: Final = 0.25
"""Bounds of the profiles on the 30-day score: negative at or below, advocate at or above."""

UUID: Final = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
"""Regular expression of an event id."""
