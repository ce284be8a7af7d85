"""Encodes and decodes states (msgpack, compressed) for the table, and summaries (msgpack) for the topic of parts.

Also merges the summary of a state with those of its parts, which the state holds encoded.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from streams.alerts.moves import Cause
from streams.stitch import compression
from streams.stitch.case import Case
from streams.stitch.group import Group
from streams.stitch.journey import Journey
from streams.stitch.rolling import Rolling
from streams.stitch.stored import StoredSummary, as_journey, read_subject, read_summary, write
from streams.stitch.subject import Part, Subject
from streams.stitch.summary import Loose, Preference, Summary


def encode(state: Subject) -> bytes:
    """The bytes of a Subject: the table's value."""
    return compression.compress(write(state.fields()))


def encode_summary(summary: Summary) -> bytes:
    """The bytes of a Summary: what a part carries."""
    return write(summary.fields())


def decode(encoded: bytes) -> Subject:
    """The Subject of its bytes, compressed or, as states were written before, not. Raises ValueError for any others."""
    stored = read_subject(compression.decompress(encoded))
    return Subject(
        stored.interactions_applied,
        stored.identities_applied,
        stored.parts_applied,
        _summary(stored.own),
        stored.seen,
        stored.root,
        stored.root_version,
        {sender: Part(version, summary) for sender, (version, summary) in stored.parts.items()},
        stored.former,
        stored.published,
        stored.published_keys,
        stored.watch,
        stored.presence,
        stored.applied_at,
        stored.recall_from,
        stored.version_base,
        stored.told,
        None if stored.group is None else Group(*stored.group),
        stored.posted,
    )


def decode_summary(encoded: bytes) -> Summary:
    """The Summary of its bytes. Raises ValueError for any others."""
    return _summary(read_summary(encoded))


def _summary(stored: StoredSummary) -> Summary:
    return Summary(
        stored.interactions,
        stored.first,
        stored.last,
        {ref: Journey.made(fields) for ref, fields in stored.bookings.items()},
        [_loose(fields) for fields in stored.loose],
        {case_id: Case(*fields) for case_id, fields in stored.cases.items()},
        Rolling.made(stored.rolling),
        {key: Preference(*fields) for key, fields in stored.preferences.items()},
        stored.duplicates,
        stored.signals,
        stored.cause,
        None if stored.groups is None else {group: frozenset(said) for group, said in stored.groups.items()},
        stored.places,
        stored.loose_units,
    )


def _loose(fields: list[Any]) -> Loose:
    """The loose event of these fields: all of them, or the three that states of earlier versions have."""
    try:
        at, event_id, channel = fields[:3]
        if len(fields) == 3:
            return Loose(at, event_id, Journey.made(as_journey(channel)))
        milestone, scored, survey, spent = fields[3:]
        scored, survey, spent = [None if one is None else tuple(one) for one in (scored, survey, spent)]
        return Loose(at, event_id, channel, milestone, scored, survey, spent)
    except (TypeError, ValueError) as error:
        raise msgspec.ValidationError(f"no loose event: {error}") from error


_NIL: Final = b"\xc0"


def without_cause(encoded: bytes, summary: Summary, cause: Cause) -> bytes:
    """The bytes of a Summary as a root keeps them: without its cause, which is used once, when the part arrives."""
    # Few fields come after the cause, so that what is before it need not be encoded anew.
    after = b"".join([write(field) for field in summary.after_cause()])
    return encoded[: len(encoded) - len(after) - len(write(cause))] + _NIL + after


def merged(state: Subject) -> Summary:
    """The summary of its events and of its parts, of a `whole` subject. May be its `own`: do not change it."""
    alive = [part.summary for part in state.parts.values() if part.summary is not None]
    if not alive:
        return state.own
    whole = state.own.copy()
    for summary in alive:
        whole.absorb(decode_summary(summary))
    return whole
