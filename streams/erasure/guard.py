"""Drops the rows of erased people from decoded batches. Pure.

Every worker applies it to every batch, so that neither a late event nor a topic that is read again brings an erased
person back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

from schemas.decode import Decoded
from schemas.records import CHANNELS
from streams.erasure.erased import Erased
from streams.model.control import ERASE, erasures, part_kind
from streams.topology import TOPICS

COMPACTED = frozenset(topic.record for topic in TOPICS if topic.record and topic.compacted)
"""Schemas of compacted topics: a record without a value there is a tombstone, and no decoding error."""

_OWNED = ("journey", "customer", "case", "alert", "move", "segment", "next_action", "delivery", "redelivery")
"""Schemas of records that belong to a customer_id. They have no time that tells the history before an erasure from the
one after it, so they are refused only if the customer's events are refused for ever."""


def guard(
    record: str, decoded: Decoded, keys: Sequence[bytes | None], values: Sequence[bytes | None], erased: Erased
) -> tuple[Decoded, int]:
    """A decoded batch without the rows of erased people, and the number of rows dropped.

    record: the schema of the rows. keys, values: those of the batch's Kafka records, by position.
    """
    if record in COMPACTED and decoded.errors:
        errors = [(at, detail) for at, detail in decoded.errors if values[at] is not None]
        decoded = Decoded(decoded.frame, decoded.rows, errors)
    if not len(erased) or not decoded.frame.height:
        return decoded, 0
    frame = decoded.frame
    if record in CHANNELS or (record == "interaction" and "ids" in frame.columns):
        found = erased.events(frame)
        if found is None:
            return decoded, 0
        kept, keep = found
    else:
        keep = ~_refused(record, decoded, keys, erased)
        if keep.all():
            return decoded, 0
        kept = frame.filter(keep)
    rows = decoded.rows[keep.to_numpy().astype(np.bool_)]
    return Decoded(kept, rows, decoded.errors), frame.height - kept.height


def _refused(record: str, decoded: Decoded, keys: Sequence[bytes | None], erased: Erased) -> pl.Series:
    """For each row whether it is refused."""
    frame = decoded.frame
    if record == "interaction":
        subjects = [(keys[at] or b"").decode("utf-8", "replace") for at in decoded.rows.tolist()]
        return erased.refused(pl.Series(subjects, dtype=pl.String), frame["occurred_at"])
    if record == "link":
        at = frame["occurred_at"]
        named = erased.refused(frame["subject"], at) | erased.refused(frame["identifier"], at)
        return named & ~erasures(frame)
    if record == "identity":
        return _each(frame.select(pl.format("{}:{}", "kind", "value")).to_series(), erased.for_ever)
    if record == "part":
        named = _each(frame["target"], erased.for_ever) | _each(frame["part"], erased.for_ever)
        asked = [part_kind(*one) == ERASE for one in frame.select("kind", "version").iter_rows()]
        return named & ~pl.Series(asked, dtype=pl.Boolean)
    if record in _OWNED:
        return _each(frame["customer_id"], erased.customer_for_ever)
    return pl.repeat(False, frame.height, dtype=pl.Boolean, eager=True)


def _each(names: pl.Series, judge: Callable[[str], bool]) -> pl.Series:
    verdicts = {name: judge(name) for name in names.unique().to_list()}
    if not any(verdicts.values()):
        return pl.repeat(False, len(names), dtype=pl.Boolean, eager=True)
    return names.replace_strict(list(verdicts), list(verdicts.values()), return_dtype=pl.Boolean)
