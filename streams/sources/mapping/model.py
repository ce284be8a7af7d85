"""What a mapping file may say. The published JSON Schema, mapping.schema.json, is made of these classes.

A mapping is TOML. A plain string names a **column**; `{ value = "..." }` is a constant, `{ sql = "..." }` a calculation
(streams.sources.mapping.expressions), and a `table` translates the values that come of either.
"""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from schemas.records import CHANNELS, INTERACTION_FIELDS, polars_schema
from streams.errors import RihlaError

FORMATS = ("csv", "tsv", "jsonl", "json", "parquet", "excel", "mail")
NULLS = ("", "NULL", "null", "\\N", "N/A", "#N/A")
"""Cells that are empty, unless a mapping says otherwise. Not NA: that is Namibia."""


class MappingError(RihlaError):
    """A mapping contradicts itself, or is none; the message names the file and what is wrong."""


class _Strict(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    pass


class Value(_Strict, frozen=True):
    """Text of a row: exactly one of column, value and sql."""

    column: str | None = None
    """Column that holds it; of JSON and Parquet, members of members by dots (guest.email)."""
    value: str | None = None
    """The same for all rows."""
    sql: str | None = None
    """Expression of Polars' SQL over the columns of the row, all of them text."""
    table: dict[str, str] | None = None
    """What it means: value in the file = value in the event. Case and blanks around it do not count."""
    otherwise: str | None = None
    """What stands for a value that is empty or, where there is a table, not in it."""


class Field(Value, frozen=True):
    """A value that may be a date or a time."""

    format: str | list[str] | None = None
    """iso, epoch_s, epoch_ms, epoch_us, or like %d/%m/%Y %H:%M; of several, the first that fits."""
    zone: str | None = None
    """IANA time zone of times without an offset; without it, that of [read]."""
    zones: dict[str, str] | None = None
    """IANA time zone of times without an offset by the event's unit; of other units, `zone`."""
    calendar: Literal["gregorian", "hijri"] = "gregorian"
    """Calendar of the date: hijri is Umm al-Qura, and needs the extra `hijri`."""


class Identifier(Value, frozen=True, kw_only=True):
    """A name by which the customer is known."""

    kind: str
    """customer, loyalty, guest_profile, email_sha256, phone_sha256, social, device, or one of your own."""
    prefix: str = ""
    """Stands before the value, as that of a brand does."""
    case: Literal["keep", "lower", "upper"] = "keep"
    """Letters of the value; e-mail addresses are lowered anyway."""
    country_code: str | None = None
    """Of phone_sha256: calling code of national numbers (966); without it, that of [read]."""


class Money(_Strict, frozen=True):
    """An amount of money."""

    amount: str | Value
    currency: str | Value | None = None
    """ISO 4217; without it, that of [read]."""
    minor: bool = False
    """Whether the amount is in minor units (halala, cents) already."""


class Survey(_Strict, frozen=True):
    """An answer to a standard question."""

    instrument: str | Value
    """nps, csat, ces or stars."""
    score: str | Value


class Event(_Strict, frozen=True):
    """One event that a row may become. Of one row, each [[events]] whose condition holds makes one."""

    name: str
    """Part of the event's id: two events of a row have different ones. Changing it makes other events."""
    touchpoint: str | Value
    medium: str | Value
    occurred_at: str | Field
    when: str | None = None
    """Condition in SQL; a row that does not meet it does not become this event."""
    key: list[str] | None = None
    """Columns that tell this event from every other of the source; its id is made of them."""
    event_id: str | Value | None = None
    """The source's own id of this event, instead of a key. What is no UUID becomes one."""
    channel: str | Value | None = None
    """booking, check_in, stay or post_travel; without it, what the touchpoint begins with."""
    ids: tuple[Identifier, ...] = ()
    booking_ref: str | Value | None = None
    unit: str | Value | None = None
    agent_id: str | Value | None = None
    locale: str | Value | None = None
    country: str | Value | None = None
    text: str | Value | None = None
    case_id: str | Value | None = None
    survey: Survey | None = None
    money: Money | None = None
    fields: dict[str, str | Field] = {}
    """Fields of the channel's own: party_size, nights, wait_seconds ..."""
    aspect_ratings: dict[str, str | Value] = {}
    """Stars of a review by aspect (post_travel)."""
    attributes: dict[str, str | Value] = {}
    """Whatever else is worth keeping, by the name under which it is kept."""
    attributes_from: tuple[str, ...] = ()
    """Columns that hold a JSON object each, or a map of Avro's: every member is an attribute by its own name."""


class Read(_Strict, frozen=True):
    """How the file is read."""

    format: Literal["csv", "tsv", "jsonl", "json", "parquet", "excel", "mail"] | None = None
    """Without it, by the end of the file's name."""
    separator: str | None = None
    """Of csv: the sign between two cells, a comma by default."""
    encoding: str = "utf-8"
    """Of csv and tsv: utf-8, cp1252, cp1256 ..."""
    header: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1
    """Of csv, tsv and excel: the line with the names of the columns, where a title stands above it."""
    sheet: str | None = None
    """Of excel: the sheet, the first by default."""
    each: str | None = None
    """Of JSON: path of an array (entry.changes.value.messages); every item of it is a row, with what stands around it
    under its own names. On the way to it every item of other arrays is taken, too."""
    pairs: dict[str, tuple[str, str | tuple[str, ...]]] = {}
    """Of JSON: array of objects that are name and value, and the members that say both: detail = ["elementName",
    "newValue"] makes a column `detail.NAME` of each. Both may be members of members (field.ref); of several for the
    value, the first that is there counts."""
    null: tuple[str, ...] = NULLS
    """Cells that are empty."""
    decimal: Literal[".", ","] = "."
    """Of csv and tsv: the decimal mark; the other one may part thousands."""
    zone: str = "UTC"
    """IANA time zone of times without an offset."""
    currency: str | None = None
    """ISO 4217 currency of amounts that name none."""
    country_code: str | None = None
    """Calling code of phone numbers without one (966)."""


class Mapping(_Strict, frozen=True):
    """A mapping file."""

    source: str
    """Name of the system. Part of every event's id: the same for all files of the system, for ever."""
    events: list[Event]
    version: Literal[1] = 1
    """Of this form of mapping."""
    read: Read = Read()


def load(path: str) -> Mapping:
    """The mapping in a file. Raises MappingError for what is no mapping, and OSError."""
    try:
        mapping = msgspec.toml.decode(Path(path).read_bytes(), type=Mapping)
    except UnicodeDecodeError:
        raise MappingError(f"{path}: a mapping is a TOML file in UTF-8") from None
    except msgspec.DecodeError as error:
        raise MappingError(f"{path}: {error}") from None
    try:
        check(mapping)
    except MappingError as error:
        raise MappingError(f"{path}: {error}") from None
    return mapping


def as_value(given: str | Value) -> Value:
    """What a mapping says of a field, written out: a plain string is a column."""
    return Value(column=given) if isinstance(given, str) else given


def as_field(given: str | Field) -> Field:
    """The same of one that may be a date."""
    return Field(column=given) if isinstance(given, str) else given


def values(event: Event) -> list[tuple[str, Value]]:
    """(name in the mapping, what it says) of everything in an event that has a value."""
    found: list[tuple[str, Value]] = []

    def add(name: str, given: Any) -> None:
        if isinstance(given, str | Value):
            found.append((name, as_value(given)))

    for name in ("touchpoint", "medium", "occurred_at", "event_id", "channel", "booking_ref", "unit", "agent_id",
                 "locale", "country", "text", "case_id"):  # fmt: skip
        add(name, getattr(event, name))
    for record in ("survey", "money"):
        if (part := getattr(event, record)) is not None:
            for name in part.__struct_fields__:
                if name != "minor":
                    add(f"{record}.{name}", getattr(part, name))
    for identifier in event.ids:
        add(f"ids.{identifier.kind}", identifier)
    for group in ("fields", "aspect_ratings", "attributes"):
        for name, given in getattr(event, group).items():
            add(f"{group}.{name}", given)
    return found


def check(mapping: Mapping) -> None:
    """What the form alone does not hold. Raises MappingError."""
    if not mapping.source.strip():
        raise MappingError("source is empty: it is the name of the system, and part of every event's id")
    if not mapping.events:
        raise MappingError("there is no [[events]]")
    names = [event.name for event in mapping.events]
    if twice := {name for name in names if names.count(name) > 1}:
        raise MappingError(f"two [[events]] have the name {sorted(twice)[0]!r}; it is part of their ids")
    _check_read(mapping.read)
    for event in mapping.events:
        _check_event(event)


def _check_read(read: Read) -> None:
    if read.separator is not None and (len(read.separator) != 1 or read.separator in '"\r\n'):
        raise MappingError("read.separator is one sign, and no quote")
    try:
        plain = '\n,;"'.encode(codecs.lookup(read.encoding).name) == b'\n,;"'
    except (LookupError, UnicodeError):
        plain = False
    if not plain:
        raise MappingError(f"read.encoding {read.encoding!r} is none in which a line end is one octet, as in utf-8")
    if read.encoding != "utf-8" and read.format not in (None, "csv", "tsv"):
        raise MappingError("read.encoding is for csv and tsv; the others say theirs themselves")
    if read.decimal == "," and read.format not in (None, "csv", "tsv"):
        raise MappingError("read.decimal is for csv and tsv; numbers of other formats are numbers")


def _check_event(event: Event) -> None:
    where = f"event {event.name!r}"
    if (event.key is None) == (event.event_id is None):
        raise MappingError(f"{where}: key (columns that the id is made of) or event_id (the source's own), one of both")
    if event.key is not None and not event.key:
        raise MappingError(f"{where}: key names no column")
    if not event.ids and event.booking_ref is None:
        raise MappingError(f"{where}: nothing says whose it is: ids or booking_ref is needed")
    for name, value in values(event):
        given = [word for word in ("column", "value", "sql") if getattr(value, word) is not None]
        if len(given) != 1:
            raise MappingError(
                f"{where}: {name} needs one of column, value and sql; it has {', '.join(given) or 'none'}"
            )
    own = {name for channel in CHANNELS for name in polars_schema(channel)} - {*INTERACTION_FIELDS, "aspect_ratings"}
    if unknown := [name for name in event.fields if name not in own]:
        raise MappingError(f"{where}: no channel has the field {unknown[0]!r}; there are {', '.join(sorted(own))}")
