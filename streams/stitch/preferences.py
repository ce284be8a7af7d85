"""Finds a customer's preferences in interactions: applies the rules of preferences.csv to the columns of a batch.

A row of the file is a rule: where to look (source), what to look for, and what it means.

- attribute: an attribute with this name; with `match`, only where its value is that (capitals do not count).
- field: a field of the interaction that is not null.
- touchpoint: that this happened.

`value` is what is then known under `key`; `*` is the attribute's or field's own value (attributes in small letters),
and `language` is the language of a locale. An interaction says one thing at most under each key: the first rule that
holds wins, so that what somebody said counts more than what they did.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import polars as pl

from streams.model.preferences import Preference, load

Stated = tuple[tuple[str, str], ...]
"""(key, value) pairs."""
LANGUAGE = re.compile("[A-Za-z]{2,3}")
"""The language of a BCP 47 tag."""


class Preferences:
    """Finds what a batch says of preferences."""

    def __init__(self, rules: Iterable[Preference] | None = None) -> None:
        """rules: in order; those that come with Rihla by default."""
        self._fields: list[Preference] = []
        self._touchpoints: dict[str, Stated] = {}
        self._attributes: dict[str, list[tuple[int, Preference]]] = {}
        for rank, rule in enumerate(load() if rules is None else rules):
            if rule.source == "field":
                self._fields.append(rule)
            elif rule.source == "touchpoint":
                known = self._touchpoints.get(rule.name, ())
                if all(key != rule.key for key, _ in known):
                    self._touchpoints[rule.name] = (*known, (rule.key, rule.value))
            else:
                self._attributes.setdefault(rule.name, []).append((rank, rule))

    def stated(self, frame: pl.DataFrame) -> list[Stated]:
        """The (key, value) pairs that each interaction states, each key once.

        Args:
            frame: with touchpoint, attributes and the fields of the rules, in frame form.
        """
        touchpoints = self._touchpoints
        found = [touchpoints.get(name, ()) for name in frame["touchpoint"].to_list()]
        for rule in self._fields:
            values = frame[rule.name].to_list()
            meant = {value: _meant(rule, value) for value in set(values) if value is not None}
            if meant:
                meant[None] = ()
                found = [meant[value] + one for value, one in zip(values, found, strict=True)]
        for (row, key), (_, value) in self._said(frame).items():
            found[row] = ((key, value), *(pair for pair in found[row] if pair[0] != key))
        return found

    def _said(self, frame: pl.DataFrame) -> dict[tuple[int, str], tuple[int, str]]:
        """(row, key) -> (rank of the rule, value), from attributes."""
        said: dict[tuple[int, str], tuple[int, str]] = {}
        attributes = frame["attributes"].to_arrow()
        sizes = attributes.value_lengths().to_numpy()
        if not sizes.any():
            return said
        keys, values = (part.to_pylist() for part in attributes.flatten().flatten())
        rows = np.repeat(np.arange(len(sizes)), sizes).tolist()
        given = [each for each in zip(rows, keys, values, strict=True) if each[1] in self._attributes]
        if not given:
            return said
        plain = pl.Series([value for _, _, value in given], dtype=pl.String).str.strip_chars().str.to_lowercase()
        for (row, name, _), value in zip(given, plain.to_list(), strict=True):
            for rank, rule in self._attributes[name]:
                if value and rule.match.lower() in ("", value):
                    meant = (rank, value if rule.value == "*" else rule.value)
                    known = said.get((row, rule.key))
                    if known is None or meant[0] < known[0]:
                        said[row, rule.key] = meant
        return said


def _meant(rule: Preference, value: str) -> Stated:
    """What a field's value says by its rule."""
    if rule.value == "language":
        language = LANGUAGE.match(value)
        return () if language is None else ((rule.key, language[0].lower()),)
    return ((rule.key, value),)
