"""JSON Lines: one interaction a line, the schema's fields by name, and "channel"; or the same as one JSON array.

Without a channel it is the one that the touchpoint begins with. Absent fields are null, absent arrays empty.
`occurred_at` is ISO 8601 (without an offset: UTC) or epoch milliseconds. A field that the channel's schema does not
know is kept as an attribute (its value as text, or as JSON where it is no string), so nothing is lost in silence; an
attribute of that name that the event has by itself wins.
Whole floats (2.0) are taken for integers, because that is how many tools write a nullable integer, and so are numbers
that are written as text. With the name of a source, event ids may be of any form. Case and separators of channel,
medium, instrument and touchpoint say nothing (`Check-In`), nor does the case of country and currency, and an empty text
in an optional field is null. An optional field that cannot be read (`wait_seconds: "soon"`) stays as the attribute
`wait_seconds.unread`, and is counted. Empty lines are skipped. All else that is not of the schema's form makes the line
a `BadLine`; whether the values make sense is for enrich to judge.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import chain, islice
from typing import Any

import msgspec
import orjson
import polars as pl

from schemas.records import CHANNELS, empty, fields, polars_schema
from streams.sources.events import BadLine, EventBatch, SourceError
from streams.sources.files import MAX_LINE_BYTES, LongLine, display_name, lines_of, read_blocks
from streams.sources.json_array import items
from streams.sources.rows import INT64_MAX, INT64_MIN, row_type, rows_to_frame
from streams.sources.spelling import channel_of, give_uuids, respelled, touchpoint, word

BATCH_LINES = 20_000
WRONG_FILE = 100
"""Lines at the beginning of a file of which none is an object that says its channel: it is no file of events."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}(?:\.0*)?")
_NUMBER = re.compile(r"[+-]?[0-9]{1,15}(?:\.[0-9]{1,15})?")

# A fault in one of these fields has a word of its own among the dead-letter reasons.
_REASONS = {
    "event_id": "bad_event_id",
    "occurred_at": "bad_time",
    "survey": "bad_survey",
    "money": "bad_money",
}


NEEDED = frozenset({"event_id", "occurred_at", "ids", "booking_ref", "touchpoint", "medium", "attributes"})
"""Fields without which an event would be another one: where they cannot be read, there is none."""
_AT = re.compile(r"at `\$\.([a-z_0-9]+)")
"""Where msgspec's message names the field."""


_UTC = re.compile(r"\s*(?:UTC|GMT)$")


class NotAnEvent(Exception):
    """A line, or an object, that is no event. reason: of dead letters; detail: a sentence."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class NotOursError(NotAnEvent):
    """A line that does not resemble an event: no JSON, no object, or one whose channel nothing says."""


def read(path: str, *, batch_size: int = BATCH_LINES, source: str | None = None) -> Iterator[EventBatch]:
    """Read a JSON Lines file (compressed or not, "-" for standard input) as batches of each channel's events.

    A JSON array of events, and objects over several lines, as `jq .` writes them, are read, too.

    batch_size: lines held in memory at once. source: name of the system whose events they are: their ids may then be of
    any form, and become UUIDs of version 5 of it and the id. Order within a channel is the file's.

    Raises SourceError where the file cannot be opened, breaks off, or is something else altogether.
    """
    name = display_name(path)
    blocks = read_blocks(path)
    before: list[bytes] = []
    for block in blocks:
        before.append(block)
        if block.strip():
            break
    blocks = chain(before, blocks)
    if _over_lines(b"".join(before)):
        yield from _of_items(items(blocks, name, several=True), name, batch_size, source)
    else:
        yield from parse(lines_of(blocks, batch_size), name, source, whole=True)


def _over_lines(begins: bytes) -> bool:
    """Whether a file is no JSON Lines: an array, or an object that goes on over the lines after the first."""
    first, _, rest = begins.lstrip().partition(b"\n")
    return first[:1] == b"[" or (first.strip() == b"{" and bool(rest.strip()))


def _of_items(
    numbered: Iterator[tuple[int, Any]], name: str, batch_size: int, source: str | None
) -> Iterator[EventBatch]:
    """Batches of the items of an array, each with its line and number."""
    broken: SourceError | None = None
    first, number = True, 0
    while broken is None:
        found = _Found(name, source)
        count = 0
        try:
            for line, item in islice(numbered, batch_size):
                count, number = count + 1, number + 1
                payload = json.dumps(item, ensure_ascii=False).encode(errors="backslashreplace")
                if len(payload) > MAX_LINE_BYTES:
                    found.refuse(line, payload, NotAnEvent("too_long", f"it has {len(payload):,} bytes"))
                    continue
                found.take(line, payload, item, number)
        except SourceError as error:  # behind what was read before it
            broken = error
        if first:
            found.require_some()
        first = False
        yield from found.batches()
        if count < batch_size:
            break
    if broken is not None:
        raise broken


def parse(
    chunks: Iterable[tuple[int, Sequence[bytes]]], name: str, source: str | None = None, *, whole: bool = False
) -> Iterator[EventBatch]:
    """Turn chunks of lines, each with its first line's number, into batches.

    name: what bad lines call the file. source: as for `read`. whole: the lines are a file from its beginning; where
    that has nothing of events, SourceError is raised.
    """
    for first, lines in chunks:
        found = _Found(name, source)
        for place, line in enumerate(lines, first):
            if isinstance(line, LongLine):
                found.refuse(place, line, _too_long(line))
            else:
                found.take(place, line)
        if whole:
            found.require_some()
        whole = False
        yield from found.batches()


class _Found:
    """What is found in some lines: events by channel, and lines that are none."""

    def __init__(self, name: str, source: str | None) -> None:
        self._name, self._source = name, source
        self._rows: dict[type, list[Any]] = {row_type(channel): [] for channel in CHANNELS}
        self._places: dict[type, list[int]] = {of: [] for of in self._rows}
        self._payloads: dict[type, list[bytes]] = {of: [] for of in self._rows}
        self._bad: list[BadLine] = []
        self._foreign = 0
        self._unread: Counter[str] = Counter()

    def take(self, line: int, payload: bytes, item: Any = None, number: int | None = None) -> None:
        """A line; item and number: of an array, what it holds, and its place, from 1."""
        any_id = self._source is not None
        try:
            if number is None:
                row = row_of(payload, any_id=any_id, unread=self._unread)
            else:
                row = row_of_object(item, any_id=any_id, unread=self._unread)
        except NotAnEvent as error:
            self._foreign += isinstance(error, NotOursError)
            if number is not None:
                error.detail = f"item {number}: {error.detail}"
            self.refuse(line, payload, error)
            return
        if row is not None:
            of = type(row)
            self._rows[of].append(row)
            self._places[of].append(line)
            self._payloads[of].append(payload)

    def refuse(self, line: int, payload: bytes, error: NotAnEvent) -> None:
        """A line that is no event."""
        self._bad.append(BadLine(self._name, line, bytes(payload[:MAX_LINE_BYTES]), error.reason, error.detail))

    def require_some(self) -> None:
        """Raises SourceError where nothing here looks like an event: one sentence instead of a letter for each line."""
        if len(self._bad) >= WRONG_FILE and self._foreign == len(self._bad) and not any(self._rows.values()):
            raise SourceError(
                f"{self._name}: this is no file of events: none of the first {len(self._bad):,} lines is one "
                f"(line {self._bad[0].line}: {self._bad[0].detail}). Files of other systems need --mapping "
                f"MAPPING.toml: rihla map init {self._name} proposes one"
            )

    def batches(self) -> Iterator[EventBatch]:
        """The events of each channel that has some; the bad lines go with the first of them."""
        if self._source is not None:
            give_uuids(chain.from_iterable(self._rows.values()), self._source)
        bad = self._bad
        for channel in CHANNELS:
            of = row_type(channel)
            if some := self._rows[of]:
                frame = respelled(rows_to_frame(channel, some), self._unread)
                yield EventBatch(channel, frame, bad, self._name, self._places[of], self._payloads[of], self._unread)
                bad, self._unread = [], Counter()
        if bad:
            yield EventBatch(CHANNELS[0], empty(CHANNELS[0]), bad)


def row_of(line: bytes, *, any_id: bool = False, unread: Counter[str] | None = None) -> Any:
    """The event in a line, a `row_type` with occurred_at in epoch milliseconds; None for an empty line.

    any_id: an event id may be a number. unread: counts the optional fields that could not be read, by name. Raises
    NotAnEvent.
    """
    try:
        row = _decoder().decode(line)
        row.occurred_at = epoch_milliseconds(row.occurred_at)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):  # the last: nested too deep
        if not line.strip():
            return None
        try:
            event = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise NotOursError("undecodable", f"not JSON at column {error.colno}: {error.msg}") from None
        return row_of_object(event, any_id=any_id, unread=unread)
    return row


def epoch_milliseconds(value: int | float | str) -> int:
    """occurred_at of a line as epoch milliseconds (parts of a millisecond are cut off)."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(_UTC.sub("+00:00", value))
        except ValueError:
            raise NotAnEvent("bad_time", f"occurred_at is {value[:80]!r}, which is not an ISO 8601 time") from None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return (moment - _EPOCH) // _MILLISECOND
    whole = int(value // 1)
    if not INT64_MIN <= whole <= INT64_MAX:
        raise NotAnEvent("bad_time", f"occurred_at is {value}, which is no epoch time in milliseconds")
    return whole


@cache
def _decoder() -> msgspec.json.Decoder[Any]:
    union: Any = row_type(CHANNELS[0])
    for channel in CHANNELS[1:]:
        union = union | row_type(channel)
    return msgspec.json.Decoder(union)


@cache
def _known(channel: str) -> tuple[frozenset[str], tuple[str, ...]]:
    """Names of all fields of a channel, and of those that are integers."""
    integers = [name for name, dtype in polars_schema(channel).items() if dtype == pl.Int64 and name != "occurred_at"]
    return frozenset(fields(channel)), tuple(integers)


def row_of_object(event: Any, *, any_id: bool = False, unread: Counter[str] | None = None) -> Any:
    """The event in a value of JSON, as `row_of`, with care for other spellings. It may be changed by that.

    An optional field that cannot be read becomes an attribute, NAME.unread. Raises NotAnEvent, with what exactly is
    wrong with it.
    """
    if not isinstance(event, dict):
        raise NotOursError("undecodable", "not a JSON object")
    written = event.pop("channel", None)
    channel = word("channel", written) if isinstance(written, str) else None
    if written in (None, "") and isinstance(named := event.get("touchpoint"), str):
        channel = channel_of(touchpoint(named))
    if channel is None:
        given = "missing" if written is None else f"{written[:80]!r}" if isinstance(written, str) else "no text"
        more = ", and the touchpoint begins with none" * (not written)
        raise NotOursError("undecodable", f"channel is {given}{more}; it must be one of {', '.join(CHANNELS)}")
    known, integers = _known(channel)
    _pairs(event)
    _blank(event, known)
    _whole_numbers(event, integers)
    _words(event)
    if any_id and type(event.get("event_id")) is int:
        event["event_id"] = str(event["event_id"])
    _keep_unknown(event, known)
    event["channel"] = channel
    while True:
        try:
            row: Any = msgspec.convert(event, row_type(channel))
            break
        except msgspec.ValidationError as error:
            found = _AT.search(str(error))
            name = found[1] if found else ""
            if name in NEEDED or name not in event or not isinstance(event.get("attributes") or [], list):
                raise NotAnEvent(_reason(str(error)), f"not a {channel} event: {error}") from None
            _set_aside(event, name)
            if unread is not None:
                unread[name] += 1
    row.occurred_at = epoch_milliseconds(row.occurred_at)
    return row


def _pairs(event: dict[str, Any]) -> None:
    """Attributes and identifiers that are an object, or a map, as lists of pairs: {"customer": "C-7"}."""
    for name, first in (("attributes", "key"), ("ids", "kind")):
        found = event.get(name)
        if isinstance(found, dict):
            if name == "ids" and any(isinstance(value, dict | list) for value in found.values()):
                raise NotAnEvent("undecodable", "ids has a value that is neither text nor a number")
            event[name] = [
                {first: key, "value": value if isinstance(value, str) else _as_json(f"{name}.{key}", value)}
                for key, value in found.items()
                if value is not None
            ]


def _set_aside(event: dict[str, Any], name: str) -> None:
    value = event.pop(name)
    text = value if isinstance(value, str) else _as_json(name, value)
    event["attributes"] = [*(event.get("attributes") or ()), {"key": f"{name}.unread", "value": text}]


def _blank(event: dict[str, Any], known: frozenset[str]) -> None:
    """Take out optional fields that hold nothing: an empty text where something else is meant."""
    for name in known - NEEDED:
        value = event.get(name)
        texts = value.values() if isinstance(value, dict) else [value]
        if all(text is None or (isinstance(text, str) and not text.strip()) for text in texts):
            event[name] = None


def _too_long(line: LongLine) -> NotAnEvent:
    return NotAnEvent("too_long", f"the line has {line.total} bytes; the first {len(line)} of them are kept here")


def _reason(message: str) -> str:
    """The dead-letter reason for msgspec's message, by the field that it names."""
    for name, reason in _REASONS.items():
        if f"`$.{name}`" in message or f"`$.{name}." in message or f"missing required field `{name}`" in message:
            return reason
    return "undecodable"


def _whole_numbers(event: dict[str, Any], integers: tuple[str, ...]) -> None:
    for holder, names in ((event, integers), (event.get("money"), ("amount_minor",))):
        if isinstance(holder, dict):
            for name in names:
                value = holder.get(name)
                if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
                    holder[name] = int(value.strip().partition(".")[0])
                elif isinstance(value, str) and not value.strip():
                    holder[name] = None
                elif isinstance(value, float) and value.is_integer() and INT64_MIN <= value <= INT64_MAX:
                    holder[name] = int(value)


def _words(event: dict[str, Any]) -> None:
    """Words of closed lists in other spellings, and a score that is written as text."""
    medium, survey = event.get("medium"), event.get("survey")
    if isinstance(medium, str):
        event["medium"] = word("medium", medium) or medium
    if isinstance(survey, dict):
        instrument, score = survey.get("instrument"), survey.get("score")
        if isinstance(instrument, str):
            survey["instrument"] = word("instrument", instrument) or instrument
        if isinstance(score, str) and _NUMBER.fullmatch(score.strip()):
            survey["score"] = float(score)


def _keep_unknown(event: dict[str, Any], known: frozenset[str]) -> None:
    """Move fields that the schema does not know to the attributes, in the order of the line."""
    unknown = [name for name in event if name not in known]
    if not unknown:
        return
    attributes = event.get("attributes") or []
    if not isinstance(attributes, list):
        return  # wrong type: the conversion says so
    kept = []
    own = {each.get("key") for each in attributes if isinstance(each, dict) and isinstance(each.get("key"), str)}
    for name in unknown:
        value = event.pop(name)
        if value is not None and name not in own:
            kept.append({"key": name, "value": value if isinstance(value, str) else _as_json(name, value)})
    event["attributes"] = [*attributes, *kept]


def _as_json(name: str, value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError as error:  # orjson reads deeper nesting than it writes
        raise NotAnEvent("undecodable", f"{name[:80]} cannot be kept as an attribute: {error}") from None
