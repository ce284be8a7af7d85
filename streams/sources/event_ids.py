"""Event ids that are a function of the input, so that reading a file again makes the same events again.

Where a source names its events, or columns do, an id is a UUID of version 5 (RFC 9562) of the source's name and that
name, which anybody can compute: `uuid5s`. Where a row has nothing but its content and place, an id is a UUID of version
8 (RFC 9562: the bits are the application's): a 128-bit key of the input row, mixed with the number of the event within
the row by the finaliser of SplitMix64 (Steele, Lea, Flood 2014), a bijection on 64 bits.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b, sha1
from uuid import UUID, uuid5

import numpy as np
import numpy.typing as npt
import polars as pl

Words = npt.NDArray[np.uint64]

NAMESPACE = UUID("1b6ef1e3-8f4e-5e0e-9d0e-5c3a3f0f6a11")
"""Of sources: the namespace of a source's events is the UUID of version 5 of its name in this one."""

_HEX = np.array([f"{byte:02x}".encode() for byte in range(256)], dtype="S2").view(np.uint8).reshape(256, 2)
# Where the 32 hex digits of a UUID stand among its 36 characters.
_DIGITS = np.array([i for i in range(36) if i not in (8, 13, 18, 23)])


def row_keys(contents: Iterable[bytes]) -> Words:
    """Two 64-bit words for each content, shape (n, 2): its BLAKE2b hash."""
    return np.frombuffer(b"".join(blake2b(content, digest_size=16).digest() for content in contents), "<u8").reshape(
        -1, 2
    )


def event_uuids(keys: Words, salts: Words) -> pl.Series:
    """The text of one UUID for each row: keys (n, 2) as `row_keys` gives them, salts (n,) different within a row."""
    high = _mix(keys[:, 0] + salts * np.uint64(0x9E3779B97F4A7C15))
    low = _mix(keys[:, 1] ^ high)
    high = (high & np.uint64(0xFFFFFFFFFFFF0FFF)) | np.uint64(0x8000)
    low = (low & np.uint64(0x3FFFFFFFFFFFFFFF)) | np.uint64(0x8000000000000000)
    return _text(np.stack([high, low], axis=1).astype(">u8").view(np.uint8).reshape(-1, 16))


def uuid5s(source: str, names: Iterable[str]) -> pl.Series:
    """The text of the UUID of version 5 of each name of an event, as `uuid.uuid5(uuid5(NAMESPACE, source), name)`."""
    namespace = sha1(uuid5(NAMESPACE, source).bytes, usedforsecurity=False)

    def digest(name: str) -> bytes:
        whole = namespace.copy()
        whole.update(name.encode())
        return whole.digest()[:16]

    octets = np.frombuffer(b"".join(map(digest, names)), np.uint8).reshape(-1, 16).copy()
    octets[:, 6] = (octets[:, 6] & 0x0F) | 0x50
    octets[:, 8] = (octets[:, 8] & 0x3F) | 0x80
    return _text(octets)


def _text(octets: npt.NDArray[np.uint8]) -> pl.Series:
    text = np.full((len(octets), 36), ord("-"), dtype=np.uint8)
    text[:, _DIGITS] = _HEX[octets].reshape(-1, 32)
    return pl.Series("event_id", text.view("S36").ravel(), dtype=pl.Binary).cast(pl.String)


def _mix(words: Words) -> Words:
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
