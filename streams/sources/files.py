"""Reading lines of a file, compressed or not, or of standard input, in chunks of bounded memory.

What comes bit by bit (a pipe, a terminal) is handed on bit by bit: a line waits for its end, and then for no others.
UTF-16 and UTF-32 with a byte order mark become UTF-8. What is no text is told from it by its first bytes.
"""

from __future__ import annotations

import codecs
import io
import os
import select
import stat
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from streams.sources.compressed import BrokenError, form_of, unpacked
from streams.sources.events import SourceError

STDIN = "-"
_BLOCK = 1 << 20
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # it begins with that of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""Byte order marks, and the encoding that each stands for."""
_NO_TEXT: Final = (
    (b"PK\x03\x04", "a ZIP archive, or an Excel file: unpack it, or read it as Excel by a mapping (--mapping)"),
    (b"PAR1", "a Parquet file: it is read by a mapping (--mapping)"),
    (b"\xd0\xcf\x11\xe0", "an old Excel file: it is read by a mapping (--mapping)"),
    (b"Obj\x01", "an Avro container file: send its records to Kafka, or as JSON Lines (fastavro FILE prints them)"),
    (b"%PDF", "a PDF file"),
    (b"SQLite format 3\x00", "a SQLite database"),
    (b"7z\xbc\xaf", "a 7z archive: unpack it"),
    (b"\x04\x22\x4d\x18", "an LZ4 file: unpack it"),
)
"""First bytes of formats without lines, and their names."""
_LOOKED_AT: Final = 4096
"""Bytes at the beginning that are searched for a zero, which no text has."""

MAX_LINE_BYTES = 900_000
"""The longest line that is kept whole. A longer one fits in no Kafka message of the default limit (1 MiB)."""


STOP: Final = threading.Event()
"""Ends all reading, with the last whole line that was read, while it is set. The caller sets and clears it."""
_LINGER: Final = 0.1
"""Seconds that lines of a pipe wait for more, so that many have a batch together."""
_LOOK_EVERY: Final = 0.2
"""Seconds between looks at STOP while nothing comes."""


class LongLine(bytes):
    """The first MAX_LINE_BYTES of a longer line."""

    total: int


@dataclass
class Found:
    """What has been found of a file while it is read."""

    marked: bool = False
    """Whether a byte order mark says its encoding: its lines are UTF-8 then, whatever somebody says of the file."""


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


def read_lines(path: str, batch_size: int, found: Found | None = None) -> Iterator[tuple[int, list[bytes]]]:
    """Yield (number of the first line, from 1; up to batch_size lines without line ends), to the end of the file.

    STOP ends it before. found: told what is found.

    Compression is recognised by the first bytes, whatever the file's name. A byte order mark is dropped. A line longer
    than MAX_LINE_BYTES comes as a `LongLine`, its beginning. Raises SourceError where the file is no text, cannot be
    read, or only in part, after the whole lines of that part.
    """
    return lines_of(_blocks(path, found or Found()), batch_size)


def lines_of(blocks: Iterator[bytes], batch_size: int) -> Iterator[tuple[int, list[bytes]]]:
    """The lines of blocks, as `read_lines`; an empty block says that no more has come for a while."""
    first, pending = 1, []
    broken: SourceError | None = None
    try:
        for line in _lines(blocks):
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
    """What a file holds, unpacked, a block of about a megabyte at a time, in UTF-8 if a mark says how it is encoded;
    an empty one where no more has come for a while. STOP ends it. Raises SourceError."""
    return _blocks(path, Found())


def _lines(blocks: Iterator[bytes]) -> Iterator[bytes | None]:
    """Lines; None where no more have come for a while."""
    rest, skipped = b"", 0
    for block in blocks:
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


def _blocks(path: str, found: Found) -> Iterator[bytes]:
    """What is read, a block at a time; an empty one where no more has come for a while."""
    name = display_name(path)
    read = 0
    form: str | None = None
    try:
        with ExitStack() as stack:
            raw: IO[bytes] = sys.stdin.buffer if path == STDIN else stack.enter_context(open(path, "rb", _BLOCK))
            form = form_of(raw) if isinstance(raw, io.BufferedReader) else None
            if form is not None:
                blocks = unpacked(raw, form)
            else:
                blocks = _as_they_come(raw) if _comes_bit_by_bit(raw) else iter(lambda: raw.read(_BLOCK), b"")
            for block in _as_utf8(blocks, name, found):
                if STOP.is_set():
                    return
                read += len(block)
                yield block
    except BrokenError as error:
        raise SourceError(
            f"{name}: the {form} data is broken after {read:,} bytes of text ({error}); the whole lines before that "
            "were read"
        ) from error
    except OSError as error:
        raise SourceError(f"{name}: {error.strerror or error}") from error


def _as_utf8(blocks: Iterator[bytes], name: str, found: Found) -> Iterator[bytes]:
    """Blocks without a byte order mark, in UTF-8 where one says otherwise. Raises SourceError for what is no text."""
    first = b""
    for first in blocks:
        if first:
            break
        yield first
    mark, encoding = next((one for one in _MARKS if first.startswith(one[0])), (b"", ""))
    found.marked = bool(mark)
    if encoding in ("", "utf-8"):
        _require_text(first, name)
        yield first[len(mark) :]
        yield from blocks
        return
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    yield decoder.decode(first[len(mark) :]).encode()
    for block in blocks:
        yield decoder.decode(block).encode()
    yield decoder.decode(b"", True).encode()


def _require_text(first: bytes, name: str) -> None:
    for magic, what in _NO_TEXT:
        if first.startswith(magic):
            raise SourceError(f"{name}: this is no text, but {what}")
    if b"\0" in first[:_LOOKED_AT]:
        raise SourceError(f"{name}: this is no text: it has zero bytes (UTF-16 is read if it has a byte order mark)")


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
