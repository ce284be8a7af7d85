"""Reads compressed files: gzip, Zstandard, bzip2 and xz, recognised by their first bytes, with one member or several.

A file that breaks off, or is garbled from some place on, gives all that could be unpacked before it.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any, Final

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdError, ZstdFile
else:
    from backports.zstd import ZstdError, ZstdFile

_AT_ONCE: Final = 1 << 18
"""Bytes that are joined before they are handed on: a reader's own blocks have some kilobytes."""

_KNOWN: Final[tuple[tuple[bytes, str, Callable[[Any], Any]], ...]] = (
    (b"\x1f\x8b", "gzip", lambda raw: gzip.GzipFile(fileobj=raw)),
    (b"\x28\xb5\x2f\xfd", "zstd", ZstdFile),
    (b"BZh", "bzip2", bz2.BZ2File),
    (b"\xfd7zXZ\x00", "xz", lzma.LZMAFile),
)
"""First bytes, name, and what reads such a file."""

NAMES: Final = {"gzip": ("gz", "gzip"), "zstd": ("zst", "zstd"), "bzip2": ("bz2",), "xz": ("xz",)}
"""Endings of the names of such files. They matter only where the ending before them names a format."""
ENDINGS: Final = frozenset(f".{one}" for some in NAMES.values() for one in some)


class BrokenError(Exception):
    """The compressed data is broken; all that could be unpacked before has been handed on."""


def form_of(raw: io.BufferedReader) -> str | None:
    """The name of a file's compression; None where it has none."""
    begins = raw.peek(8)[:8]
    return next((name for magic, name, _ in _KNOWN if begins.startswith(magic)), None)


def unpacked(raw: IO[bytes], form: str) -> Iterator[bytes]:
    """The blocks of a compressed file, to the end of its last member. form: as `form_of` names it.

    Raises BrokenError behind what could be read, and OSError where the file itself cannot be read.
    """
    [opened] = [opener for _, name, opener in _KNOWN if name == form]
    parts: list[bytes] = []
    size = 0
    with opened(raw) as stream:
        try:
            while part := stream.read1():
                parts.append(part)
                size += len(part)
                if size >= _AT_ONCE:
                    yield b"".join(parts)
                    parts, size = [], 0
        except (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, ZstdError) as error:
            broken: Exception = error
        except OSError as error:
            if error.errno is not None:  # the disk's fault; the libraries' own have no number
                raise
            broken = error
        else:
            if parts:
                yield b"".join(parts)
            return
    if parts:
        yield b"".join(parts)
    raise BrokenError(str(broken).rstrip("."))
