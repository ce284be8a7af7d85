"""Records in columns, as a fetch has them."""

from __future__ import annotations

from collections.abc import Iterable

from streams.kafka.record_batch import RecordColumns

AT = 1_700_000_000_000


def columns(records: Iterable[tuple[int, bytes | None, bytes | None]]) -> RecordColumns:
    """Records of (offset, key, value), all of one time and without headers."""
    made = RecordColumns()
    for offset, key, value in records:
        made.append(offset, AT, key, value)
    return made
