"""What the HTTP interface must know of a statement: does data follow it, does it give rows, in which format."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice

_TOKEN = re.compile(
    rb"""(?P<space>\s+|--[^\n]*|\#!?[ ][^\n]*|/\*.*?\*/)
       | (?P<quoted>'(?:\\.|''|[^'\\])*'|`(?:\\.|``|[^`\\])*`|"(?:\\.|""|[^"\\])*")
       | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
       | (?P<other>.)""",
    re.DOTALL | re.VERBOSE,
)
_FORMAT_NAME = re.compile(rb"\s+(\w+)[ \t\f]*;?[ \t\f]*\r?\n?")
_FORMAT_CLAUSE = re.compile(r"\bFORMAT\s+(\w+)\s*(?:SETTINGS\b[^']*)?;?\s*$", re.IGNORECASE)
_GIVES_ROWS = frozenset(
    {b"SELECT", b"WITH", b"FROM", b"(", b"SHOW", b"DESCRIBE", b"DESC", b"EXISTS", b"EXPLAIN", b"CHECK"}
)


@dataclass(frozen=True, slots=True)
class Insert:
    """An INSERT taken apart: `INSERT INTO ...`, its SETTINGS clause or nothing, the format, where the data begin."""

    target: str
    clause: str
    format: str
    data_from: int


def split_insert(text: bytes) -> Insert | None:
    """The parts of an INSERT whose data follow it, or None for any other statement (INSERT ... SELECT among them).

    Where the data begin is ClickHouse's own rule (ParserInsertQuery): behind the format's name and blanks, and one
    line end if there is one.
    """
    depth = 0
    clause_from: int | None = None
    before: bytes | None = None  # the word before, in capitals: a table may be called `format` or `values`
    for match in _TOKEN.finditer(text):
        if match["space"]:
            continue
        token = match.group().upper()
        if before is None and token != b"INSERT":
            return None
        depth += (token == b"(") - (token == b")")
        if depth == 0 and match["word"] and before not in (b"INTO", b"TABLE", b"."):
            split = match.start() if clause_from is None else clause_from
            if token in (b"SELECT", b"WITH", b"INFILE"):
                return None
            if token == b"SETTINGS":
                clause_from = match.start()
            if token == b"VALUES":
                return _insert(text, split, match.start(), "Values", match.end())
            if token == b"FORMAT" and (name := _FORMAT_NAME.match(text, match.end())):
                return _insert(text, split, match.start(), name[1].decode(), name.end())
        before = token
    return None


def _insert(text: bytes, split: int, end: int, fmt: str, data_from: int) -> Insert:
    # Names that are no UTF-8 name nothing: the engine then says so.
    return Insert(text[:split].decode(errors="replace"), text[split:end].decode(errors="replace"), fmt, data_from)


def gives_rows(text: bytes) -> bool:
    """Whether a statement answers with a result set (even an empty one), as against DDL or INSERT."""
    return first_word(text) in _GIVES_ROWS


def first_word(text: bytes) -> bytes:
    """The first token of a statement, in capitals; empty where there is none."""
    return next((match.group().upper() for match in _TOKEN.finditer(text) if not match["space"]), b"")


def first_words(text: bytes, number: int) -> list[bytes]:
    """The first tokens of a statement, in capitals."""
    return list(islice((match.group().upper() for match in _TOKEN.finditer(text) if not match["space"]), number))


def needs_session(text: bytes) -> bool:
    """Whether a statement does something to a session only: SET, USE, CREATE TEMPORARY TABLE."""
    words = first_words(text, 4)
    return words[:1] in ([b"SET"], [b"USE"]) or (words[:1] == [b"CREATE"] and b"TEMPORARY" in words)


def format_of(text: str, default: str) -> str:
    """The output format of a statement: its FORMAT clause, else `default`."""
    found = _FORMAT_CLAUSE.search(text)
    return found.group(1) if found else default
