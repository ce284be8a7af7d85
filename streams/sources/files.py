"""Reading lines of a file, of a gzip file or of standard input, in chunks of bounded memory.

What comes bit by bit (a pipe, a terminal) is handed on bit by bit: a line waits for its end, and then for no others.
"""

from __future__ import annotations

import gzip
import io
import os
import select
import stat
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Final

from streams.sources.events import SourceError

STDIN = "-"
_BLOCK = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"

MAX_LINE_BYTES = 900_000
"""The longest line that is kept whole. A longer one fits in no Kafka message of the default limit (1 MiB)."""


STOP: Final = threading.Event()
"""Set, by whoever reads, to have all reading end with the last whole line that was read; and cleared by them."""
_LINGER: Final = 0.1
"""Seconds that lines of a pipe wait for more, so that many have a batch together."""
_LOOK_EVERY: Final = 0.2
"""Seconds between looks at STOP while nothing comes."""


class LongLine(bytes):
    """The first MAX_LINE_BYTES of a longer line."""

    total: int


def display_name(path: str) -> str:
    """How a file is called in messages and dead letters."""
    return "<stdin>" if path == STDIN else path


def require_file(path: str) -> None:
    """Raises SourceError where there is no such file ("-" is standard input), or it is a folder."""
    if path == STDIN:
        return
    if Path(path).is_dir():
        raise SourceError(f"{path}: this is a folder; name the files in it, {Path(path) / '*'} for all of them")
    if not Path(path).exists():
        raise SourceError(f"{path}: there is no such file")


def read_lines(path: str, batch_size: int) -> Iterator[tuple[int, list[bytes]]]:
    """Yield (number of the first line, from 1; up to batch_size lines without line ends), to the end of the file.

    STOP ends it before.

    gzip is recognised by its first bytes, whatever the file's name. A byte order mark is dropped. A line longer than
    MAX_LINE_BYTES comes as a `LongLine`, its beginning. Raises SourceError where the file cannot be read, or only in
    part, after the lines of that part.
    """
    first, pending = 1, []
    broken: SourceError | None = None
    try:
        for line in _lines(path):
            if line is not None:
                pending.append(line)
            if len(pending) == batch_size or (line is None and pending):
                yield first, pending
                first, pending = first + len(pending), []
    except SourceError as error:
        broken = error  # after the lines that were read before it
    if pending:
        yield first, pending
    if broken:
        raise broken


def read_blocks(path: str) -> Iterator[bytes]:
    """What a file holds, unzipped, a block of about a megabyte at a time; STOP ends it. Raises SourceError."""
    return (block for block in _blocks(path) if block)


def _lines(path: str) -> Iterator[bytes | None]:
    """Lines; None where no more have come for a while."""
    rest, skipped = b"", 0
    for block in _blocks(path):
        if not block:
            yield None
            continue
        lines = block.split(b"\n")
        lines[0] = rest + lines[0]
        rest = lines.pop()
        for line in lines:
            yield _trim(line, skipped)
            skipped = 0
        if len(rest) > MAX_LINE_BYTES:
            skipped += len(rest) - MAX_LINE_BYTES
            rest = rest[:MAX_LINE_BYTES]
    if rest and not STOP.is_set():
        yield _trim(rest, skipped)


def _trim(line: bytes, skipped: int) -> bytes:
    if not skipped and len(line) <= MAX_LINE_BYTES:
        return line[:-1] if line.endswith(b"\r") else line
    long = LongLine(line[:MAX_LINE_BYTES])
    long.total = len(line) + skipped
    return long


def _blocks(path: str) -> Iterator[bytes]:
    """What is read, a block at a time; an empty one where no more has come for a while."""
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
            live = stream is raw and _comes_bit_by_bit(raw)
            for block in _as_they_come(raw) if live else iter(lambda: stream.read(_BLOCK), b""):
                if STOP.is_set():
                    return
                if read == 0 and block.startswith(_BOM):
                    block = block[len(_BOM) :]
                read += len(block)
                yield block
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SourceError(f"{name}: the gzip data is broken after {read} bytes of text: {error}") from error
    except OSError as error:
        raise SourceError(f"{name}: {error.strerror or error}") from error


def _comes_bit_by_bit(raw: IO[bytes]) -> bool:
    """Whether more may come later than what is there now: of a pipe, a socket, a terminal."""
    try:
        return isinstance(raw, io.BufferedReader) and not stat.S_ISREG(os.fstat(raw.fileno()).st_mode)
    except OSError:  # it has no number
        return False


def _as_they_come(raw: IO[bytes]) -> Iterator[bytes]:
    """What can be read, when it can be; an empty block once some has waited for _LINGER for more."""
    assert isinstance(raw, io.BufferedReader)
    if buffered := raw.peek(1)[:1]:  # what was looked at is not seen by select
        yield raw.read1(_BLOCK)
    waiting, waited = bool(buffered), 0.0
    while not STOP.is_set():
        began = time.monotonic()
        ready, _, _ = select.select([raw], [], [], max(_LINGER - waited, 0.0) if waiting else _LOOK_EVERY)
        waited += time.monotonic() - began
        if waiting and (not ready or waited > _LINGER):
            yield b""
            waiting = False
        if not ready:
            continue
        block = raw.read1(_BLOCK)
        if not block:
            return
        if not waiting:
            waiting, waited = True, 0.0
        yield block
