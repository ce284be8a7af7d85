"""Where in a file of routes a mistake is: the path of keys to it, and the line. Pure."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from streams.deliver.model import AnyTarget, Unit
from streams.model.places import steps


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
    path = steps(at.rstrip("`"))
    unknown = re.search(r"unknown field `(.+)`", said)
    if unknown:
        return Mistake((*path, unknown[1]), "there is no such key here")
    return Mistake(tuple(path), said[:1].lower() + said[1:])
