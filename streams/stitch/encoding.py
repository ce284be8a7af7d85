"""Encodes and decodes states (msgpack, compressed) for the table, and summaries (msgpack) for the topic of parts.

Also merges the summary of a state with those of its parts, which the state holds encoded.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec.structs import astuple

from streams.alerts.moves import Cause
from streams.model.membership import Said
from streams.stitch import compression
from streams.stitch.case import Case, CaseFields
from streams.stitch.group import Group
from streams.stitch.journey import Journey, JourneyFields
from streams.stitch.rolling import Rolling
from streams.stitch.stored import StoredSummary, as_journey, read_subject, read_summary
from streams.stitch.subject import Part, Subject
from streams.stitch.summary import Loose, NamedBrands, Summary

_encode_into = msgspec.msgpack.Encoder().encode_into
_encoded: Final = bytearray()


def encode(state: Subject) -> bytes:
    """The bytes of a Subject: the table's value."""
    _encode_into(state.fields(), _encoded)
    return compression.compress(_encoded)


def encode_summary(summary: Summary) -> bytes:
    """The bytes of a Summary: what a part carries."""
    return write(summary.fields())


def write(fields: object) -> bytes:
    """The bytes of fields, or of a Struct.

    Copied out of a buffer, because they are kept: the encoder's own bytes stay in the larger block of memory that they
    grew in, which made a state take nearly half as much again.
    """
    _encode_into(fields, _encoded)
    return bytes(_encoded)


def decode(encoded: bytes) -> Subject:
    """The Subject of its bytes, compressed or, as states were written before, not. Raises ValueError for any others."""
    own: StoredSummary
    parts: dict[str, tuple[int, bytes | None]]
    # All fields at once: one by one, compiled code asks for attributes of a Struct by name.
    (
        interactions_applied,
        identities_applied,
        parts_applied,
        own,
        seen,
        root,
        root_version,
        parts,
        former,
        published,
        published_keys,
        watch,
        presence,
        applied_at,
        recall_from,
        version_base,
        told,
        group,
        posted,
        actions,
    ) = astuple(read_subject(compression.decompress(encoded)))
    return Subject(
        interactions_applied,
        identities_applied,
        parts_applied,
        _summary(own),
        seen,
        root,
        root_version,
        {sender: Part(version, summary) for sender, (version, summary) in parts.items()},
        former,
        published,
        published_keys,
        watch,
        presence,
        applied_at,
        recall_from,
        version_base,
        told,
        None if group is None else Group(*group),
        posted,
        actions,
    )


def decode_summary(encoded: bytes) -> Summary:
    """The Summary of its bytes. Raises ValueError for any others."""
    return _summary(read_summary(encoded))


def _summary(stored: StoredSummary) -> Summary:
    bookings: dict[str, JourneyFields]
    loose: list[list[Any]]
    cases: dict[str, CaseFields]
    groups: dict[str, list[Said]] | None
    brands: NamedBrands | None
    (
        interactions,
        first,
        last,
        bookings,
        loose,
        cases,
        rolling,
        preferences,
        duplicates,
        signals,
        cause,
        groups,
        places,
        loose_units,
        brands,
    ) = astuple(stored)
    of_cases, caused = _NO_BRANDS if brands is None else brands
    return Summary(
        interactions,
        first,
        last,
        {ref: Journey.made(fields) for ref, fields in bookings.items()},
        [_loose(fields) for fields in loose],
        {case_id: Case(*fields, of_cases.get(case_id)) for case_id, fields in cases.items()},
        Rolling.made(rolling),
        preferences,
        duplicates,
        signals,
        None if cause is None else (*cause, caused),
        None if groups is None else {group: frozenset(said) for group, said in groups.items()},
        places,
        loose_units,
    )


def _loose(fields: list[Any]) -> Loose:
    """The loose event of these fields: all of them, or the three that states of earlier versions have."""
    try:
        if len(fields) == 3:
            at, event_id, journey = fields
            return Loose(at, event_id, Journey.made(as_journey(journey)))
        at, event_id, channel, milestone, scored, survey, spent = fields
        return Loose(
            at,
            event_id,
            channel,
            milestone,
            None if scored is None else tuple(scored),
            None if survey is None else tuple(survey),
            None if spent is None else tuple(spent),
        )
    except (TypeError, ValueError) as error:
        raise msgspec.ValidationError(f"no loose event: {error}") from error


_NIL: Final = b"\xc0"
_NO_BRANDS: Final[NamedBrands] = ({}, None)


def without_cause(encoded: bytes, summary: Summary, cause: Cause) -> bytes:
    """The bytes of a Summary as a root keeps them: without its cause, which is used once, when the part arrives.

    encoded: with the cause. summary: the same, from which it has been taken.
    """
    if cause[5] is not None:
        return encode_summary(summary)
    # Few fields come after the cause, so that what is before it need not be encoded anew.
    after = b"".join([write(field) for field in summary.after_cause()])
    return encoded[: len(encoded) - len(after) - len(write(cause[:5]))] + _NIL + after


def merged(state: Subject) -> Summary:
    """The summary of its events and of its parts, of a `whole` subject. May be its `own`: do not change it."""
    alive = [part.summary for part in state.parts.values() if part.summary is not None]
    if not alive:
        return state.own
    whole = state.own.copy()
    for summary in alive:
        whole.absorb(decode_summary(summary))
    return whole
