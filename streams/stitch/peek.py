"""What an encoded state remembers of its alerts, without decoding the rest of it."""

from __future__ import annotations

import msgspec

from streams.alerts.watch import Watch
from streams.stitch.compression import decompress


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


_peek = msgspec.msgpack.Decoder(_Peek).decode


def watch_of(state: bytes) -> Watch | None:
    """What an encoded Subject remembers of its alerts."""
    return _peek(decompress(state)).watch
