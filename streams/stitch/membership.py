"""When somebody was a member of a group, as a function of the set of what was said of it. Pure.

Said is a joining, a leaving or a withdrawal. The set of what was said is the whole state: sets merge by union, in any
order and any number of times. `periods` makes of it, by the rules of docs/groups.md, the times of membership.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
import polars as pl

from streams.model.groups import FOREVER, JOINED, LABELS, LEFT, TOUCHPOINTS, VALID_FROM, VALID_UNTIL, moment
from streams.model.identifiers import GROUP, GROUP_PREFIX, names_group

Labels = tuple[str, ...]
"""A value for each of LABELS; empty where nothing was said."""
EVERYBODY: Final[Labels] = ("",) * len(LABELS)
Said = tuple[int, int, int, int, Labels]
"""(occurred_at, index into TOUCHPOINTS, since, until, labels); times in epoch ms. Of a leaving, `since` is its time."""
Period = tuple[int, int, Labels]
"""(since, until, labels): a member from `since` on, and no longer at `until`."""
GroupSaid = tuple[tuple[str, ...], Said | None, Labels]
"""What an event says of groups. Of a membership: the groups, and what it says of them. Of an event of a group: nothing,
None, and whom it concerns."""

_SAYING: Final = frozenset(TOUCHPOINTS)
_BEGINNING: Final = f"\n{GROUP_PREFIX}"
_JOINED: Final = TOUCHPOINTS.index(JOINED)
_LEFT: Final = TOUCHPOINTS.index(LEFT)


def may_be_about_groups(touchpoints: Sequence[str], subjects: Sequence[str]) -> bool:
    """Whether any of some interactions may say anything of a group; False is certain.

    Looks through both in C: an expression of Polars costs more than all of this, however few there are.
    """
    return not _SAYING.isdisjoint(touchpoints) or _BEGINNING in "\n".join(("", *subjects))


def said_of_groups(frame: pl.DataFrame) -> dict[int, GroupSaid]:
    """What interactions say of groups, by row; rows that say nothing are left out.

    frame: `touchpoint`, `subject`, `occurred_at`, `ids` and `attributes`, in frame form.
    """
    said: dict[int, GroupSaid] = {}
    columns = ("touchpoint", "subject", "occurred_at", "ids", "attributes")
    for row, (touchpoint, subject, at, ids, attributes) in enumerate(frame.select(columns).iter_rows()):
        if names_group(subject):
            said[row] = (), None, _labels(_by_key(attributes))
        elif touchpoint in TOUCHPOINTS:
            groups = tuple(sorted({f"{GROUP}:{one['value']}" for one in ids if one["kind"] == GROUP}))
            if groups:
                said[row] = groups, _said(touchpoint, at, _by_key(attributes)), ()
    return said


def _by_key(attributes: Iterable[dict[str, str]]) -> dict[str, str]:
    """Attributes by key; of several with one key the first counts, as in ClickHouse's maps."""
    found: dict[str, str] = {}
    for one in attributes:
        found.setdefault(one["key"], one["value"].strip(" "))
    return found


def _labels(attributes: dict[str, str]) -> Labels:
    return tuple(attributes.get(name, "") for name in LABELS)


def _said(touchpoint: str, at: int, attributes: dict[str, str]) -> Said:
    what = TOUCHPOINTS.index(touchpoint)
    since, until = (moment(attributes.get(name, "")) for name in (VALID_FROM, VALID_UNTIL))
    if what == _JOINED:
        return at, what, at if since is None else since, FOREVER if until is None else until, _labels(attributes)
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


encode_periods = msgspec.msgpack.Encoder().encode
"""The bytes of periods, which a member sends to the group in the place of a summary."""
decode_periods = msgspec.msgpack.Decoder(list[Period]).decode
"""The periods of their bytes. Raises ValueError for any others."""
