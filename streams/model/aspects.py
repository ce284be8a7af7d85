"""Aspects of a company's own, and words for them: the lines of a model's aspects.csv.

A line names an aspect, new or one of Rihla's, and words of one language by which texts speak of it. Words are terms of
the lexicons (streams.text.lexicon): single words with any ending that the language has, `word*` for any ending at all,
`=word` for none, and phrases.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Final

from streams.model.vocabulary import ASPECT_PARENTS

LANGUAGES: Final = ("en", "ar", "id", "ms", "tr", "ur", "ur-Latn")
"""Languages whose texts are scored; Indonesian words count in Malay texts, too."""
_NAME = re.compile("[a-z][a-z0-9_]{0,63}")


class AspectError(ValueError):
    """A line makes no sense; the message names file, line and reason."""


@dataclass(frozen=True, slots=True)
class Aspect:
    """A line of aspects.csv."""

    name: str
    parent: str
    """The wider aspect that it is a part of, which a text about it is about, too; empty: none."""
    language: str
    """Of the words; empty: none are said, it is of touchpoints alone."""
    words: tuple[str, ...]
    doc: str


def load(path: Path) -> tuple[Aspect, ...]:
    """The lines of a file, in order. Raises AspectError, OSError."""
    columns = [field.name for field in fields(Aspect)]
    found: list[Aspect] = []
    known = dict(ASPECT_PARENTS)
    with path.open(encoding="utf-8-sig", newline="") as lines:
        rows = csv.DictReader(lines)
        if rows.fieldnames != columns:
            raise AspectError(f"{path.name}, line 1: must be {','.join(columns)}")
        for row in rows:
            where = f"{path.name}, line {rows.line_num}"
            if None in row or None in row.values():
                raise AspectError(f"{where}: {len(columns)} values are due")
            words = tuple(word.strip() for word in row["words"].split(";") if word.strip())
            one = Aspect(row["name"], row["parent"], row["language"], words, row["doc"])
            if problem := _problem(one, known):
                raise AspectError(f"{where}: {problem}")
            known.setdefault(one.name, one.parent or None)
            found.append(one)
    return tuple(found)


def _problem(one: Aspect, known: Mapping[str, str | None]) -> str | None:
    """What is wrong with a line, those before it being known: name -> parent. None: nothing."""
    if not _NAME.fullmatch(one.name):
        return f"name {one.name!r} is not of lower case letters, digits and _"
    if one.parent and one.name in known and known[one.name] != one.parent:
        return f"{one.name} has the parent {known[one.name] or 'none'} already"
    if one.parent and known.get(one.parent, one.parent) is not None:
        tops = ", ".join(name for name, parent in known.items() if parent is None)
        return f"parent {one.parent!r} is none of the aspects that have no parent themselves: {tops}"
    if one.language and one.language not in LANGUAGES:
        return f"language {one.language!r} is none of {', '.join(LANGUAGES)}"
    if bool(one.language) != bool(one.words):
        return "words (joined by ;) need their language, and a language its words"
    if short := next((word for word in one.words if len(word.strip("*=")) < 2), None):
        return f"{short!r} is too short to be looked for"
    if not one.doc:
        return f"{one.name} has no doc"
    return None


def parents(own: Sequence[Aspect]) -> Mapping[str, str | None]:
    """All aspects there are -> the wider one that each is a part of: Rihla's, then those of a model."""
    said = {one.name: one.parent or None for one in own if one.name not in ASPECT_PARENTS}
    return MappingProxyType({**ASPECT_PARENTS, **said})
