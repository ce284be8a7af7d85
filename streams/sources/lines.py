"""Events in the form of JSON lines, as records of their channel. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from streams.model.subjects import keys_of, subjects
from streams.sources.jsonl import row_of_object
from streams.sources.rows import rows_to_frame


def frame_of(channel: str, lines: Sequence[Mapping[str, Any]]) -> tuple[pl.DataFrame, list[bytes]]:
    """Events of one channel in frame form, and the keys of their records. Raises NotAnEvent."""
    frame = rows_to_frame(channel, [row_of_object(dict(line)) for line in lines])
    return frame, keys_of(subjects(frame))
