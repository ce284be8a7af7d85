"""The traces of things that are delivered: from the record of a thing to each attempt, and to the record about it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from streams.deliver.lane import Item
from streams.deliver.rows import name_of
from streams.deliver.state import DELIVERED, Entry, Place, key_of
from streams.kafka.progress import RecordBatch, Records
from streams.spans import Headers, Remembered, passed_on
from streams.tracing import Tracing
from streams.worker.verdict import Refusal


class Traces:
    """Of one worker, in memory: what is sent after a restart is not traced. tracing: None traces nothing."""

    def __init__(self, tracing: Tracing | None) -> None:
        self._tracing = tracing
        self._things = Remembered[Place]()
        """Things whose last version is traced."""
        self._attempts: dict[tuple[Item, str], float] = {}
        """When the attempts at traced things that are under way began, as time.time() has it."""
        self._told = Remembered[tuple[Place, str, int]]()
        """The last attempt at each target and version of a thing."""

    @contextlib.contextmanager
    def group(self, batches: Sequence[RecordBatch]) -> Iterator[list[Refusal]]:
        """The spans of a group's records while the block handles them; it adds what it refuses to the list."""
        refused: list[Refusal] = []
        spans = None if self._tracing is None else self._tracing.group(batches)
        if spans is None:
            yield refused
            return
        with spans.handling():
            yield refused
            for records, at, reason, _ in refused:
                spans.refuse((records.topic, records.partitions[at], records.offsets[at]), reason)

    def passed_on(self, records: Records) -> Mapping[int, Headers] | None:
        """The headers of the traced among some records, by position; None: there is nothing to note about any."""
        found = {} if self._tracing is None else passed_on(records)
        return found if found or len(self._things) else None

    def note(self, kind: str, thing: Mapping[str, Any], partition: int, headers: Headers | None) -> None:
        """Note the trace of a thing's new version, or that it has none."""
        place = partition, key_of(kind, name_of(kind, thing))
        if headers is None:
            self._things.pop(place)
        else:
            self._things.keep(place, headers)

    def of(self, places: Sequence[Place]) -> dict[int, Headers] | None:
        """By position, the headers by which the traces of things go on."""
        if not len(self._things):
            return None
        found = ((at, self._things.get(place)) for at, place in enumerate(places))
        return {at: headers for at, headers in found if headers is not None}

    def begin(self, item: Item, target: str) -> None:
        """Note that an attempt begins."""
        if len(self._things) and self._things.get((item.partition, item.key)) is not None:
            self._attempts[item, target] = time.time()

    def end(self, item: Item, target: str, status: str, code: int | None) -> None:
        """Make the span of an attempt that has ended."""
        began = self._attempts.pop((item, target), None)
        place = item.partition, item.key
        headers = None if began is None else self._things.get(place)
        if self._tracing is None or began is None or headers is None:
            return
        about: dict[str, str | int] = {"rihla.target": target, "rihla.status": status, "rihla.attempts": item.attempts}
        if code is not None:
            about["http.response.status_code"] = code
        failed = None if status == DELIVERED else status
        on = self._tracing.outcome(f"deliver to {target}", headers, began, about, failed)
        self._told.keep((place, target, item.version), on)

    def of_deliveries(self, entries: Mapping[Place, Entry]) -> dict[int, Headers] | None:
        """By row, those of the deliveries of entries, the headers by which their traces go on."""
        if not len(self._things):
            return None
        found: dict[int, Headers] = {}
        rows = ((place, one) for place, entry in entries.items() for one in entry.deliveries)
        for row, (place, one) in enumerate(rows):
            headers = self._told.get((place, one.target, one.version)) or self._things.get(place)
            if headers is not None:
                found[row] = headers
        return found

    @contextlib.contextmanager
    def escalating(self, places: Sequence[Place]) -> Iterator[None]:
        """The spans of escalations that are due, while the block takes their steps: each begins a trace, linked to that
        of the thing where it is known, and what is sent goes on from it."""
        tracing = self._tracing
        spans = None if tracing is None else tracing.timers("timer deliver", [self._things.get(at) for at in places])
        if spans is None:
            yield
            return
        with spans.handling():
            for row, headers in spans.headers().items():
                self._things.keep(places[row], headers)
            yield
