"""What a journey is once cancellations and no-shows that came after the guest no longer undo it.

The text of a query may hold

    {held}   the status that holds, from the columns of the view journeys: as the column `held` of journeys_now, which
             costs plans and clocks of units besides
"""

from __future__ import annotations

_NEVER = "toDateTime64(0, 3, 'UTC')"
_CAME = f"greatest(ifNull(arrived_at, {_NEVER}), ifNull(checked_out_at, {_NEVER}))"
HELD = (
    f"multiIf(status NOT IN ('cancelled', 'no_show') OR {_CAME} = {_NEVER} OR ifNull(booked_at, {_NEVER}) > {_CAME}, "
    f"toString(status), status = 'cancelled' OR ifNull(checked_out_at, {_NEVER}) >= ifNull(arrived_at, {_NEVER}), "
    "'completed', 'in_stay')"
)


def fill(text: str) -> str:
    """The text of a query with {held} filled in."""
    return text.replace("{held}", HELD)
