"""Event ids that are a function of the input, so that reading a file again makes the same events again.

An id is a UUID of version 8 (RFC 9562: the bits are the application's): a 128-bit key of the input row, mixed with the
number of the event within the row by the finaliser of SplitMix64 (Steele, Lea, Flood 2014), a bijection on 64 bits.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import polars as pl

Words = npt.NDArray[np.uint64]

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
    octets = np.stack([high, low], axis=1).astype(">u8").view(np.uint8).reshape(-1, 16)
    text = np.full((len(octets), 36), ord("-"), dtype=np.uint8)
    text[:, _DIGITS] = _HEX[octets].reshape(-1, 32)
    return pl.Series("event_id", text.view("S36").ravel(), dtype=pl.Binary).cast(pl.String)


def _mix(words: Words) -> Words:
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
