"""Which stretches of a channel's event an interaction is made of (streams.enrich.splice), by their two schemas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from schemas.numbers import varint
from schemas.spans import Span


class Stretch:
    """New bytes, followed by the fields `first` to `last` of an event as they are; None: by no fields."""

    def __init__(self, before: bytes, first: Span | None, last: Span | None) -> None:
        self.before, self.first, self.last = before, first, last


def stretches_of(
    spans: dict[str, Span], event: Sequence[dict[str, Any]], rest: Sequence[dict[str, Any]]
) -> list[Stretch]:
    """The stretches of an event that make up `rest`, the last fields of an interaction. A field that the event lacks is
    null, or empty."""
    order = {str(field["name"]): place for place, field in enumerate(event)}
    stretches: list[Stretch] = []
    before = b""
    previous = -2
    for field in rest:
        name = str(field["name"])
        place = order.get(name, -1)
        if place < 0:
            before += varint(field["type"].index("null") if isinstance(field["type"], list) else 0)
            previous = -2
        elif place == previous + 1:
            stretches[-1].last = spans[name]
            previous = place
        else:
            stretches.append(Stretch(before, spans[name], spans[name]))
            before, previous = b"", place
    if before:
        stretches.append(Stretch(before, None, None))
    return stretches
