"""What a text must contain for a regular expression to match in it: a cheap test before an expensive one. Pure.

A small reader of the syntax that data files of patterns use (groups, alternatives, classes, quantifiers, looks around),
in the manner of RE2's FilteredRE2: a part that matches few strings is expanded, and those that a match must contain are
kept as clauses. It never rejects a match: every match contains a piece of every clause.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

MOST = 200
"""Most strings into which a part of a pattern is expanded."""
LONGEST = 8
"""Most characters of a piece: longer ones do not exclude more texts."""

Clause = frozenset[str]
"""Pieces without white space; a match contains at least one of them."""


class Need(NamedTuple):
    """exact: all strings that a pattern matches; None: too many. clauses: what each match contains in that case."""

    exact: frozenset[str] | None
    clauses: tuple[Clause, ...] = ()


_LETTERS = re.compile(r"[^\\()\[\]{}|*+?.^$]+(?![*+?{])")
"""Letters that stand for themselves, none of which is repeated."""
_EMPTY = Need(frozenset([""]))
_ANY = Need(None)


def alternatives(pattern: str) -> list[str]:
    """The alternatives of a pattern: split at each `|` outside of groups."""
    found, start, at = list[str](), 0, 0
    while at < len(pattern):
        if pattern[at] == "|":
            found.append(pattern[start:at])
            start = at + 1
        at = _after(pattern, at)
    found.append(pattern[start:])
    if len(found) == 1 and pattern.startswith("(?:") and _after(pattern, 0) == len(pattern):
        return alternatives(pattern[3:-1])
    return [one for each in found for one in alternatives(each)] if len(found) > 1 else found


def clauses(pattern: str) -> tuple[Clause, ...]:
    """What every match of a pattern contains. Raises ValueError for syntax that is not supported."""
    found = _clauses(_need(pattern))
    return tuple(clause for clause in found if all(map(_tells, clause))) or found


@lru_cache(maxsize=256)
def _need(pattern: str) -> Need:
    branches = alternatives(pattern)
    if len(branches) == 1:
        return _sequence(branches[0])
    needs = [_need(branch) for branch in branches]
    exact = [need.exact for need in needs if need.exact is not None]
    if len(exact) == len(needs) and sum(map(len, exact)) <= MOST:
        return Need(frozenset().union(*exact))
    found = [_clauses(need) for need in needs]
    return Need(None, (_fewest(frozenset().union(*map(clearest, found))),)) if all(found) else _ANY


def _sequence(pattern: str) -> Need:
    """For a pattern without alternatives: runs that can be expanded, each a clause where something else separates
    them."""
    run, found, whole, at = frozenset([""]), list[Clause](), True, 0
    while at < len(pattern):
        letters = _LETTERS.match(pattern, at)
        if letters is not None:
            need, at = Need(frozenset([letters[0]])), letters.end()
        else:
            end = _after(pattern, at)
            need, at = _repeated(_atom(pattern[at:end]), pattern, end)
        if need.exact is not None and len(run) * len(need.exact) <= MOST:
            run = frozenset(before + after for before in run for after in need.exact)
            continue
        found += _clauses(Need(run))
        found += need.clauses
        run, whole = frozenset([""]) if need.exact is None else need.exact, False
    return Need(run) if whole else Need(None, (*found, *_clauses(Need(run))))


def _atom(atom: str) -> Need:
    first = atom[0]
    if first == "(":
        if atom.startswith(("(?!", "(?=", "(?<")):
            return _EMPTY
        if atom[1] == "?" and atom[2] != ":":
            raise ValueError(f"{atom}: write (?:...), (?!...) or (?=...)")
        return _need(atom[3:-1] if atom[1] == "?" else atom[1:-1])
    if first == "[":
        letters = atom[1:-1]
        return _ANY if letters[0] == "^" or "\\" in letters or "-" in letters[1:-1] else Need(frozenset(letters))
    if first == "\\":
        if atom[1] in "bB":
            return _EMPTY
        if atom[1].isalnum() and atom[1] not in "wWdDsS":
            raise ValueError(f"{atom} is not read; of letters behind a backslash, only b, w, d and s are")
        return _ANY if atom[1].isalnum() else Need(frozenset(atom[1]))
    if first in "*+?{":
        raise ValueError(f"{atom} has nothing in front that it repeats")
    if first in "^$":
        return _EMPTY
    return _ANY if first == "." else Need(frozenset(first))


def _repeated(need: Need, pattern: str, at: int) -> tuple[Need, int]:
    """What is required if a quantifier follows, and where the pattern continues."""
    mark = pattern[at : at + 1]
    if not mark or mark not in "?*+{":
        return need, at
    end = pattern.index("}", at) + 1 if mark == "{" else at + 1
    never = mark in "?*" or pattern[at:end].startswith(("{0", "{,"))
    if mark == "?" and need.exact is not None:
        found = Need(need.exact | {""})
    else:
        found = _ANY if never else Need(None, _clauses(need))
    return found, end + (pattern[end : end + 1] in ("?", "+"))


def _clauses(need: Need) -> tuple[Clause, ...]:
    if need.exact is None:
        return need.clauses
    words = [one.split() for one in need.exact]
    places = range(min(map(len, words)))
    found = [_fewest(frozenset(some[at][:LONGEST] for some in words)) for at in places]
    found += [_fewest(frozenset(some[-1 - at][:LONGEST] for some in words)) for at in places]
    return tuple(dict.fromkeys(found))


def clearest(some: tuple[Clause, ...]) -> Clause:
    """The clause that the fewest texts are likely to satisfy: of the longest pieces, and the fewest."""
    return max(some, key=lambda clause: (min(min(map(len, clause)), 5), -len(clause), sorted(clause)))


def _tells(piece: str) -> bool:
    """Whether it excludes many texts: two Latin letters such as "is" do not; Arabic ones do, as vowels are not
    written."""
    return len(piece) > (2 if piece.isascii() else 1)


def _fewest(pieces: Clause) -> Clause:
    """Without the pieces that contain another one."""
    return frozenset(one for one in pieces if not any(other in one and other != one for other in pieces))


def _after(pattern: str, at: int) -> int:
    """The end of the element that begins here: a character, an escape, a class or a group."""
    if pattern[at] == "\\":
        return at + 2
    if pattern[at] == "[":
        at += 2  # a "]" directly after "[" is a member of the class
        while pattern[at] != "]":
            at += 2 if pattern[at] == "\\" else 1
        return at + 1
    if pattern[at] != "(":
        return at + 1
    at += 1
    while pattern[at] != ")":
        at = _after(pattern, at)
    return at + 1
