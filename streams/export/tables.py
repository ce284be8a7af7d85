"""What is exported, and the day of a row: that of a moment which later events of the same row seldom move."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

DAYS: Final[Mapping[str, str]] = {
    "interactions": "occurred_at",
    "journeys": "started_at",
    "journey_spend": "first_at",
    "customers": "first_event_at",
    "cases": "opened_at",
    "alerts": "occurred_at",
    "moves": "occurred_at",
    "segments": "occurred_at",
    "answers": "occurred_at",
    "invitations": "decided_at",
    "unit_levels": "valid_from",
}
"""View: the column of the moment whose day, UTC, a row is filed under; 1970-01-01 where the moment is not known.

Not here are views that the clock alone changes (`journeys_now`): each night would write them whole.
"""
