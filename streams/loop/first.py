"""What was said first under an event's id. Pure.

A form that is sent twice (a double click, a browser that tries again) makes two events with one id and two times. Were
both recorded, state would keep the first that it reads, and the stored events the one with the larger hash: so what
was said first is recorded again, and the copies are alike. It holds within one process; somebody who clicks twice and
reaches two of them is not covered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

KEPT: Final = 10_000
"""Events that are remembered: the newest."""


class First:
    """Events by their id."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._events: dict[str, Mapping[str, Any]] = {}

    def of(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        """The event that came first with this one's id; this one, where it is the first."""
        first = self._events.setdefault(event["event_id"], event)
        if len(self._events) > self._kept:
            del self._events[next(iter(self._events))]
        return first
