"""Times from which something holds, as files say them."""

from __future__ import annotations

from datetime import UTC, datetime

EVER = 7_258_118_400_000
"""2200-01-01, epoch ms: until then holds what still holds."""
NEVER = -1
"""Of a text that is no time."""


def since_of(text: str | None) -> int:
    """A day or an ISO 8601 time, UTC unless it says otherwise, as epoch ms; 0 for None, NEVER for what is no time."""
    if text is None:
        return 0
    try:
        at = datetime.fromisoformat(text)
        return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return NEVER
