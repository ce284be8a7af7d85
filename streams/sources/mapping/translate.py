"""Rows to the events that a mapping makes of them, in columns. Pure: no file, no clock.

A required field that cannot be read refuses the row for that event: the row becomes one dead letter that names every
such column. An optional one that cannot be read stays as an attribute under the name of its column, and is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property

import polars as pl

from schemas.records import CHANNELS
from streams.model.mask import masked
from streams.model.normal import CLEAR_KINDS, normal_kind, secrets
from streams.sources.events import BadLine, SourceError, conform
from streams.sources.mapping import cells, event, expressions, people, times
from streams.sources.mapping.model import Event, Field, Mapping, MappingError, Value, values
from streams.sources.mapping.rows import Lazy, Rows
from streams.sources.spelling import word
from streams.text.scrub import scrub_text


@dataclass
class Translated:
    """The result of translating some rows."""

    frames: list[tuple[str, pl.DataFrame]] = field(default_factory=list)
    """(channel, events in the frame form of its schema), each channel at most once."""
    rows: dict[str, list[int]] = field(default_factory=dict)
    """The row of each event of a channel."""
    bad: list[BadLine] = field(default_factory=list)
    problems: list[event.Problem] = field(default_factory=list)
    """What the bad lines that were rows are made of."""
    kept: Counter[str] = field(default_factory=Counter)
    """Optional cells that could not be read, by label."""
    examples: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Of each label in kept, the first: (row, its cell as a message shows it; empty where it may not be shown)."""
    silent: int = 0
    """Rows that meet the condition of no event."""


class Translator:
    """A mapping, ready for the rows of a file."""

    def __init__(self, mapping: Mapping, name: str) -> None:
        """name: of the file, for messages. Raises MappingError for what no row could be read with."""
        self.mapping = mapping
        self._name = name
        self._secret = sorted({column for one in mapping.events for column in _secret_columns(one)})
        times.check_zone(mapping.read.zone)
        for one in mapping.events:
            try:
                _probe(one)
            except MappingError as error:
                raise MappingError(f"event {one.name!r}: {error}") from None

    @property
    def columns(self) -> list[str]:
        """The columns that the mapping reads, in its order."""
        return list(dict.fromkeys(column for one in self.mapping.events for column in _columns(one)))

    def need(self, present: Iterable[str], *, every: bool) -> None:
        """Raises SourceError where columns that the mapping names are missing: one of them, or (not every) all."""
        there = list(present)
        lacking = [column for column in self.columns if column not in there]
        if lacking and (every or len(lacking) == len(self.columns)):
            shown = ", ".join(repr(column) for column in there[:12]) + (" ..." if len(there) > 12 else "")
            raise SourceError(
                f"{self._name}: there is no column {', '.join(map(repr, lacking[:5]))}"
                + (f" and {len(lacking) - 5} more" if len(lacking) > 5 else "")
                + f", which the mapping names; there are: {shown or 'none'}"
                + _meant(lacking, there)
            )

    def translate(self, rows: Rows) -> Translated:
        """The events of some rows."""
        done = Translated()
        read = self.mapping.read
        lacking = [pl.lit(None, pl.String).alias(name) for name in self.columns if name not in rows.frame.columns]
        frame = cells.clean(rows.frame.with_columns(lacking).select(self.columns), read.null)
        frame = frame.with_row_index(event.ROW) if frame.width else rows.frame.with_row_index(event.ROW)
        chosen = pl.repeat(False, frame.height, dtype=pl.Boolean, eager=True)
        parts: dict[str, list[pl.DataFrame]] = {}
        for one in self.mapping.events:
            some = frame
            if one.when is not None:
                holds = expressions.evaluate(one.when, frame).cast(pl.Boolean).fill_null(False)
                some = frame.filter(holds)
                chosen = chosen | holds
            else:
                chosen = chosen | True
            if some.height:
                made = event.make(one, self.mapping, some)
                done.problems += made.problems
                done.kept.update(made.kept)
                done.examples = made.examples | done.examples
                for channel, events in made.frames:
                    done.rows.setdefault(channel, []).extend(events[event.ROW].to_list())
                    parts.setdefault(channel, []).append(conform(channel, events.drop(event.ROW)))
        done.frames = [(channel, pl.concat(parts[channel])) for channel in CHANNELS if channel in parts]
        done.silent = int((~chosen).sum())
        done.bad = self._bad(rows, frame, done.problems)
        return done

    def _bad(self, rows: Rows, frame: pl.DataFrame, problems: list[event.Problem]) -> list[BadLine]:
        by_row: dict[int, list[event.Problem]] = {}
        for problem in problems:
            by_row.setdefault(problem.row, []).append(problem)
        bad = [
            self._bad_row(
                rows, frame, row, found[0].reason, dict.fromkeys(f"{one.label}: {one.detail}" for one in found)
            )
            for row, found in by_row.items()
        ]
        bad += [
            BadLine(self._name, one.line, self._scrubbed(one.payload), one.reason, one.detail)
            for one in rows.unreadable
        ]
        return sorted(bad, key=lambda one: one.line)

    def _bad_row(self, rows: Rows, frame: pl.DataFrame, row: int, reason: str, said: Iterable[str]) -> BadLine:
        payload = rows.payloads[row]
        shown = self._shown(payload, frame, row)
        detail = _item(rows, row) + "; ".join(said)
        return BadLine(self._name, rows.lines[row], shown, reason, detail, masked=shown != payload)

    def _shown(self, payload: bytes, frame: pl.DataFrame, row: int) -> bytes:
        """A row as it may be shown: without the cells that are hashed here, and without what is in clear."""
        at = frame.row(row, named=True)
        hidden = [at[column] for column in self._secret if at[column]]
        for one in self.mapping.events:
            pairs = [(each.kind, at[each.column]) for each in one.ids if each.column is not None and at[each.column]]
            hidden += secrets(pairs, None, people.nobody())
        return masked(payload, hidden) if hidden else payload

    def _scrubbed(self, payload: bytes) -> bytes:
        """What is no row, where rows have cells that may be shown to nobody."""
        if not self._secret:
            return bytes(payload)
        try:
            text = payload.decode()
        except UnicodeDecodeError:
            text = payload.decode(self.mapping.read.encoding, "replace")
        return scrub_text(text).encode()

    def shown(self, rows: Rows) -> Sequence[bytes]:
        """The rows as letters may show them, each when it is asked for."""
        lacking = [pl.lit(None, pl.String).alias(name) for name in self.columns if name not in rows.frame.columns]
        frame = cells.clean(rows.frame.with_columns(lacking).select(self.columns), self.mapping.read.null)
        return Lazy(rows.frame.height, lambda row: self._shown(rows.payloads[row], frame, row))

    @cached_property
    def names(self) -> dict[str, str]:
        """What the columns are called that a field of the events is made of."""
        found: dict[str, dict[str, None]] = {}
        for one in self.mapping.events:
            for name, value in values(one):
                found.setdefault(name.partition(".")[0], {}).update(dict.fromkeys(cells.columns(value)))
            found.setdefault("event_id", {}).update(dict.fromkeys(one.key or ()))
            found.setdefault("ids", {}).update(found.get("booking_ref", {}))
        return {name: f"column {', '.join(columns)}" for name, columns in found.items() if columns}


def _meant(lacking: list[str], there: list[str]) -> str:
    """What a mapping may mean by names that are no columns: a constant, or a column that is written otherwise."""
    said = []
    for name in lacking[:5]:
        if any(word(what, name) for what in ("touchpoint", "medium", "channel", "instrument")):
            said.append(f'; is the word itself meant? {{ value = "{name}" }}')
        elif near := get_close_matches(name.strip().casefold(), {one.strip().casefold(): one for one in there}, 1, 0.8):
            said.append(f"; {name!r} is nearly {next(one for one in there if one.strip().casefold() == near[0])!r}")
    return "".join(said)


def _item(rows: Rows, row: int) -> str:
    return f"item {rows.items[row]}: " if rows.items else ""


def _columns(one: Event) -> list[str]:
    found = [
        *(one.key or ()),
        *one.attributes_from,
        *(expressions.columns_of(one.when) if one.when is not None else ()),
    ]
    for _, value in values(one):
        found += cells.columns(value)
    return found


def _secret_columns(one: Event) -> list[str]:
    return [column for each in one.ids if people.is_secret(each) for column in cells.columns(each)]


def _probe(one: Event) -> None:
    if one.when is not None:
        expressions.probe(one.when, condition=True)
    for name, value in values(one):
        if value.sql is not None:
            expressions.probe(value.sql, condition=False)
        if isinstance(value, Field):
            if value.zone is not None:
                times.check_zone(value.zone)
            for zone in (value.zones or {}).values():
                times.check_zone(zone)
            if value.zones and (name != "occurred_at" or one.unit is None):
                raise MappingError(f"{name}: zones are of occurred_at, by the event's unit, which is not said")
            for form in event.formats(value) if value.format is not None or value.calendar == "hijri" else ():
                times.check_format(form, value.calendar)
        _check_constant(name, value)
    for each in one.ids:
        if normal_kind(each.kind) in ("", "booking_ref"):
            raise MappingError(f"ids: {each.kind!r} is no kind of identifier; a booking goes into booking_ref")
        if normal_kind(each.kind) in CLEAR_KINDS:
            raise MappingError(f"ids: {each.kind!r} would be in clear: use email_sha256 or phone_sha256, hashed here")


def _check_constant(name: str, value: Value) -> None:
    """A word that no row could change must be one that is known."""
    given = [*([value.value] if value.value is not None and value.table is None else []), *(value.table or {}).values()]
    for said in [*given, *([value.otherwise] if value.otherwise is not None else [])]:
        what = name.rpartition(".")[2]
        if what in event.CLOSED and word(what, said) is None:
            raise MappingError(f"{name}: {said!r} is none of {', '.join(event.CLOSED[what])}")
