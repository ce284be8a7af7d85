"""Results handed on piece by piece, so that a large one never stands in memory whole.

The engine gives a result block by block, each formatted for itself. In formats without a header or footer the pieces,
one behind the other, are the result. Arrow pieces are each a stream or file of their own: their record batches are
written again behind one schema. All other formats (JSON, Pretty, CSVWithNames ...) must be made at once.
"""

from __future__ import annotations

from collections.abc import Generator

import pyarrow as pa

from streams.embedded.clickhouse.statements import first_word

Pieces = Generator[tuple[bytes, int], None, None]
"""Bytes of a result, and the rows in them."""

_CONCATENABLE = frozenset(
    (
        *("Native", "RowBinary", "LineAsString", "CSV", "JSONEachRow", "JSONCompactEachRow", "JSONStringsEachRow"),
        *("TabSeparated", "TSV", "TabSeparatedRaw", "TSVRaw"),
    )
)


def streamable(fmt: str, text: bytes) -> bool:
    """Whether the result of a statement in this format can be handed on in pieces; chDB streams nothing but SELECT."""
    if first_word(text) not in (b"SELECT", b"WITH"):
        return False
    if fmt in ("Arrow", "ArrowStream"):
        return b"TOTALS" not in text.upper()  # totals are a block of their own, for which Arrow has no place
    return fmt in _CONCATENABLE


def join(fmt: str, pieces: Pieces) -> Pieces:
    """The pieces of a result as parts of one whole, for a format that is `streamable`."""
    if fmt in ("Arrow", "ArrowStream"):
        return _join_arrow(fmt, pieces)
    return pieces


class Written:
    """A file that keeps what is written until it is taken."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: pa.Buffer) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None: ...

    def close(self) -> None: ...

    def take(self) -> bytes:
        data = b"".join(self._parts)
        self._parts.clear()
        return data


def _join_arrow(fmt: str, pieces: Pieces) -> Pieces:
    opened, new = (pa.ipc.open_file, pa.ipc.new_file) if fmt == "Arrow" else (pa.ipc.open_stream, pa.ipc.new_stream)
    written = Written()
    writer = None
    for data, rows in pieces:
        table = opened(data).read_all()
        if writer is None:
            writer = new(pa.PythonFile(written, mode="w"), table.schema)
        writer.write_table(table)
        yield written.take(), rows
    if writer is not None:
        writer.close()
        yield written.take(), 0
