"""What interactions say of groups, and how the times of a membership are sent to its group. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import polars as pl

from streams.model.groups import TOUCHPOINTS
from streams.model.identifiers import GROUP, GROUP_PREFIX, names_group
from streams.model.membership import Labels, Period, Said, by_key, labels_of, said_of

GroupSaid = tuple[tuple[str, ...], Said | None, Labels]
"""What an event says of groups. Of a membership: the groups, and what it says of them. Of an event of a group: nothing,
None, and whom it concerns."""

_SAYING: Final = frozenset(TOUCHPOINTS)
_BEGINNING: Final = f"\n{GROUP_PREFIX}"


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
            said[row] = (), None, labels_of(by_key(attributes))
        elif touchpoint in TOUCHPOINTS:
            groups = tuple(sorted({f"{GROUP}:{one['value']}" for one in ids if one["kind"] == GROUP}))
            if groups:
                said[row] = groups, said_of(touchpoint, at, by_key(attributes)), ()
    return said


encode_periods = msgspec.msgpack.Encoder().encode
"""The bytes of periods, which a member sends to the group in the place of a summary."""
decode_periods = msgspec.msgpack.Decoder(list[Period]).decode
"""The periods of their bytes. Raises ValueError for any others."""
