"""Which unit something at a customer's journey is attributed to, where it names none itself. Pure.

docs/units.md says the rule in words; `sinks.clickhouse.attribution` has it as SQL, `streams.verify.attribution` the
plain way; tests hold the three to each other. stitch asks it for alerts, when nobody can wait for a query.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final


def owner_of(thing: Mapping[str, Any]) -> str | None:
    """Who has to act on a record of an alert, a case or a move: its unit, its own or the attributed one, else a care
    centre. Records of versions that did not say have their own unit alone."""
    return thing.get("owner") or thing.get("unit")


Place = tuple[int, int, int]
"""(since, until, ELSEWHERE and AT_DESK as far as they hold) of a unit in a journey: from the first to the last event of
channel `stay` that names it, epoch ms (0, 0: none does)."""
ELSEWHERE: Final = 1
"""Events of another channel than check_in name the unit."""
AT_DESK: Final = 2
"""Events of channel check_in name the unit."""


def place(channel: str, at: int) -> Place:
    """What one event of a channel (booking, check_in, stay, post_travel) says of its unit."""
    if channel == "check_in":
        return 0, 0, AT_DESK
    return (at, at, ELSEWHERE) if channel == "stay" else (0, 0, ELSEWHERE)


def both(one: Place, other: Place) -> Place:
    """What two disjoint sets of events say of a unit: associative and commutative."""
    since = min(one[0], other[0]) if one[0] and other[0] else one[0] or other[0]
    return since, max(one[1], other[1]), one[2] | other[2]


def whose(own: str | None, channel: str, at: int, places: Iterable[tuple[str, Place]]) -> tuple[str | None, str]:
    """(unit, basis) of something that happened in a journey.

    Args:
        own: the unit that it names.
        channel, at: its channel, and when it was (epoch ms).
        places: the units of its journey.

    Returns:
        The unit, None where it is not known; and own, same_stay, last_stay, only_unit or none.
    """
    if own:
        return own, "own"
    # One loop, as a list for each question would cost more than the answer.
    desks = elsewhere = 0
    desk = only = ""
    within: tuple[int, int, str] | None = None
    ended: tuple[int, int, str] | None = None
    for unit, (since, until, where) in places:
        if where & AT_DESK:
            desks, desk = desks + 1, unit
        if where & ELSEWHERE:
            elsewhere, only = elsewhere + 1, unit
        if not until:
            continue
        if since <= at <= until:
            if within is None or (since, until, unit) > within:
                within = (since, until, unit)
        elif until < at and (ended is None or (until, since, unit) > ended):
            ended = (until, since, unit)
    if channel == "check_in" and desks:
        return (desk, "only_unit") if desks == 1 else (None, "none")
    if within is not None:
        return within[2], "same_stay"
    if ended is not None:
        return ended[2], "last_stay"
    return (only, "only_unit") if elsewhere == 1 else (None, "none")
