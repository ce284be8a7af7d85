"""The bytes of states in the table and its changelog, compressed to little more than half.

A state has a few hundred bytes, too few to compress by itself, but all states are alike. So Zstandard (RFC 8878) uses a
dictionary of what states have in common, made by `python -m tests.benchmarks.dictionary` from simulated customers. A
state that was written with a dictionary cannot be read without it, so the file of a dictionary is never changed; a new
one gets the next number.

A compressed state begins with the number of its dictionary, a byte smaller than any with which an uncompressed state
(a msgpack array) begins. One frame without magic number follows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import zstandard

NUMBER: Final = 1
"""Number of the dictionary with which states are written."""
DICTIONARY: Final = Path(__file__).with_name(f"states-{NUMBER}.zdict")
WORTH: Final = 100
"""Bytes; a shorter state is not compressed. The state of an identifier with nothing but a root has 60 bytes, and would
save 25 of them."""
_FIRST_OF_ARRAYS: Final = 0x90
"""Of msgpack's first bytes of an array (https://github.com/msgpack/msgpack/blob/master/spec.md)."""

_dictionary = zstandard.ZstdCompressionDict(DICTIONARY.read_bytes())
# The fastest level that finds what is in the dictionary; from 1 on literals are packed, too, which takes half as long
# again to read and saves a hundredth.
_parameters = zstandard.ZstdCompressionParameters.from_level(
    -1,
    source_size=1000,
    dict_size=DICTIONARY.stat().st_size,
    format=zstandard.FORMAT_ZSTD1_MAGICLESS,
    write_content_size=True,
    write_checksum=False,
    write_dict_id=False,
)
_dictionary.precompute_compress(compression_params=_parameters)
_compress = zstandard.ZstdCompressor(dict_data=_dictionary, compression_params=_parameters).compress
_decompress = zstandard.ZstdDecompressor(dict_data=_dictionary, format=zstandard.FORMAT_ZSTD1_MAGICLESS).decompress
_HEADER: Final = bytes([NUMBER])


def compress(state: bytes | bytearray) -> bytes:
    """The bytes of a state, compressed if it is long enough. Not thread-safe."""
    # To put the header in front also copies them out of the larger block of memory that they were written in.
    return _HEADER + _compress(state) if len(state) >= WORTH else bytes(state)


def decompress(encoded: bytes) -> bytes:
    """The bytes that `compress` was given. Not thread-safe. Raises ValueError for bytes that `compress` cannot make.

    Bytes that may be an uncompressed state are returned unchecked.
    """
    if not encoded or encoded[0] >= _FIRST_OF_ARRAYS:
        return encoded
    if encoded[0] != NUMBER:
        raise ValueError(f"a state of dictionary {encoded[0]}, which is not known here: of a later version of Rihla?")
    try:
        return _decompress(encoded[1:])
    except (zstandard.ZstdError, MemoryError) as error:  # memory: a damaged frame may claim any size
        raise ValueError(f"no state: {error}") from error
