"""The rows of an insert on their way into the embedded engine: a file, in memory where the system can."""

from __future__ import annotations

import os
import tempfile
from types import TracebackType
from typing import IO

Buffer = bytes | bytearray | memoryview


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

    def close(self) -> None:
        """Free it. Idempotent."""
        self._file.close()

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
