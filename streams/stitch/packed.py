"""The bytes of states and summaries, written and read without anything in between: the cheapest way there is where this
module is compiled, and the dearest where it is not.

They are those that streams.stitch.stored writes and reads, the usual way, which is also that of states of before there
were all of the fields, and of whatever is not as it should be.
"""

from __future__ import annotations

from librt.strings import BytesWriter

from schemas.numbers import UnfitError
from streams.stitch.msgpack import (
    NIL,
    Source,
    put_array,
    put_flag,
    put_int,
    put_map,
    put_octets,
    put_text,
    put_text_or_nil,
)
from streams.stitch.packed_summary import put_summary, take_summary
from streams.stitch.stored import read_watch, write
from streams.stitch.subject import Part, Subject
from streams.stitch.summary import Summary


def pack(state: Subject) -> bytes:
    """The bytes of a state. Raises OverflowError for a number of more than 64 bits."""
    out = BytesWriter()
    put_array(out, 16 if state.version_base else 15)
    put_int(out, state.interactions_applied)
    put_int(out, state.identities_applied)
    put_int(out, state.parts_applied)
    put_summary(out, state.own)
    put_octets(out, state.seen)
    put_text_or_nil(out, state.root)
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
    if state.version_base:
        put_int(out, state.version_base)
    return out.getvalue()


def unpack(encoded: bytes) -> Subject | None:
    """The state of bytes that `pack` writes; None for any others."""
    source = Source(encoded)
    try:
        size = source.array_size()
        if size != 15 and size != 16:
            return None
        interactions, identities, parts_applied = source.integer(), source.integer(), source.integer()
        own = take_summary(source)
        seen = source.octets()
        root = source.text_or_none()
        root_version = source.integer()
        parts: dict[str, Part] = {}
        for _ in range(source.map_size()):
            sender = source.text()
            source.array_of(2)
            version = source.integer()
            parts[sender] = Part(version, None if source.is_nil() else source.octets())
        former = [source.text() for _ in range(source.array_size())]
        published = source.flag()
        ledger = [source.text() for _ in range(source.array_size())]
        watch = None if source.is_nil() else read_watch(source.whole())
        presence, applied_at, recall_from = source.integer(), source.integer(), source.integer()
        version_base = source.integer() if size == 16 else 0
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
        version_base,
    )


def pack_summary(summary: Summary) -> bytes:
    """The bytes of a summary. Raises like `pack`."""
    out = BytesWriter()
    put_summary(out, summary)
    return out.getvalue()


def unpack_summary(encoded: bytes) -> Summary | None:
    """The summary of bytes that `pack_summary` writes; None for any others."""
    source = Source(encoded)
    try:
        summary = take_summary(source)
    except (UnfitError, IndexError, ValueError):
        return None
    return summary if source.ended else None
