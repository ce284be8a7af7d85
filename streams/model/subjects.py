"""Identity in columns: the subjects and links of a batch of events.

A batch is a frame with `ids` (List of Struct{kind, value}), `booking_ref` (String or null) and, for links,
`occurred_at` (Int64, epoch milliseconds). What an event links (docs/identity-and-journeys.md):

- its subject with each other identifier that it names;
- its subject with `booking_ref:REF`, if it names somebody and a booking: a candidate for the booking's lead;
- nothing at all, if it names a group and nobody;
- `booking_ref:REF` with itself, if it names a booking and nobody: a mention, so that the booking's owner is published.

Where no event of a batch names several identifiers, nothing is sorted. Few events are taken one by one.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import polars as pl

from streams.model.identifiers import (
    BOOKING_PREFIX,
    BUILT_IN,
    GROUP,
    GROUP_PREFIX,
    UNKNOWN_RANK,
    Kinds,
    booking_subject,
    names_group,
)

LINK_SCHEMA = {"subject": pl.String, "identifier": pl.String, "occurred_at": pl.Int64}
"""Columns of a frame of links."""

FEW = 100
"""Up to this many events are taken one by one: queries cost a millisecond or more, however few the events are."""

_BOOKING = pl.concat_str(pl.lit(BOOKING_PREFIX), pl.col("booking_ref"))
_ROW = pl.int_range(pl.len(), dtype=pl.UInt32).alias("row")
_IDENTIFIER = pl.concat_str(pl.col("ids").struct.field("kind"), pl.lit(":"), pl.col("ids").struct.field("value"))
_NAMED = pl.when(~_IDENTIFIER.str.starts_with(BOOKING_PREFIX)).then(_IDENTIFIER).alias("identifier")


@cache
def _rank(kinds: Kinds) -> pl.Expr:
    rank = pl.lit(UNKNOWN_RANK, pl.UInt8)
    ranks = {kind: place for place, kind in enumerate(kinds.names)} | {GROUP: UNKNOWN_RANK + 1}
    for kind, place in ranks.items():
        named = pl.col("identifier").str.starts_with(f"{kind}:")
        rank = pl.when(named).then(pl.lit(place, pl.UInt8)).otherwise(rank)
    last = pl.lit(UNKNOWN_RANK + 2, pl.UInt8)  # names a booking, so it is none: after a group, too
    return pl.when(pl.col("identifier").is_null()).then(last).otherwise(rank).alias("rank")


_BOOKING_LINKS = (pl.col("subject"), _BOOKING.alias("identifier"), pl.col("occurred_at"))
_OF_TWO = (pl.col("subject") != pl.col("identifier")) & ~pl.col("identifier").str.starts_with(GROUP_PREFIX)
_OF_NO_GROUP = ~pl.col("subject").str.starts_with(GROUP_PREFIX)
_EARLIEST = pl.col("occurred_at").min()


def subjects(events: pl.DataFrame, kinds: Kinds = BUILT_IN) -> pl.Series:
    """The subject of each event, `kind:value`: its strongest identifier, else `booking_ref:REF`, else null."""
    timeless = events.select("ids", "booking_ref", pl.lit(0, pl.Int64).alias("occurred_at"))
    return subjects_and_links(timeless, kinds)[0]


def keys_of(subjects: pl.Series) -> list[bytes]:
    """Subjects as keys of records."""
    return subjects.cast(pl.Binary).to_list()


def subjects_and_links(events: pl.DataFrame, kinds: Kinds = BUILT_IN) -> tuple[pl.Series, pl.DataFrame]:
    """The subject of each event (a Series named `subject`), and the distinct links that the events make.

    Links are (subject, identifier, occurred_at), the earliest time of each pair in this batch, in no order.
    """
    return one_by_one(events, kinds) if events.height <= FEW else in_columns(events, kinds)


def in_columns(events: pl.DataFrame, kinds: Kinds = BUILT_IN) -> tuple[pl.Series, pl.DataFrame]:
    """What `subjects_and_links` says, by queries; for many events."""
    # Each identifier with its row; an event without any has one row, of null, as has one that names a booking.
    identifiers = events.select(_ROW, "ids").explode("ids", empty_as_null=True).select("row", _NAMED)
    several = identifiers.height > events.height
    first = np.ones(identifiers.height, dtype=np.bool_)
    if several:
        identifiers = identifiers.with_columns(_rank(kinds)).sort("row", "rank", "identifier", nulls_last=True)
        rows = identifiers["row"].to_numpy()
        first[1:] = rows[1:] != rows[:-1]
    strongest = identifiers["identifier"].filter(pl.Series(first))
    keyed = events.select(pl.coalesce(strongest, _BOOKING).alias("subject"), "booking_ref", "occurred_at")
    links = keyed.select(_BOOKING_LINKS).drop_nulls("identifier").filter(_OF_NO_GROUP)
    if several:
        others = identifiers["identifier"].filter(pl.Series(~first))
        pairs = keyed[rows[~first]].select("subject", others, "occurred_at")
        links = pl.concat([links, pairs.filter(_OF_TWO)])
    return keyed["subject"], links.group_by("subject", "identifier").agg(_EARLIEST)


def one_by_one(events: pl.DataFrame, kinds: Kinds = BUILT_IN) -> tuple[pl.Series, pl.DataFrame]:
    """What `subjects_and_links` says, without a query; for few events."""
    subjects: list[str | None] = []
    earliest: dict[tuple[str, str], int] = {}
    columns = [events[name].to_list() for name in ("ids", "booking_ref", "occurred_at")]
    for ids, booking_ref, at in zip(*columns, strict=True):
        identifiers = kinds.named([(one["kind"], one["value"]) for one in ids or ()])
        linked = identifiers[1:]
        if booking_ref is not None and not (identifiers and names_group(identifiers[0])):
            linked.append(booking_subject(booking_ref))
        named_first = identifiers or linked
        subjects.append(named_first[0] if named_first else None)
        for identifier in linked:
            link = named_first[0], identifier
            earliest[link] = min(at, earliest.get(link, at))
    links = pl.DataFrame([(*link, at) for link, at in earliest.items()], LINK_SCHEMA, orient="row")
    return pl.Series("subject", subjects, pl.String), links
