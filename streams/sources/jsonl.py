"""JSON Lines: one interaction a line, the schema's fields by name, and "channel".

Absent fields are null, absent arrays empty. `occurred_at` is ISO 8601 (without an offset: UTC) or epoch
milliseconds. A field that the channel's schema does not know is kept as an attribute (its value as text, or as JSON
where it is no string), so nothing is lost in silence; an attribute of that name that the event has by itself wins.
Whole floats (2.0) are taken for integers, because that is how many tools write a nullable integer, and so are numbers
that are written as text. With the name of a source, event ids may be of any form. Case and separators of channel,
medium, instrument and touchpoint say nothing (`Check-In`), nor does the case of country and currency, and an empty text
in an optional field is null. Empty lines are skipped. All else that is not of the schema's form makes the line a
`BadLine`; whether the values make sense is for enrich to judge.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import chain
from typing import Any

import msgspec
import orjson
import polars as pl

from schemas.records import CHANNELS, empty, fields, polars_schema
from streams.sources.events import BadLine, EventBatch
from streams.sources.files import LongLine, display_name, read_lines
from streams.sources.rows import INT64_MAX, INT64_MIN, row_type, rows_to_frame
from streams.sources.spelling import give_uuids, respelled, word

BATCH_LINES = 20_000

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
    "country": "bad_country",
}


class NotAnEvent(Exception):
    """A line, or an object, that is no event. reason: of dead letters; detail: a sentence."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def read(path: str, *, batch_size: int = BATCH_LINES, source: str | None = None) -> Iterator[EventBatch]:
    """Read a JSON Lines file (plain or gzip, "-" for standard input) as batches of each channel's events.

    batch_size: lines held in memory at once. source: name of the system whose events they are: their ids may then be of
    any form, and become UUIDs of version 5 of it and the id. Order within a channel is the file's.

    Raises SourceError where the file cannot be opened or is broken gzip.
    """
    return parse(read_lines(path, batch_size), display_name(path), source)


def parse(chunks: Iterable[tuple[int, Sequence[bytes]]], name: str, source: str | None = None) -> Iterator[EventBatch]:
    """Turn chunks of lines, each with its first line's number, into batches.

    name: what bad lines call the file. source: as for `read`.
    """
    for first, lines in chunks:
        rows: dict[type, list[Any]] = {row_type(channel): [] for channel in CHANNELS}
        places: dict[type, list[int]] = {of: [] for of in rows}
        bad: list[BadLine] = []
        for offset, line in enumerate(lines):
            try:
                if isinstance(line, LongLine):
                    raise _too_long(line)
                if (row := row_of(line, any_id=source is not None)) is not None:
                    of = type(row)
                    rows[of].append(row)
                    places[of].append(first + offset)
            except NotAnEvent as error:
                bad.append(BadLine(name, first + offset, bytes(line), error.reason, error.detail))
        if source is not None:
            give_uuids(chain.from_iterable(rows.values()), source)
        yield from _batches(name, rows, places, bad)


def row_of(line: bytes, *, any_id: bool = False) -> Any:
    """The event in a line, a `row_type` with occurred_at in epoch milliseconds; None for an empty line.

    any_id: an event id may be a number. Raises NotAnEvent.
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
            raise NotAnEvent("undecodable", f"not JSON: {error}") from None
        return row_of_object(event, any_id=any_id)
    return row


def _batches(
    name: str, rows: dict[type, list[Any]], places: dict[type, list[int]], bad: list[BadLine]
) -> Iterator[EventBatch]:
    """The rows of each channel that has some; the bad lines go with the first of them."""
    for channel in CHANNELS:
        if some := rows[row_type(channel)]:
            frame = respelled(rows_to_frame(channel, some))
            yield EventBatch(channel, frame, bad, name, places[row_type(channel)])
            bad = []
    if bad:
        yield EventBatch(CHANNELS[0], empty(CHANNELS[0]), bad)


def epoch_milliseconds(value: int | float | str) -> int:
    """occurred_at of a line as epoch milliseconds (parts of a millisecond are cut off)."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
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


def row_of_object(event: Any, *, any_id: bool = False) -> Any:
    """The event in a value of JSON, as `row_of`, with care for other spellings. It may be changed by that.

    Raises NotAnEvent, with what exactly is wrong with it.
    """
    if not isinstance(event, dict):
        raise NotAnEvent("undecodable", "not a JSON object")
    written = event.pop("channel", None)
    channel = word("channel", written) if isinstance(written, str) else None
    if channel is None:
        given = "missing" if written is None else f"{written[:80]!r}" if isinstance(written, str) else "no text"
        raise NotAnEvent("undecodable", f"channel is {given}; it must be one of {', '.join(CHANNELS)}")
    known, integers = _known(channel)
    _whole_numbers(event, integers)
    _words(event)
    if any_id and type(event.get("event_id")) is int:
        event["event_id"] = str(event["event_id"])
    _keep_unknown(event, known)
    event["channel"] = channel
    try:
        row: Any = msgspec.convert(event, row_type(channel))
    except msgspec.ValidationError as error:
        raise NotAnEvent(_reason(str(error)), f"not a {channel} event: {error}") from None
    row.occurred_at = epoch_milliseconds(row.occurred_at)
    return row


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
                elif isinstance(value, float) and value.is_integer():
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
