"""When somebody was a member of a group, as a function of the set of what was said of it. Pure.

Said is a joining, a leaving or a withdrawal. The set of what was said is the whole state: sets merge by union, in any
order and any number of times. `periods` makes of it, by the rules of docs/groups.md, the times of membership.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from streams.model.groups import FOREVER, JOINED, LABELS, LEFT, TOUCHPOINTS, VALID_FROM, VALID_UNTIL, moment

Labels = tuple[str, ...]
"""A value for each of LABELS; empty where nothing was said."""
EVERYBODY: Final[Labels] = ("",) * len(LABELS)
Said = tuple[int, int, int, int, Labels]
"""(occurred_at, index into TOUCHPOINTS, since, until, labels); times in epoch ms. Of a leaving, `since` is its time."""
Period = tuple[int, int, Labels]
"""(since, until, labels): a member from `since` on, and no longer at `until`."""

_JOINED: Final = TOUCHPOINTS.index(JOINED)
_LEFT: Final = TOUCHPOINTS.index(LEFT)


def by_key(attributes: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Attributes by key; of several with one key the first counts, as in ClickHouse's maps."""
    found: dict[str, str] = {}
    for one in attributes:
        found.setdefault(one["key"], one["value"].strip(" "))
    return found


def labels_of(attributes: Mapping[str, str]) -> Labels:
    """The labels among attributes by key."""
    return tuple(attributes.get(name, "") for name in LABELS)


def said_of(touchpoint: str, at: int, attributes: Mapping[str, str]) -> Said:
    """What an event of one of TOUCHPOINTS says. at: epoch ms. attributes: by key."""
    what = TOUCHPOINTS.index(touchpoint)
    since, until = (moment(attributes.get(name, "")) for name in (VALID_FROM, VALID_UNTIL))
    if what == _JOINED:
        return at, what, at if since is None else since, FOREVER if until is None else until, labels_of(attributes)
    return at, what, at if until is None or what != _LEFT else until, 0, ()


def periods(said: Iterable[Said]) -> list[Period]:
    """The times of membership; where two hold at once, the later in the list counts.

    What was said until a withdrawal is void. A joining ends at its own end or at the first leaving after its beginning.
    Of several joinings that hold, the one with the latest beginning counts; of equal ones the one said last.
    """
    said = list(said)
    void = max((at for at, what, _, _, _ in said if what not in (_JOINED, _LEFT)), default=-1)
    lefts = [time for at, what, time, _, _ in said if what == _LEFT and at > void]
    found = []
    for at, what, since, until, labels in said:
        if what == _JOINED and at > void:
            end = min((left for left in lefts if left > since), default=until)
            if (end := min(end, until)) > since:
                found.append((since, at, end, labels))
    return [(since, end, labels) for since, _, end, labels in sorted(found)]


def holding(some: Sequence[Period], at: int) -> Period | None:
    """The period that counts at a moment; None: no member then."""
    for period in reversed(some):
        if period[0] <= at < period[1]:
            return period
    return None


def concerns(labels: Labels, period: Period) -> bool:
    """Whether an event of the group concerns who was a member in this period."""
    return all(not asked or asked == own for asked, own in zip(labels, period[2], strict=True))
