"""Other spellings of the words of closed lists, and other forms of event ids. What would be a guess stays as it is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from typing import Any, NamedTuple

import polars as pl

from schemas.records import CHANNELS, inlined
from streams.model.catalogue import load
from streams.model.linked import LINKED
from streams.model.vocabulary import INSTRUMENTS, UUID
from streams.sources.countries import alpha_2_of
from streams.sources.event_ids import uuid5s

SOURCE_ID = "source_event_id"
"""Attribute that keeps an event id that was no UUID."""

LINK_CHANNEL = CHANNELS[0]
"""The channel whose topic takes identity.linked."""
_MOST = 10_000
"""Unknown touchpoints that are counted at once."""
_IS_UUID = re.compile(UUID)
_BLANK = r"^\s*$"
_ALPHA_2 = re.compile(r"[A-Z]{2}")
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
    lists = {"channel": CHANNELS, "medium": media(), "instrument": INSTRUMENTS, "touchpoint": (*load(), LINKED)}
    return {fold(word): word for word in lists[what]}


def word(what: str, text: str) -> str | None:
    """The word of a closed list (channel, medium, instrument, touchpoint) that a text spells; None if none."""
    return _words(what).get(fold(text))


def touchpoint(text: str) -> str:
    """A touchpoint of the catalogue, in whatever spelling; one that it does not know, as it is written."""
    return word("touchpoint", text) or text


def channel_of(touchpoint: str) -> str | None:
    """The channel that a touchpoint begins with; of links, which have none, that of bookings."""
    return LINK_CHANNEL if touchpoint == LINKED else word("channel", touchpoint.partition(".")[0])


def near(text: str, *, channel: bool = False) -> list[str]:
    """Up to three touchpoints of the catalogue that an unknown one may mean, with its channel or without: `No Show`.

    channel: only with it.
    """
    whole, bare = _words("touchpoint"), {} if channel else _bare()
    found = [whole[one] for one in get_close_matches(fold(text), whole, 3, 0.75)]
    found += [name for one in get_close_matches(fold(text), bare, 3, 0.75) for name in bare[one]]
    return list(dict.fromkeys(found))[:3]


@cache
def _bare() -> dict[str, list[str]]:
    """Touchpoints by what stands behind their channel."""
    found: dict[str, list[str]] = {}
    for name in load():
        found.setdefault(fold(name.partition(".")[2]), []).append(name)
    return found


class Unknown:
    """Touchpoints that the catalogue does not know, counted; the rarest are forgotten where there are very many."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def add(self, events: pl.DataFrame) -> None:
        """Count those of a batch of events."""
        for name, count in events["touchpoint"].value_counts().iter_rows():
            if name not in load() and name != LINKED:
                self.counts[name] += count
        if len(self.counts) > _MOST:
            self.counts = Counter(dict(self.counts.most_common(_MOST // 2)))

    def lines(self, most: int = 5) -> list[tuple[str, int, str]]:
        """(name, events, what it may mean) of the most frequent."""
        return [(name, count, " or ".join(near(name))) for name, count in self.counts.most_common(most)]


def country(text: str) -> str | None:
    """The two letters of a country, of which the file may have three; None for what is no code."""
    code = text.strip().upper()
    return code if _ALPHA_2.fullmatch(code) else alpha_2_of().get(code)


def respelled(frame: pl.DataFrame, unread: Counter[str] | None = None) -> pl.DataFrame:
    """Events of a channel, in the frame form of its schema, with touchpoints, countries and currencies as they are
    written here, and with nothing in optional fields that hold an empty text.

    A country that is no code becomes the attribute country.unread, and is counted in unread.
    """
    optional = [name for name in frame.columns if frame.schema[name] == pl.String and name not in _NEEDED]
    empty = [
        pl.when(~pl.col(name).str.contains(_BLANK)).then(pl.col(name)).alias(name)
        for name in optional
        if frame[name].str.contains(_BLANK).any()
    ]
    changed = [*empty]
    names = frame["touchpoint"].unique()
    others = {name: said for name in names if (said := touchpoint(name)) != name}
    if others:
        changed.append(pl.col("touchpoint").replace(others))
    frame = frame.with_columns(changed) if changed else frame
    if frame["country"].null_count() < frame.height:
        frame = _countries(frame, unread)
    if frame["money"].null_count() < frame.height:
        currency = _upper(pl.col("money").struct.field("currency"), r"^[A-Za-z]{3}$")
        frame = frame.with_columns(pl.col("money").struct.with_fields(currency))
    return frame


def _countries(frame: pl.DataFrame, unread: Counter[str] | None) -> pl.DataFrame:
    codes = {text: country(text) for text in frame["country"].drop_nulls().unique()}
    lost = pl.col("country").is_in([text for text, code in codes.items() if code is None]).fill_null(False)
    kept = pl.struct(pl.lit("country.unread").alias("key"), pl.col("country").alias("value"))
    if None in codes.values():
        if unread is not None:
            unread["country"] += int(frame.select(lost.sum()).item())
        every = pl.concat_list(pl.col("attributes"), kept)
        frame = frame.with_columns(pl.when(lost).then(every).otherwise(pl.col("attributes")).alias("attributes"))
    return frame.with_columns(pl.col("country").replace_strict(codes, default=None, return_dtype=pl.String))


_NEEDED = ("event_id", "touchpoint", "medium")


def _upper(code: pl.Expr, form: str) -> pl.Expr:
    return pl.when(code.str.contains(form)).then(code.str.to_uppercase()).otherwise(code)


class Attribute(NamedTuple):
    """An attribute of an event."""

    key: str
    value: str


def give_uuids(rows: Iterable[Any], source: str) -> None:
    """Give those rows of events a UUID (of version 5, of the source's name and their id) whose id is none; what it was
    becomes an attribute. An empty id stays."""
    named = [row for row in rows if not _IS_UUID.match(row.event_id) and row.event_id.strip()]
    for row, made in zip(named, uuid5s(source, [row.event_id for row in named]), strict=True):
        row.attributes = [*(row.attributes or ()), Attribute(SOURCE_ID, row.event_id)]
        row.event_id = made


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
