"""Where in a file of routes a mistake is: the path of keys to it, and the line. Pure."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from streams.deliver.model import AnyTarget, Unit


class Mistake(Exception):
    """An error, and the path of keys to it."""

    def __init__(self, path: tuple[str | int, ...], problem: str) -> None:
        super().__init__(problem)
        self.path, self.problem = path, problem


def of_msgspec(message: str, tree: dict[str, Any]) -> Mistake:
    """msgspec's message in our words, and the path at its end, which does not say which entry of a table by name it
    is."""
    for group, kind in (("targets", AnyTarget), ("units", Unit)):
        tables = tree.get(group, {})
        for name, table in tables.items() if f"$.{group}[...]" in message and isinstance(tables, dict) else ():
            try:
                msgspec.convert(table, kind)
            except msgspec.ValidationError as error:
                inner = of_msgspec(str(error), {})
                return Mistake((group, name, *inner.path), inner.problem)
    said, _, at = message.partition(" - at `")
    path: list[str | int] = []
    for name, number in re.findall(r"\.([\w-]+)|\[(\d+|\.\.\.)\]", at.rstrip("`")):
        path.append(name if name else int(number) if number.isdigit() else "...")
    unknown = re.search(r"unknown field `(.+)`", said)
    if unknown:
        return Mistake((*path, unknown[1]), "there is no such key here")
    return Mistake(tuple(path), said[:1].lower() + said[1:])


def line_of(text: str, path: tuple[str | int, ...]) -> int:
    """The line (from 1) of a file to which a path of keys leads, or that of the nearest table around it."""
    best, depth = 1, 0
    here: list[str | int] = []
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.fullmatch(r"\s*\[(\[?)\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?", line):
            parts = [part.strip().strip("\"'") for part in header[2].split(".")]
            here = list(parts)
            if header[1]:
                counts[header[2]] = counts.get(header[2], -1) + 1
                here.append(counts[header[2]])
            found: list[str | int] = here
        elif key := re.match(r"\s*([\w\"'.-]+)\s*=", line):
            found = [*here, *(part.strip("\"'") for part in key[1].split("."))]
        else:
            continue
        same = 0
        for mine, theirs in zip(found, path, strict=False):
            if mine != theirs and theirs != "...":
                break
            same += 1
        if same > depth and same == min(len(found), len(path)):
            best, depth = number, same
    return best
