"""What an encoded state remembers of its alerts and of next actions, without decoding the rest of it."""

from __future__ import annotations

import msgspec

from streams.alerts.watch import Watch
from streams.stitch.compression import decompress
from streams.stitch.subject import HERE


class _Peek(msgspec.Struct, array_like=True):
    """A Subject (streams.stitch.subject), of which nothing but the watch is decoded."""

    interactions_applied: int = 0
    identities_applied: int = 0
    parts_applied: int = 0
    own: msgspec.Raw = msgspec.Raw()
    seen: msgspec.Raw = msgspec.Raw()
    root: str | None = None
    root_version: int = 0
    parts: msgspec.Raw = msgspec.Raw()
    former: msgspec.Raw = msgspec.Raw()
    published: bool = False
    published_keys: msgspec.Raw = msgspec.Raw()
    watch: Watch | None = None


class _Said(msgspec.Struct, array_like=True):
    """A Subject, of which nothing but the last field is decoded."""

    interactions_applied: msgspec.Raw
    identities_applied: msgspec.Raw
    parts_applied: msgspec.Raw
    own: msgspec.Raw
    seen: msgspec.Raw
    root: msgspec.Raw
    root_version: msgspec.Raw
    parts: msgspec.Raw
    former: msgspec.Raw
    published: msgspec.Raw
    published_keys: msgspec.Raw
    watch: msgspec.Raw
    presence: int = HERE
    applied_at: msgspec.Raw = msgspec.Raw()
    recall_from: msgspec.Raw = msgspec.Raw()
    version_base: msgspec.Raw = msgspec.Raw()
    told: msgspec.Raw = msgspec.Raw()
    group: msgspec.Raw = msgspec.Raw()
    posted: msgspec.Raw = msgspec.Raw()
    actions: int | None = None


_peek = msgspec.msgpack.Decoder(_Peek).decode
_said = msgspec.msgpack.Decoder(_Said).decode


def watch_of(state: bytes) -> Watch | None:
    """What an encoded Subject remembers of its alerts."""
    return _peek(decompress(state)).watch


def unsaid(state: bytes) -> int | None:
    """The presence of an encoded Subject that was written by a version which publishes no next actions; else None."""
    said = _said(decompress(state))
    return said.presence if said.actions is None else None
