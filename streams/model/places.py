"""Where in the text of a TOML file something stands, so that a message can name its line. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

ANY = "..."
"""Some entry of a table: msgspec does not say which."""

_HEADER = re.compile(r"\s*\[(\[?)\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?")
_KEY = re.compile(r"""\s*((?:"[^"]*"|'[^']*'|[\w.-]|\s*\.\s*)+?)\s*=""")
_PART = re.compile(r"""["']([^"']*)["']|([^\s.]+)""")


def line_of(text: str, path: Sequence[str | int | None]) -> int:
    """The line, from 1, to which a path of keys leads, or that of the nearest table around it.

    path: keys, and numbers from 0 in lists of tables, as `("kind", 2, "name")`; None is left out.
    """
    path = [step for step in path if step is not None]
    best, depth = 1, 0
    here: list[str | int] = []
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.fullmatch(line):
            here = [*_parts(header[2])]
            if header[1]:
                counts[header[2]] = counts.get(header[2], -1) + 1
                here.append(counts[header[2]])
            found: list[str | int] = here
        elif key := _KEY.match(line):
            found = [*here, *_parts(key[1])]
        else:
            continue
        same = 0
        for mine, theirs in zip(found, path, strict=False):
            if mine != theirs and theirs != ANY:
                break
            same += 1
        if same > depth and same == min(len(found), len(path)):
            best, depth = number, same
    return best


def _parts(dotted: str) -> list[str]:
    return [quoted or bare for quoted, bare in _PART.findall(dotted)]


def steps(at: str) -> list[str | int]:
    """A path as msgspec writes it, `$.zones[...].name`: keys, numbers, ANY."""
    found = re.findall(r"\.([\w-]+)|\[(\d+|\.\.\.)\]", at)
    return [name if name else int(number) if number.isdigit() else ANY for name, number in found]
