"""Where in the text of a TOML file something stands, so that a message can name its line. Pure."""

from __future__ import annotations

import re

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\]\s]+)\s*\]")


def line_of(text: str, table: str | None = None, number: int = 0, key: str | None = None) -> int:
    """The line, from 1, of a key, else of its table, else 1.

    table: its name in brackets; None: before all tables. number: which of several `[[table]]`, from 0.
    """
    found, inside, seen = 1, table is None, -1
    wanted = None if key is None else re.compile(rf"\s*\"?{re.escape(key)}\"?\s*[.=]")
    for place, line in enumerate(text.splitlines(), 1):
        header = _HEADER.match(line)
        if header:
            if inside:
                break
            if header[2].strip('"') == table:
                seen += 1
                inside = seen == number
                found = place if inside else found
        elif inside and wanted is not None and wanted.match(line):
            return place
    return found
