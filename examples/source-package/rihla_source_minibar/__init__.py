"""Lines of a minibar's machine, `2025-03-01T22:15:00Z;B-17;room 204;1250`, as events. The whole of a source package."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from streams.sources.adapters import Adapter
from streams.sources.event_ids import uuid5s
from streams.sources.events import BadLine, EventBatch, conform
from streams.sources.files import display_name, read_lines


def read(path: str, *, batch_size: int) -> Iterator[EventBatch]:
    """A batch of about batch_size lines: the events, and the lines that are none."""
    name = display_name(path)
    for first, lines in read_lines(path, batch_size):
        rows, numbers, bad = [], [], []
        for number, line in enumerate(lines, first):
            cells = line.decode("utf-8", "replace").split(";")
            if len(cells) != 4 or not cells[3].isdigit():
                bad.append(
                    BadLine(name, number, line, "undecodable", "four cells are due, the last a number of halala")
                )
                continue
            rows.append(cells)
            numbers.append(number)
        frame = pl.DataFrame(rows, schema=["at", "ref", "room", "amount"], orient="row")
        events = frame.select(
            event_id=uuid5s("minibar", ["/".join(row) for row in frame.iter_rows()]),
            occurred_at=pl.col("at").str.to_datetime(time_zone="UTC").dt.epoch("ms"),
            booking_ref="ref",
            touchpoint=pl.lit("stay.minibar_charged"),
            medium=pl.lit("system"),
            money=pl.struct(amount_minor=pl.col("amount").cast(pl.Int64), currency=pl.lit("SAR")),
        )
        yield EventBatch("stay", conform("stay", events), bad, name, numbers)


ADAPTER = Adapter(read, 10_000, "lines of a minibar's machine")
