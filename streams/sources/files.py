"""Reading lines of a file, of a gzip file or of standard input, in chunks of bounded memory."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from typing import IO

from streams.sources.events import SourceError

STDIN = "-"
_BLOCK = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"

MAX_LINE_BYTES = 900_000
"""The longest line that is kept whole. A longer one fits in no Kafka message of the default limit (1 MiB)."""


class LongLine(bytes):
    """The first MAX_LINE_BYTES of a longer line."""

    total: int


def display_name(path: str) -> str:
    """How a file is called in messages and dead letters."""
    return "<stdin>" if path == STDIN else path


def read_lines(path: str, batch_size: int) -> Iterator[tuple[int, list[bytes]]]:
    """Yield (number of the first line, from 1; up to batch_size lines without line ends), to the end of the file.

    gzip is recognised by its first bytes, whatever the file's name. A byte order mark is dropped. A line longer than
    MAX_LINE_BYTES comes as a `LongLine`, its beginning. Raises SourceError where the file cannot be read, or only in
    part, after the lines of that part.
    """
    first, pending = 1, []
    broken: SourceError | None = None
    try:
        for line in _lines(path):
            pending.append(line)
            if len(pending) == batch_size:
                yield first, pending
                first, pending = first + len(pending), []
    except SourceError as error:
        broken = error  # after the lines that were read before it
    if pending:
        yield first, pending
    if broken:
        raise broken


def _lines(path: str) -> Iterator[bytes]:
    rest, skipped = b"", 0
    for block in _blocks(path):
        lines = block.split(b"\n")
        lines[0] = rest + lines[0]
        rest = lines.pop()
        for line in lines:
            yield _trim(line, skipped)
            skipped = 0
        if len(rest) > MAX_LINE_BYTES:
            skipped += len(rest) - MAX_LINE_BYTES
            rest = rest[:MAX_LINE_BYTES]
    if rest:
        yield _trim(rest, skipped)


def _trim(line: bytes, skipped: int) -> bytes:
    if not skipped and len(line) <= MAX_LINE_BYTES:
        return line[:-1] if line.endswith(b"\r") else line
    long = LongLine(line[:MAX_LINE_BYTES])
    long.total = len(line) + skipped
    return long


def _blocks(path: str) -> Iterator[bytes]:
    name = display_name(path)
    read = 0
    try:
        with ExitStack() as stack:
            raw: IO[bytes] = sys.stdin.buffer if path == STDIN else stack.enter_context(open(path, "rb", _BLOCK))
            stream: IO[bytes] | gzip.GzipFile = raw
            if isinstance(raw, io.BufferedReader) and raw.peek(2)[:2] == _GZIP_MAGIC:
                unzipped = gzip.GzipFile(fileobj=raw)
                stack.callback(unzipped.close)
                stream = unzipped
            while block := stream.read(_BLOCK):
                if read == 0 and block.startswith(_BOM):
                    block = block[len(_BOM) :]
                read += len(block)
                yield block
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SourceError(f"{name}: the gzip data is broken after {read} bytes of text: {error}") from error
    except OSError as error:
        raise SourceError(f"{name}: {error.strerror or error}") from error
