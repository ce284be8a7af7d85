"""The words of groups (docs/groups.md): which events say who is a member, and what narrows a membership or an event."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

JOINED: Final = "booking.group_joined"
LEFT: Final = "booking.group_left"
WITHDRAWN: Final = "booking.group_withdrawn"
"""Touchpoint: a membership was never one, whatever was said of it until then."""
TOUCHPOINTS: Final = (JOINED, LEFT, WITHDRAWN)

VALID_FROM: Final = "valid_from"
VALID_UNTIL: Final = "valid_until"
"""Attributes of JOINED: since when and until when; of LEFT the second says when, where that is not the event's time."""
LABELS: Final = ("guide", "bus", "tent", "floor")
"""Attributes of JOINED: where a member is within the group. Attributes of an event of the group: whom it concerns."""
FOREVER: Final = 1 << 53
"""The end of a membership without one; epoch ms."""

_CLOCK: Final = "([01][0-9]|2[0-3]):[0-5][0-9]"
TIME: Final = f"^(19|20|21)[0-9]{{2}}-[01][0-9]-[0-3][0-9](T{_CLOCK}:[0-5][0-9]([.][0-9]{{3}})?(Z|[+-]{_CLOCK}))?$"
"""How a time is written in an attribute: ISO 8601, a day (midnight UTC) or a moment with its offset."""
_time = re.compile(TIME).fullmatch


def moment(text: str) -> int | None:
    """The epoch ms of a time in an attribute; None where there is none, or no such day."""
    if not _time(text):
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
