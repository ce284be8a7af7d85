"""The bytes of summaries and of all that they are made of; see streams.stitch.packed."""

from __future__ import annotations

from librt.strings import BytesWriter

from schemas.numbers import UnfitError
from streams.alerts.moves import Cause
from streams.stitch.case import Case
from streams.stitch.journey import Journey, Latest, Lowest, from_longs, in_longs
from streams.stitch.msgpack import (
    NIL,
    Source,
    put_array,
    put_float,
    put_int,
    put_map,
    put_octets,
    put_text,
    put_text_or_nil,
)
from streams.stitch.rolling import Rolling
from streams.stitch.stored import read_signals, write
from streams.stitch.summary import Loose, Preference, Summary


def put_summary(out: BytesWriter, summary: Summary) -> None:
    """Append a summary. Raises OverflowError for a number of more than 64 bits."""
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
    _put_told(out, summary.cause)


def take_summary(source: Source) -> Summary:
    """The summary that comes next. Raises UnfitError, IndexError and ValueError for anything else."""
    source.array_of(11)
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
        source.array_of(4)
        preferences[key] = Preference(source.integer(), source.octets(), source.text(), source.integer())
    duplicates = source.integer()
    signals = None if source.is_nil() else read_signals(source.whole())
    cause = _told(source)
    return Summary(interactions, first, last, bookings, loose, cases, rolling, preferences, duplicates, signals, cause)


def _put_told(out: BytesWriter, told: Cause | None) -> None:
    """Append what is told of one event, or nil."""
    if told is None:
        out.append(NIL)
        return
    at, event_id, touchpoint, unit, booking_ref = told
    put_array(out, 5)
    put_int(out, at)
    put_octets(out, event_id)
    put_text(out, touchpoint)
    put_text_or_nil(out, unit)
    put_text_or_nil(out, booking_ref)


def _told(source: Source) -> Cause | None:
    if source.is_nil():
        return None
    source.array_of(5)
    return source.integer(), source.octets(), source.text(), source.text_or_none(), source.text_or_none()


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
    spend = in_longs(journey.spend)
    put_map(out, len(spend))
    for currency, amount in spend.items():
        put_text(out, currency)
        put_int(out, amount)


def _journey(source: Source) -> Journey:
    source.array_of(9)
    first, last = source.integer(), source.integer()
    source.array_of(4)
    channels: list[int] = [source.integer(), source.integer(), source.integer(), source.integer()]
    milestones: dict[int, int] = {}
    for _ in range(source.map_size()):
        milestone = source.integer()
        milestones[milestone] = source.integer()
    score_sum, score_count = source.integer(), source.integer()
    lowest: Lowest | None = None
    if not source.is_nil():
        source.array_of(4)
        lowest = source.integer(), source.integer(), source.octets(), source.text()
    surveys: dict[int, Latest] = {}
    for _ in range(source.map_size()):
        instrument = source.integer()
        source.array_of(3)
        surveys[instrument] = source.integer(), source.octets(), source.number()
    spend: dict[str, int] = {}
    for _ in range(source.map_size()):
        currency = source.text()
        spend[currency] = source.integer()
    return Journey(first, last, channels, milestones, score_sum, score_count, lowest, surveys, from_longs(spend))


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
    source.array_of(7)
    at, event_id, channel, milestone = source.integer(), source.octets(), source.integer(), source.integer()
    scored: tuple[int, str] | None = None
    survey: tuple[int, float] | None = None
    spent: tuple[str, int] | None = None
    if not source.is_nil():
        source.array_of(2)
        scored = source.integer(), source.text()
    if not source.is_nil():
        source.array_of(2)
        survey = source.integer(), source.number()
    if not source.is_nil():
        source.array_of(2)
        spent = source.text(), source.integer()
    return Loose(at, event_id, channel, milestone, scored, survey, spent)


def _put_case(out: BytesWriter, case: Case) -> None:
    put_array(out, 6)
    put_int(out, case.opened)
    put_int(out, case.responded)
    put_int(out, case.resolved)
    put_int(out, case.reopened)
    put_int(out, case.contacts)
    _put_told(out, case.first)


def _case(source: Source) -> Case:
    source.array_of(6)
    opened, responded, resolved, reopened = source.integer(), source.integer(), source.integer(), source.integer()
    contacts = source.integer()
    return Case(opened, responded, resolved, reopened, contacts, _told(source))


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
    source.array_of(8)
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
