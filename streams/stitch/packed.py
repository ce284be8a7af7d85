"""The bytes of states and summaries, written and read without anything in between: the cheapest way there is where this
module is compiled, and the dearest where it is not.

They are those that streams.stitch.stored writes and reads, the usual way, which is also that of states of before there
were all of the fields, and of whatever is not as it should be.
"""

from __future__ import annotations

from typing import Final

from librt.strings import BytesWriter
from mypy_extensions import i64

from streams.stitch.case import Case
from streams.stitch.journey import Journey, Latest, Lowest
from streams.stitch.msgpack import (
    NIL,
    Source,
    UnfitError,
    put_array,
    put_flag,
    put_float,
    put_int,
    put_map,
    put_octets,
    put_text,
)
from streams.stitch.rolling import Rolling
from streams.stitch.stored import read_signals, read_watch, write
from streams.stitch.subject import Part, Subject
from streams.stitch.summary import Loose, Preference, Summary

COMPILED: Final = not __file__.endswith(".py")
"""Whether what runs is the compiled form."""


def pack(state: Subject) -> bytes:
    """The bytes of a state. Raises OverflowError for a number of more than 64 bits."""
    out = BytesWriter()
    put_array(out, 15)
    put_int(out, state.interactions_applied)
    put_int(out, state.identities_applied)
    put_int(out, state.parts_applied)
    _put_summary(out, state.own)
    put_octets(out, state.seen)
    _put_text_or_nil(out, state.root)
    put_int(out, state.root_version)
    put_map(out, len(state.parts))
    for sender, part in state.parts.items():
        put_text(out, sender)
        put_array(out, 2)
        put_int(out, part.version)
        if part.summary is None:
            out.append(NIL)
        else:
            put_octets(out, part.summary)
    put_array(out, len(state.former))
    for root in state.former:
        put_text(out, root)
    put_flag(out, state.published)
    put_array(out, len(state.ledger))
    for key in state.ledger:
        put_text(out, key)
    if state.watch is None:
        out.append(NIL)
    else:
        out.write(write(state.watch))
    put_int(out, state.presence)
    put_int(out, state.applied_at)
    put_int(out, state.recall_from)
    return out.getvalue()


def unpack(encoded: bytes) -> Subject | None:
    """The state of bytes that `pack` writes; None for any others."""
    source = Source(encoded)
    try:
        _expect(source.array_size(), 15)
        interactions, identities, parts_applied = source.integer(), source.integer(), source.integer()
        own = _summary(source)
        seen = source.octets()
        root = _text_or_none(source)
        root_version = source.integer()
        parts: dict[str, Part] = {}
        for _ in range(source.map_size()):
            sender = source.text()
            _expect(source.array_size(), 2)
            version = source.integer()
            parts[sender] = Part(version, None if source.is_nil() else source.octets())
        former = [source.text() for _ in range(source.array_size())]
        published = source.flag()
        ledger = [source.text() for _ in range(source.array_size())]
        watch = None if source.is_nil() else read_watch(source.whole())
        presence, applied_at, recall_from = source.integer(), source.integer(), source.integer()
    except (UnfitError, IndexError, ValueError):
        return None
    if not source.ended:
        return None
    return Subject(
        interactions,
        identities,
        parts_applied,
        own,
        seen,
        root,
        root_version,
        parts,
        former,
        published,
        ledger,
        watch,
        presence,
        applied_at,
        recall_from,
    )


def pack_summary(summary: Summary) -> bytes:
    """The bytes of a summary. Raises like `pack`."""
    out = BytesWriter()
    _put_summary(out, summary)
    return out.getvalue()


def unpack_summary(encoded: bytes) -> Summary | None:
    """The summary of bytes that `pack_summary` writes; None for any others."""
    source = Source(encoded)
    try:
        summary = _summary(source)
    except (UnfitError, IndexError, ValueError):
        return None
    return summary if source.ended else None


def _put_summary(out: BytesWriter, summary: Summary) -> None:
    """Append a summary."""
    put_array(out, 11)
    put_int(out, summary.interactions)
    put_int(out, summary.first)
    put_int(out, summary.last)
    put_map(out, len(summary.bookings))
    for ref, journey in summary.bookings.items():
        put_text(out, ref)
        _put_journey(out, journey)
    put_array(out, len(summary.loose))
    for loose in summary.loose:
        _put_loose(out, loose)
    put_map(out, len(summary.cases))
    for case_id, case in summary.cases.items():
        put_text(out, case_id)
        _put_case(out, case)
    _put_rolling(out, summary.rolling)
    put_map(out, len(summary.preferences))
    for key, stated in summary.preferences.items():
        put_text(out, key)
        put_array(out, 4)
        put_int(out, stated.at)
        put_octets(out, stated.event_id)
        put_text(out, stated.value)
        put_int(out, stated.evidence)
    put_int(out, summary.duplicates)
    if summary.signals is None:
        out.append(NIL)
    else:
        out.write(write(summary.signals))
    cause = summary.cause
    if cause is None:
        out.append(NIL)
    else:
        put_array(out, 5)
        _put_told(out, cause)


def _summary(source: Source) -> Summary:
    """The summary that comes next. Raises UnfitError, IndexError and ValueError for anything else."""
    _expect(source.array_size(), 11)
    interactions, first, last = source.integer(), source.integer(), source.integer()
    bookings: dict[str, Journey] = {}
    for _ in range(source.map_size()):
        ref = source.text()
        bookings[ref] = _journey(source)
    loose = [_loose(source) for _ in range(source.array_size())]
    cases: dict[str, Case] = {}
    for _ in range(source.map_size()):
        case_id = source.text()
        cases[case_id] = _case(source)
    rolling = _rolling(source)
    preferences: dict[str, Preference] = {}
    for _ in range(source.map_size()):
        key = source.text()
        _expect(source.array_size(), 4)
        preferences[key] = Preference(source.integer(), source.octets(), source.text(), source.integer())
    duplicates = source.integer()
    signals = None if source.is_nil() else read_signals(source.whole())
    cause = None
    if not source.is_nil():
        _expect(source.array_size(), 5)
        cause = source.integer(), source.octets(), source.text(), _text_or_none(source), _text_or_none(source)
    return Summary(interactions, first, last, bookings, loose, cases, rolling, preferences, duplicates, signals, cause)


def _expect(size: i64, wanted: i64) -> None:
    if size != wanted:
        raise UnfitError


def _put_text_or_nil(out: BytesWriter, text: str | None) -> None:
    """Append a text, or nil."""
    if text is None:
        out.append(NIL)
    else:
        put_text(out, text)


def _text_or_none(source: Source) -> str | None:
    return None if source.is_nil() else source.text()


def _put_told(out: BytesWriter, told: tuple[int, bytes, str, str | None, str | None]) -> None:
    at, event_id, touchpoint, unit, booking_ref = told
    put_int(out, at)
    put_octets(out, event_id)
    put_text(out, touchpoint)
    _put_text_or_nil(out, unit)
    _put_text_or_nil(out, booking_ref)


def _put_journey(out: BytesWriter, journey: Journey) -> None:
    put_array(out, 9)
    put_int(out, journey.first)
    put_int(out, journey.last)
    put_array(out, len(journey.channels))
    for count in journey.channels:
        put_int(out, count)
    put_map(out, len(journey.milestones))
    for milestone, at in journey.milestones.items():
        put_int(out, milestone)
        put_int(out, at)
    put_int(out, journey.score_sum)
    put_int(out, journey.score_count)
    lowest = journey.lowest
    if lowest is None:
        out.append(NIL)
    else:
        score, at, event_id, touchpoint = lowest
        put_array(out, 4)
        put_int(out, score)
        put_int(out, at)
        put_octets(out, event_id)
        put_text(out, touchpoint)
    put_map(out, len(journey.surveys))
    for instrument, (at, event_id, answer) in journey.surveys.items():
        put_int(out, instrument)
        put_array(out, 3)
        put_int(out, at)
        put_octets(out, event_id)
        put_float(out, answer)
    put_map(out, len(journey.spend))
    for currency, amount in journey.spend.items():
        put_text(out, currency)
        put_int(out, amount)


def _journey(source: Source) -> Journey:
    _expect(source.array_size(), 9)
    first, last = source.integer(), source.integer()
    _expect(source.array_size(), 4)
    channels: list[int] = [source.integer(), source.integer(), source.integer(), source.integer()]
    milestones: dict[int, int] = {}
    for _ in range(source.map_size()):
        milestone = source.integer()
        milestones[milestone] = source.integer()
    score_sum, score_count = source.integer(), source.integer()
    lowest: Lowest | None = None
    if not source.is_nil():
        _expect(source.array_size(), 4)
        lowest = source.integer(), source.integer(), source.octets(), source.text()
    surveys: dict[int, Latest] = {}
    for _ in range(source.map_size()):
        instrument = source.integer()
        _expect(source.array_size(), 3)
        surveys[instrument] = source.integer(), source.octets(), source.number()
    spend: dict[str, int] = {}
    for _ in range(source.map_size()):
        currency = source.text()
        spend[currency] = source.integer()
    return Journey(first, last, channels, milestones, score_sum, score_count, lowest, surveys, spend)


def _put_loose(out: BytesWriter, loose: Loose) -> None:
    channel = loose.channel
    if isinstance(channel, Journey):
        put_array(out, 3)
        put_int(out, loose.at)
        put_octets(out, loose.event_id)
        _put_journey(out, channel)
        return
    put_array(out, 7)
    put_int(out, loose.at)
    put_octets(out, loose.event_id)
    put_int(out, channel)
    put_int(out, loose.milestone)
    scored, survey, spent = loose.scored, loose.survey, loose.spent
    if scored is None:
        out.append(NIL)
    else:
        put_array(out, 2)
        put_int(out, scored[0])
        put_text(out, scored[1])
    if survey is None:
        out.append(NIL)
    else:
        put_array(out, 2)
        put_int(out, survey[0])
        put_float(out, survey[1])
    if spent is None:
        out.append(NIL)
    else:
        put_array(out, 2)
        put_text(out, spent[0])
        put_int(out, spent[1])


def _loose(source: Source) -> Loose:
    _expect(source.array_size(), 7)
    at, event_id, channel, milestone = source.integer(), source.octets(), source.integer(), source.integer()
    scored: tuple[int, str] | None = None
    survey: tuple[int, float] | None = None
    spent: tuple[str, int] | None = None
    if not source.is_nil():
        _expect(source.array_size(), 2)
        scored = source.integer(), source.text()
    if not source.is_nil():
        _expect(source.array_size(), 2)
        survey = source.integer(), source.number()
    if not source.is_nil():
        _expect(source.array_size(), 2)
        spent = source.text(), source.integer()
    return Loose(at, event_id, channel, milestone, scored, survey, spent)


def _put_case(out: BytesWriter, case: Case) -> None:
    put_array(out, 6)
    put_int(out, case.opened)
    put_int(out, case.responded)
    put_int(out, case.resolved)
    put_int(out, case.reopened)
    put_int(out, case.contacts)
    first = case.first
    if first is None:
        out.append(NIL)
    else:
        put_array(out, 5)
        _put_told(out, first)


def _case(source: Source) -> Case:
    _expect(source.array_size(), 6)
    opened, responded, resolved, reopened = source.integer(), source.integer(), source.integer(), source.integer()
    contacts = source.integer()
    if source.is_nil():
        return Case(opened, responded, resolved, reopened, contacts)
    _expect(source.array_size(), 5)
    first = source.integer(), source.octets(), source.text(), _text_or_none(source), _text_or_none(source)
    return Case(opened, responded, resolved, reopened, contacts, first)


def _put_rolling(out: BytesWriter, rolling: Rolling) -> None:
    put_array(out, 8)
    put_int(out, rolling.at)
    missing = 7
    if rolling.at:
        missing = 5 if rolling.single else 0
        put_float(out, rolling.w7)
        put_float(out, rolling.s7)
        if not rolling.single:
            put_float(out, rolling.w30)
            put_float(out, rolling.s30)
            put_float(out, rolling.q30)
            put_float(out, rolling.w90)
            put_float(out, rolling.s90)
    for _ in range(missing):
        out.append(NIL)


def _rolling(source: Source) -> Rolling:
    _expect(source.array_size(), 8)
    at, made, missing = source.integer(), Rolling(), 6
    if not source.is_nil():
        w7, s7 = source.number(), source.number()
        if source.is_nil():
            made.of_one(at, w7, s7)
            missing = 4
        else:
            w30, s30, q30 = source.number(), source.number(), source.number()
            made.set(at, (w7, s7, w30, s30, q30, source.number(), source.number()))
            missing = 0
    for _ in range(missing):
        if not source.is_nil():
            raise UnfitError
    return made
