"""Words of the closed lists in other spellings, and event ids of other forms. What would be a guess stays as it is."""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import cache

import polars as pl

from schemas.records import CHANNELS, inlined
from streams.model.catalogue import load
from streams.model.vocabulary import INSTRUMENTS, UUID
from streams.sources.event_ids import uuid5s

SOURCE_ID = "source_event_id"
"""Attribute that keeps an event id that was no UUID."""

_JOINED = re.compile(r"[^a-z0-9]+")


def fold(word: str) -> str:
    """A word without case and separators: `Check-In`, `check in` and `CHECK_IN` are one."""
    return _JOINED.sub("_", word.strip().lower()).strip("_")


@cache
def media() -> tuple[str, ...]:
    """The words of the field medium."""
    [field] = [field for field in inlined(CHANNELS[0])["fields"] if field["name"] == "medium"]
    return tuple(field["type"]["symbols"])


@cache
def _words(what: str) -> dict[str, str]:
    lists = {"channel": CHANNELS, "medium": media(), "instrument": INSTRUMENTS, "touchpoint": tuple(load())}
    return {fold(word): word for word in lists[what]}


def word(what: str, text: str) -> str | None:
    """The word of a closed list (channel, medium, instrument, touchpoint) that a text spells; None if none."""
    return _words(what).get(fold(text))


def touchpoint(text: str) -> str:
    """A touchpoint of the catalogue, in whatever spelling; one that it does not know, as it is written."""
    return word("touchpoint", text) or text


def near(text: str) -> list[str]:
    """Up to three touchpoints of the catalogue that an unknown one may mean."""
    names = _words("touchpoint")
    return [names[one] for one in get_close_matches(fold(text), names, 3, 0.6)]


def source_ids(ids: pl.Series, source: str) -> tuple[pl.Series, pl.Series]:
    """Event ids as UUIDs, and what they were: (id, original, null where the id was a UUID already or there was none).

    What is no UUID becomes one of version 5, of the source's name and the id.
    """
    other = (~ids.str.contains(UUID)).fill_null(False)
    if not other.any():
        return ids, pl.Series("original", [None] * len(ids), dtype=pl.String)
    originals = ids.set(~other, None)
    named = uuid5s(source, originals.fill_null("").to_list())
    return ids.zip_with(~other, named), originals
