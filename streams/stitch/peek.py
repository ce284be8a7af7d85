"""What an encoded state remembers of its alerts and of next actions, without decoding the rest of it."""

from __future__ import annotations

import msgspec

from streams.alerts.watch import Watch
from streams.stitch.compression import decompress
from streams.stitch.subject import HERE


class _Peek(msgspec.Struct, array_like=True):
    """A Subject (streams.stitch.subject), of which little more than the watch and the last field is decoded."""

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
    presence: int = HERE
    applied_at: int = -1
    recall_from: int = 0
    version_base: int = 0
    told: msgspec.Raw = msgspec.Raw()
    group: msgspec.Raw = msgspec.Raw()
    posted: msgspec.Raw = msgspec.Raw()
    actions: int | None = None


_peek = msgspec.msgpack.Decoder(_Peek).decode


def watch_of(state: bytes) -> Watch | None:
    """What an encoded Subject remembers of its alerts."""
    return _peek(decompress(state)).watch


def unsaid(state: bytes) -> int | None:
    """The presence of an encoded Subject that was written by a version which publishes no next actions; else None."""
    said = _peek(decompress(state))
    return said.presence if said.actions is None else None
