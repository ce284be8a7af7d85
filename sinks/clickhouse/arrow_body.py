"""Arrow tables as the bodies of inserts, in memory that is used again for the next body. New memory would be the
dearest part of writing one: the system clears each page at its first use, which takes several times as long as the
copy.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

import pyarrow as pa

KEPT = 32 << 20
"""Bytes; a larger body's memory is given back after use."""


class ArrowBody:
    """Makes bodies in Arrow's file format, one at a time.

    compression: of Arrow's buffers, "lz4" or "zstd"; None: plain.
    """

    def __init__(self, compression: str | None = None) -> None:
        self._options = pa.ipc.IpcWriteOptions(compression=compression)
        self._memory = io.BytesIO()

    @contextlib.contextmanager
    def of(self, table: pa.Table, statement: bytes = b"") -> Iterator[memoryview]:
        """The statement and the table behind it, until the context ends."""
        memory, self._memory = self._memory, io.BytesIO()  # after an error somebody may still hold it
        memory.seek(0)
        memory.write(statement)
        with pa.ipc.new_file(pa.PythonFile(memory, "wb"), table.schema, options=self._options) as writer:
            writer.write_table(table)
        size = memory.tell()
        with memory.getbuffer() as whole, whole[:size] as body:
            yield body
        if size <= KEPT:
            with contextlib.suppress(BufferError):  # the HTTP client has kept a view
                memory.write(b"")
                self._memory = memory
