"""One [[events]] of a mapping over rows: its fields as typed columns, what could not be read, and its ids."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
import polars as pl

from schemas.records import CHANNELS, polars_schema
from streams.model.normal import normal, normal_kind
from streams.model.vocabulary import INSTRUMENTS
from streams.sources.event_ids import uuid5s
from streams.sources.mapping import people, times
from streams.sources.mapping.cells import Cells, cells, quoted
from streams.sources.mapping.model import Event, Field, Mapping, as_field, as_value
from streams.sources.mapping.money import minor_units, numbers, whole
from streams.sources.mapping.people import by_value
from streams.sources.spelling import SOURCE_ID, channel_of, country, media, source_ids, touchpoint, word

ROW: Final = "\0row"
"""Column of the number of a row among those that are translated together; no file has one of that name."""
CLOSED: Final = {"channel": CHANNELS, "medium": media(), "instrument": INSTRUMENTS}
"""Fields whose words are a closed list."""
DATES: Final = ("arrival_date",)
"""Fields that hold an ISO 8601 date as text."""

_PAIR = {"ids": ("kind", "value"), "attributes": ("key", "value"), "aspect_ratings": ("aspect", "rating")}


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row does not become an event. label: the column. detail: what is wrong with its cell."""

    row: int
    event: str
    label: str
    reason: str
    detail: str


@dataclass
class Made:
    """Events of some rows, by channel, not yet with all columns of its schema; and the rest."""

    frames: list[tuple[str, pl.DataFrame]] = field(default_factory=list)
    """With ROW, the row of each."""
    problems: list[Problem] = field(default_factory=list)
    kept: Counter[str] = field(default_factory=Counter)
    examples: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Of each label in kept, the first: (row, its cell as a message shows it)."""


def formats(value: Field) -> list[str]:
    """The formats of a time; ISO 8601 without any."""
    given = [value.format] if isinstance(value.format, str) else value.format
    return given or ["%d/%m/%Y" if value.calendar == "hijri" else times.ISO]


def make(event: Event, mapping: Mapping, frame: pl.DataFrame) -> Made:
    """The events of rows (clean, with ROW and every column that the event names), each of which is to become one."""
    return _Maker(event, mapping, frame).made()


class _Maker:
    def __init__(self, event: Event, mapping: Mapping, frame: pl.DataFrame) -> None:
        self._event, self._mapping, self._frame = event, mapping, frame
        self._out: dict[str, pl.Series] = {}
        self._attributes: list[tuple[str, pl.Series]] = []
        self._good = pl.repeat(True, frame.height, dtype=pl.Boolean, eager=True)
        self._done = Made()

    def made(self) -> Made:
        event = self._event
        for name, given in event.attributes.items():
            self._attributes.append((name, self._cells(f"attributes.{name}", given).text))
        self._time()
        self._ids()
        self._event_id()
        channel = self._words()
        for name in ("unit", "agent_id", "locale", "text", "case_id"):
            if (given := getattr(event, name)) is not None:
                self._out[name] = self._cells(name, given).text
        self._country()
        self._money()
        self._survey()
        ratings = self._ratings()
        typed = {name: self._typed(name, as_field(given)) for name, given in event.fields.items()}
        for name in CHANNELS:
            chosen = self._good & (channel == name).fill_null(False)
            if chosen.any():
                self._done.frames.append((name, self._of(name, chosen, typed, ratings)))
        return self._done

    def _of(
        self,
        channel: str,
        chosen: pl.Series,
        typed: dict[str, Cells],
        ratings: list[tuple[str, pl.Series]],
    ) -> pl.DataFrame:
        """The events of one channel. A field that only other channels have is an attribute here."""
        schema = polars_schema(channel)
        out, attributes = dict(self._out), list(self._attributes)
        for name, column in typed.items():
            if name in schema:
                out[name] = column.text
            else:
                attributes.append((name, column.raw))
        if ratings and "aspect_ratings" in schema:
            out["aspect_ratings"] = _pairs(ratings, "aspect_ratings")
        else:
            attributes += [(name, column.cast(pl.String)) for name, column in ratings]
        if attributes:
            out["attributes"] = _pairs(attributes, "attributes")
        if self._event.attributes_from:
            out["attributes"] = self._members(out.get("attributes"))
        columns = {ROW: self._frame[ROW], **{name: column.alias(name) for name, column in out.items()}}
        return pl.DataFrame(columns).filter(chosen)

    def _members(self, attributes: pl.Series | None) -> pl.Series:
        """Attributes, with those that are members of objects; of the same name the others win."""
        own = [None] * self._frame.height if attributes is None else attributes.to_list()
        first, second = _PAIR["attributes"]
        cells_of = [self._frame[name].to_list() for name in self._event.attributes_from]
        made = []
        for given, *objects in zip(own, *cells_of, strict=True):
            pairs = {one[first]: one[second] for one in given or ()}
            for text in objects:
                for name, value in members(text).items():
                    pairs.setdefault(name, value)
            made.append([{first: name, second: value} for name, value in pairs.items()])
        return pl.Series("attributes", made, pl.List(pl.Struct({first: pl.String, second: pl.String})))

    def _cells(self, name: str, given: Any) -> Cells:
        return cells(name, as_value(given), self._frame)

    def _refuse(self, failed: pl.Series, label: str, reason: str, raw: pl.Series | None, what: str) -> None:
        """Rows that do not become events. raw: the cells, for the message; None where they may not be shown."""
        if not failed.any():
            return
        self._good = self._good & ~failed
        at = failed.arg_true()
        shown = [None] * len(at) if raw is None else raw.gather(at).to_list()
        for row, cell in zip(self._frame[ROW].gather(at).to_list(), shown, strict=True):
            said = what if raw is None else f"{quoted(cell)} {what}" if cell is not None else "is empty"
            self._done.problems.append(Problem(row, self._event.name, label, reason, said))

    def _keep(self, name: str, column: Cells, read: pl.Series) -> pl.Series:
        """An optional field: what could not be read stays as an attribute under its column's name."""
        failed = column.raw.is_not_null() & read.is_null() & self._good
        if failed.any():
            self._count(column.label, failed, column.raw)
            key = column.label.removeprefix("column ") if column.label.startswith("column ") else name
            self._attributes.append((key, column.raw.set(~failed, None)))
        return read

    def _count(self, label: str, lost: pl.Series, raw: pl.Series | None) -> None:
        """Optional cells that could not be read. raw: None where they may not be shown."""
        self._done.kept[label] += int(lost.sum())
        at = int(lost.arg_true()[0])
        self._done.examples[label] = self._frame[ROW][at], "" if raw is None else quoted(raw[at])

    def _time(self) -> None:
        given = as_field(self._event.occurred_at)
        column = cells("occurred_at", given, self._frame)
        zone = given.zone or self._mapping.read.zone
        ms = times.milliseconds(column.text, formats(given), zone, given.calendar)
        if given.zones and self._event.unit is not None:
            units = self._cells("unit", self._event.unit).text
            for unit, other in given.zones.items():
                there = (units == unit).fill_null(False)
                if there.any():
                    ms = times.milliseconds(column.text, formats(given), other, given.calendar).zip_with(there, ms)
        what = f"is no time of the form {' or '.join(formats(given))}" + (" (Hijri)" * (given.calendar == "hijri"))
        self._refuse(ms.is_null(), column.label, "bad_time", column.raw, what)
        self._out["occurred_at"] = ms

    def _ids(self) -> None:
        event, code = self._event, self._mapping.read.country_code
        pairs: list[tuple[str, pl.Series]] = []
        labels: list[str] = []
        nobody = pl.repeat(True, self._frame.height, dtype=pl.Boolean, eager=True)
        for each in event.ids:
            column = cells(f"ids.{each.kind}", each, self._frame)
            value = people.identified(column.text, each, code)
            lost = column.text.is_not_null() & value.is_null()
            if lost.any():
                shown = None if people.is_secret(each) else column.raw
                self._count(f"{column.label} (no {each.kind})", lost, shown)
            pairs.append((normal_kind(each.kind), value))
            labels.append(column.label)
            nobody = nobody & value.is_null()
        if event.booking_ref is not None:
            column = self._cells("booking_ref", event.booking_ref)
            reference = by_value(column.text, _reference)
            self._out["booking_ref"] = reference
            labels.append(column.label)
            nobody = nobody & reference.is_null()
        if pairs:
            self._out["ids"] = _pairs(pairs, "ids")
        names = ", ".join(dict.fromkeys(one.removeprefix("column ") for one in labels))
        self._refuse(nobody, f"column {names}", "no_identifier", None, "nobody and no booking is named")

    def _event_id(self) -> None:
        event = self._event
        if event.event_id is not None:
            column = self._cells("event_id", event.event_id)
            self._refuse(column.text.is_null(), column.label, "bad_event_id", column.raw, "is no id")
            self._out["event_id"], originals = source_ids(column.text, self._mapping.source)
            self._attributes.append((SOURCE_ID, originals))
            return
        key = event.key or []
        empty = self._frame.select(pl.all_horizontal(pl.col(key).is_null()).alias("empty"))["empty"]
        self._refuse(empty, f"column {', '.join(key)}", "bad_event_id", None, "nothing to make the event's id of")
        parts = [_netstring(pl.lit(event.name)), *(_netstring(pl.col(name)) for name in key)]
        names = self._frame.select(pl.concat_str(parts).alias("name"))["name"]
        self._out["event_id"] = uuid5s(self._mapping.source, names.to_list())

    def _words(self) -> pl.Series:
        """Touchpoint and medium; the channel of each event."""
        event = self._event
        said = self._cells("touchpoint", event.touchpoint)
        names = by_value(said.text, touchpoint)
        self._refuse(names.is_null(), said.label, "undecodable", said.raw, "is in no line of the table of touchpoints")
        self._out["touchpoint"] = names
        medium = self._cells("medium", event.medium)
        self._out["medium"] = by_value(medium.text, lambda text: word("medium", text))
        what = f"is none of {', '.join(CLOSED['medium'])}"
        self._refuse(self._out["medium"].is_null(), medium.label, "undecodable", medium.raw, what)
        if event.channel is None:
            channel = by_value(names, channel_of)
            what = f"begins with no channel ({', '.join(CHANNELS)}), and the mapping names none"
            self._refuse(channel.is_null() & names.is_not_null(), said.label, "undecodable", names, what)
            return channel
        column = self._cells("channel", event.channel)
        channel = by_value(column.text, lambda text: word("channel", text))
        what = f"is none of {', '.join(CHANNELS)}"
        self._refuse(channel.is_null(), column.label, "undecodable", column.raw, what)
        return channel

    def _country(self) -> None:
        if self._event.country is not None:
            column = self._cells("country", self._event.country)
            read = by_value(column.text, country)
            self._out["country"] = self._keep("country", column, read)

    def _money(self) -> None:
        money = self._event.money
        if money is None:
            return
        amount = self._cells("money.amount", money.amount)
        number = numbers(amount.text, self._mapping.read.decimal)
        default = self._mapping.read.currency
        if money.currency is None:
            currency = pl.repeat(default, len(number), dtype=pl.String, eager=True)
        else:
            column = self._cells("money.currency", money.currency)
            said = column.text if default is None else column.text.fill_null(default)
            currency = said.str.to_uppercase()
            currency = currency.set((~currency.str.contains(r"^[A-Z]{3}$")).fill_null(False), None)
            self._keep("money.currency", column, currency)
        minor = whole(number) if money.minor else minor_units(number, currency)
        minor = minor.set(currency.is_null(), None)
        self._keep("money.amount", amount, minor)
        self._out["money"] = _record({"amount_minor": minor, "currency": currency}, minor.is_not_null())

    def _survey(self) -> None:
        survey = self._event.survey
        if survey is None:
            return
        said = self._cells("survey.instrument", survey.instrument)
        instrument = by_value(said.text, lambda text: word("instrument", text))
        column = self._cells("survey.score", survey.score)
        score = numbers(column.text, self._mapping.read.decimal).set(instrument.is_null(), None)
        self._keep("survey.score", column, score)
        self._out["survey"] = _record({"instrument": instrument, "score": score}, score.is_not_null())

    def _ratings(self) -> list[tuple[str, pl.Series]]:
        found = []
        for name, given in self._event.aspect_ratings.items():
            column = self._cells(f"aspect_ratings.{name}", given)
            stars = numbers(column.text, self._mapping.read.decimal)
            found.append((name, self._keep(name, column, stars)))
        return found

    def _typed(self, name: str, given: Field) -> Cells:
        """A field of a channel's own. What cannot be read is kept, and null here."""
        column = cells(f"fields.{name}", given, self._frame)
        [dtype] = {schema[name] for schema in map(polars_schema, CHANNELS) if name in schema}
        if name in DATES:
            read = times.dates(column.text, formats(given), given.calendar)
        elif dtype == pl.Int64:
            read = whole(numbers(column.text, self._mapping.read.decimal))
        elif dtype == pl.Float64:
            read = numbers(column.text, self._mapping.read.decimal)
        else:
            return column
        return Cells(column.text, self._keep(name, column, read), column.label)


def members(text: str | None) -> dict[str, str]:
    """The members of a JSON object as text; none of what is no object."""
    try:
        found = orjson.loads(text or "null")
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(found, dict):
        return {}
    kept = {name: value for name, value in found.items() if value is not None}
    return {name: value if isinstance(value, str) else orjson.dumps(value).decode() for name, value in kept.items()}


def _reference(text: str) -> str | None:
    reference = normal(text)
    return None if reference in people.nobody() else reference


def _netstring(value: pl.Expr) -> pl.Expr:
    """Length in octets, colon, text, comma; a tilde for null: no two lists of texts become one name."""
    netstring = pl.concat_str(value.str.len_bytes().cast(pl.String), pl.lit(":"), value, pl.lit(","))
    return netstring.fill_null("~")


def _pairs(pairs: list[tuple[str, pl.Series]], what: str) -> pl.Series:
    """A list of records of each row: those whose value is not null."""
    first, second = _PAIR[what]
    frame = pl.DataFrame({str(place): column for place, (_, column) in enumerate(pairs)})
    records = [
        pl.struct(pl.lit(name).alias(first), pl.col(str(place)).alias(second)) for place, (name, _) in enumerate(pairs)
    ]
    present = pl.element().filter(pl.element().struct.field(second).is_not_null())
    return frame.select(pl.concat_list(records).list.eval(present).alias(what))[what]


def _record(members: dict[str, pl.Series], present: pl.Series) -> pl.Series:
    frame = pl.DataFrame({**members, ROW: present})
    return frame.select(pl.when(ROW).then(pl.struct(*members)).alias("record"))["record"]
