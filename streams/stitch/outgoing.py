"""The records that stitch publishes: which rows go to which topic, by which key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from schemas.records import polars_schema
from streams.kafka.batch_producer import REQUEST_BYTES, check_sizes
from streams.spans import Headers
from streams.stitch.changes import Changes
from streams.stitch.rows import Row


class Published(NamedTuple):
    """A topic that stitch publishes to.

    record: the schema of its values. rows: those of some changes. key: of a row.
    """

    topic: str
    record: str
    rows: Callable[[Changes], list[Row]]
    key: Callable[[Row], str]


PUBLISHED = (
    Published("journeys", "journey", lambda changes: changes.journeys, lambda row: row[0]),
    Published("customers", "customer", lambda changes: changes.customers, lambda row: row[0]),
    # A case may move from one customer to another. Their records have keys of their own, so that compaction does not
    # keep the withdrawal of the former one instead of the case of the new one.
    Published("cases", "case", lambda changes: changes.cases, lambda row: f"{row[1]}/{row[0]}"),
    Published("parts", "part", lambda changes: changes.parts, lambda row: row[0]),
    Published("alerts", "alert", lambda changes: changes.alerts, lambda row: row[0]),
    Published("moves", "move", lambda changes: changes.moves, lambda row: row[1]),
    Published("segments", "segment", lambda changes: changes.segments, lambda row: f"{row[0]}/{row[1]}"),
    Published("next-actions", "next_action", lambda changes: changes.next_actions, lambda row: row[0]),
    Published("invitations", "invitation", lambda changes: changes.invitations, lambda row: row[0]),
    Published("messages", "message", lambda changes: changes.messages, lambda row: row[0]),
    Published("recalls", "recall", lambda changes: changes.recalls, lambda row: row[0]),
)
"""In the order in which a group's records are sent."""


def _place_of_customer(record: str) -> int | None:
    """Which field of a record says whose it is: a customer; of a part, the subject that it is of; of a recall, the
    subject."""
    names = list(polars_schema(record))
    return next((names.index(name) for name in ("customer_id", "part", "subject") if name in names), None)


_WHOSE = {published.record: _place_of_customer(published.record) for published in PUBLISHED}


class Encoded(NamedTuple):
    """Encoded records for a topic."""

    topic: str
    keys: list[bytes]
    values: list[bytes]
    traced: dict[int, Headers]
    """By row, the headers by which the trace of an event that changed it goes on."""


class Outgoing:
    """Encoded records to publish: keys and values by topic."""

    def __init__(self, encode: Callable[[str, list[Row]], list[bytes]]) -> None:
        """encode: makes values of the rows of a schema, as a worker's io does."""
        self._encode = encode
        self.topics: dict[str, tuple[list[bytes], list[bytes]]] = {}
        self.traced: dict[str, dict[int, Headers]] = {}
        """By topic, of some rows: headers by which a trace goes on."""
        self.whose: Mapping[str, Headers] = {}
        """By customer id or subject: the headers by which the trace of one of its events goes on."""
        self.since: int | None = None
        """Arrival of the oldest raw event that caused any of it, epoch ms."""

    def encoded(self, changes: Changes) -> list[Encoded]:
        """The records to publish for some changes. Raises what `encode` does, and RecordTooLarge."""
        found: list[Encoded] = []
        for topic, record, rows_of, key_of in PUBLISHED:
            if rows := rows_of(changes):
                found.append(
                    Encoded(
                        topic,
                        [key_of(row).encode() for row in rows],
                        self._encode(record, rows),
                        self._of(record, rows),
                    )
                )
                check_sizes(found[-1].keys, found[-1].values, REQUEST_BYTES)
        return found

    def add(self, encoded: Sequence[Encoded], since: int) -> None:
        """Add encoded records. since: arrival of the oldest raw event that caused them (of a timer: now), epoch ms."""
        self.since = since if self.since is None else min(since, self.since)
        for topic, some_keys, some_values, traced in encoded:
            keys, values = self.topics.setdefault(topic, ([], []))
            if traced:
                self.traced.setdefault(topic, {}).update((len(keys) + row, some) for row, some in traced.items())
            keys += some_keys
            values += some_values

    def _of(self, record: str, rows: list[Row]) -> dict[int, Headers]:
        whose = _WHOSE[record]
        if not self.whose or whose is None:
            return {}
        return {at: self.whose[row[whose]] for at, row in enumerate(rows) if row[whose] in self.whose}
