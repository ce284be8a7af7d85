"""The rows of an insert on their way into the embedded engine: a file, in memory where the system can."""

from __future__ import annotations

import os
import tempfile
from types import TracebackType
from typing import IO

Buffer = bytes | bytearray | memoryview

LARGE = 1 << 20
"""Bytes; smaller bodies have a spool of their own, so as not to shrink one that is kept."""
KEPT = 32 << 20
"""Bytes; the memory of a larger one is given back after use."""
KEPT_SPOOLS = 2


class Spool:
    """A file that the engine can read by its path until it is closed; written by one thread at a time."""

    def __init__(self) -> None:
        self._file: IO[bytes]
        if hasattr(os, "memfd_create"):
            self._file = os.fdopen(os.memfd_create("insert"), "wb", buffering=0)
            self.path = f"/proc/self/fd/{self._file.fileno()}"
        else:
            self._file = tempfile.NamedTemporaryFile(prefix="insert-", buffering=0)  # noqa: SIM115  (close() is ours)
            self.path = self._file.name

    def write(self, data: Buffer) -> None:
        """Append. Raises OSError when the memory or the disk is full."""
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) :]

    def end(self) -> int:
        """No more is to come: cut off what is left of an earlier use. Returns the bytes written."""
        return self._file.truncate()

    def rewind(self) -> None:
        """Begin anew, over what was written, until `end`."""
        self._file.seek(0)

    def close(self) -> None:
        """Free it. Idempotent."""
        self._file.close()

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class Spools:
    """Spools whose memory is used again for the next large body: allocating and freeing pages takes longer than filling
    them. One thread takes spools; any thread may give them back.
    """

    def __init__(self) -> None:
        self._kept: list[Spool] = []

    def take(self, size: int) -> Spool:
        """A spool for a body of that many bytes (None: not known); the caller gives it back."""
        if size < LARGE or not self._kept:
            return Spool()
        spool = self._kept.pop()
        spool.rewind()
        return spool

    def give(self, spool: Spool) -> None:
        """Take back a spool that nobody reads any more."""
        if LARGE <= spool.end() <= KEPT and len(self._kept) < KEPT_SPOOLS:
            self._kept.append(spool)
        else:
            spool.close()

    def close(self) -> None:
        """Free what is kept."""
        while self._kept:
            self._kept.pop().close()
