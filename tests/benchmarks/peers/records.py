"""What the peers have in common: fastavro for one record at a time, the fold's event of a record, what they publish.

The fold itself is streams.stitch's own; only what is around it differs from peer to peer.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from fastavro import schemaless_reader, schemaless_writer

from schemas import records
from schemas.registry import LocalRegistry
from schemas.wire import WireHeader, split
from streams.alerts import next_actions
from streams.clock import now_ms
from streams.model import catalogue, preferences
from streams.model.days import is_day
from streams.model.vocabulary import INSTRUMENTS
from streams.stitch import facts
from streams.stitch.changes import Changes
from streams.stitch.fold import fold_messages
from streams.stitch.journey import CHANNELS, MICRO, MILESTONES, Event
from streams.stitch.messages import Messages
from streams.stitch.observer import RuleContext
from streams.stitch.rows import Row

PUBLISHED: tuple[tuple[str, str, Callable[[Changes], list[Row]], Callable[[Row], str]], ...] = (
    ("journeys", "journey", lambda changes: changes.journeys, lambda row: row[0]),
    ("customers", "customer", lambda changes: changes.customers, lambda row: row[0]),
    ("cases", "case", lambda changes: changes.cases, lambda row: f"{row[1]}/{row[0]}"),
    ("moves", "move", lambda changes: changes.moves, lambda row: row[1]),
)
"""Topic, record, its rows, key of a row: what the stitch worker publishes of interactions without alert rules."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
Record = dict[str, Any]


class Reader:
    """Decodes interactions, one at a time."""

    def __init__(self) -> None:
        self._registry = LocalRegistry()
        self._schemas: dict[WireHeader, Any] = {}

    def __call__(self, payload: bytes) -> Record:
        """The record of a payload."""
        header, body = split(payload)
        schema = self._schemas.get(header)
        if schema is None:
            schema = self._schemas[header] = self._registry.writer_schema(header)
        record: Record = schemaless_reader(io.BytesIO(body), schema, None)
        return record


class Writer:
    """Encodes rows of a record, one at a time."""

    def __init__(self, name: str) -> None:
        self._schema = records.schema(name)
        self._header = LocalRegistry().header_for(name)
        self._names = [field["name"] for field in self._schema["fields"]]
        self._items = {
            field["name"]: [item["name"] for item in field["type"]["items"]["fields"]]
            for field in records.inlined(name)["fields"]
            if isinstance(field["type"], dict) and field["type"]["type"] == "array"
        }

    def __call__(self, row: Row) -> bytes:
        """The payload of a row."""
        record = dict(zip(self._names, row, strict=True))
        for name, names in self._items.items():
            record[name] = [dict(zip(names, item, strict=True)) for item in record[name]]
        out = io.BytesIO()
        out.write(self._header)
        schemaless_writer(out, self._schema, record)
        return out.getvalue()


class Maker:
    """Makes the fold's event of an interaction: what streams.stitch.events does of a batch."""

    def __init__(self) -> None:
        self._roles = {
            name: (MILESTONES.index(point.milestone) if point.milestone else -1, point.case_role)
            for name, point in catalogue.load().items()
        }
        self._rules = list(enumerate((*preferences.load(), *facts.RULES)))

    def __call__(self, record: Record) -> Event:
        """The event of a record as fastavro reads it."""
        milestone, case_role = self._roles.get(record["touchpoint"], (-1, None))
        survey, money, score = record["survey"], record["money"], record["score"]
        return Event(
            (record["occurred_at"] - EPOCH) // MILLISECOND,
            bytes.fromhex(record["event_id"].replace("-", "")),
            record["booking_ref"],
            record["touchpoint"],
            CHANNELS.index(record["channel"]),
            milestone,
            case_role,
            record["case_id"],
            record["unit"],
            None if score is None else round(score * MICRO),
            record["score_weight"] or 0.0,
            INSTRUMENTS.index(survey["instrument"]) if survey else -1,
            survey["score"] if survey else 0.0,
            money["amount_minor"] if money else 0,
            money["currency"] if money else None,
            (*self._stated(record), *_facts(record)),
        )

    def _stated(self, record: Record) -> tuple[tuple[str, str], ...]:
        """The preferences that it states; see streams.stitch.preferences."""
        found: tuple[tuple[str, str], ...] = ()
        said: dict[str, tuple[int, str]] = {}
        for rank, rule in self._rules:
            if rule.source == "touchpoint":
                if rule.name == record["touchpoint"]:
                    found = (*found, (rule.key, rule.value))
            elif rule.source == "field":
                value = record[rule.name]
                if value is not None and rule.value == "language":
                    language = value.partition("-")[0]
                    value = language.lower() if language.isalpha() else None
                if value is not None:
                    found = ((rule.key, value), *found)
            else:
                for attribute in record["attributes"]:
                    if attribute["key"] != rule.name:
                        continue
                    value = attribute["value"].strip().lower()
                    if value and rule.match.lower() in ("", value):
                        meant = (rank, value if rule.value == "*" else rule.value)
                        said[rule.key] = min(meant, said.get(rule.key, meant))
        for key, (_, value) in said.items():
            found = ((key, value), *(pair for pair in found if pair[0] != key))
        return found


def _facts(record: Record) -> Iterator[tuple[str, str]]:
    """The facts that it states, those of a model's segments aside; see streams.stitch.facts."""
    touchpoint, reference, arrival = record["touchpoint"], record["booking_ref"], record.get("arrival_date")
    if record["survey"] is None and next_actions.ANSWERING.search(touchpoint):
        yield facts.ANSWERED, "yes"
    if record["survey"] is None and touchpoint in next_actions.SPEAKING:
        yield facts.SPOKE, "yes"
    if touchpoint == next_actions.TOLD:
        yield f"{facts.TOLD}{record['case_id'] or ''}", "yes"
    if arrival is not None and reference is not None and is_day(arrival):
        yield facts.ARRIVES + reference, arrival


class Folder:
    """One interaction after the other through the state of its subject: the job of every peer."""

    def __init__(self) -> None:
        self._read, self._make = Reader(), Maker()
        self._writers = {record: Writer(record) for _, record, _, _ in PUBLISHED}

    def event(self, payload: bytes) -> Event:
        """The fold's event of an interaction's payload."""
        return self._make(self._read(payload))

    def fold(self, key: str, offset: int, event: Event, state: bytes | None) -> tuple[bytes | None, Changes]:
        """The subject's state after an event (as it was, when nothing is to be stored), and what to publish."""
        one = {key: [(offset, event.event_id[:8], event)]}
        changes = fold_messages(lambda _: state, Messages(one), RuleContext({}, now_ms()))
        return changes.states.get(key.encode(), state), changes

    def publications(self, changes: Changes) -> Iterator[tuple[str, bytes, bytes]]:
        """Topic (without prefix), key and payload of each record that changes publish."""
        for topic, record, rows, key_of in PUBLISHED:
            for row in rows(changes):
                yield topic, key_of(row).encode(), self._writers[record](row)
