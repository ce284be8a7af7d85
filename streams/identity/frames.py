"""Identity in columns: the subjects and links of a batch of events, and the records of what the graph says.

A batch is a frame with `ids` (List of Struct{kind, value}), `booking_ref` (String or null) and, for links,
`occurred_at` (Int64, epoch milliseconds). What an event links (docs/identity-and-journeys.md):

- its subject with each other identifier that it names;
- its subject with `booking_ref:REF`, if it names somebody and a booking: a candidate for the booking's lead;
- `booking_ref:REF` with itself, if it names a booking and nobody: a mention, so that the booking's owner is published.

Almost every event has one identifier: those take no sort and no grouping.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from streams.identity.graph import Change
from streams.identity.identifiers import BOOKING_REF, CUSTOMER, KINDS, UNKNOWN_RANK

LINK_SCHEMA = {"subject": pl.String, "identifier": pl.String, "occurred_at": pl.Int64}
"""Columns of a frame of links."""

_ROW = "_row"
_RANK = (
    pl.col("identifier")
    .str.extract(r"^([^:]*)")
    .replace_strict(list(KINDS), list(range(len(KINDS))), default=UNKNOWN_RANK, return_dtype=pl.UInt8)
)
_BOOKING = pl.concat_str(pl.lit(f"{BOOKING_REF}:"), pl.col("booking_ref"))


def _identifiers(events: pl.DataFrame) -> pl.DataFrame:
    """(row, identifier) of every identifier that the events name, in row order; a row's may repeat."""
    exploded = (
        events.select(pl.int_range(pl.len(), dtype=pl.UInt32).alias(_ROW), "ids")
        .filter(pl.col("ids").list.len() > 0)
        .explode("ids")
    )
    identifier = pl.concat_str(pl.col("ids").struct.field("kind"), pl.lit(":"), pl.col("ids").struct.field("value"))
    return exploded.select(_ROW, identifier.alias("identifier")).filter(
        ~pl.col("identifier").str.starts_with(f"{BOOKING_REF}:")
    )


def _ranked(identifiers: pl.DataFrame) -> pl.DataFrame:
    """The distinct identifiers of each row that names several, strongest first: (row, identifier, first)."""
    several = identifiers.filter(pl.col(_ROW).is_duplicated()).with_columns(_RANK.alias("_rank"))
    return (
        several.unique([_ROW, "identifier"])
        .sort(_ROW, "_rank", "identifier")
        .select(_ROW, "identifier", pl.col(_ROW).is_first_distinct().alias("first"))
    )


def subjects(events: pl.DataFrame) -> pl.Series:
    """The subject of each event, `kind:value`: its strongest identifier, else `booking_ref:REF`, else null."""
    return subjects_and_links(events.select("ids", "booking_ref", pl.lit(0, pl.Int64).alias("occurred_at")))[0]


def subjects_and_links(events: pl.DataFrame) -> tuple[pl.Series, pl.DataFrame]:
    """The subject of each event (a Series named `subject`), and the distinct links that the events make.

    Links are (subject, identifier, occurred_at), the earliest time of each pair in this batch, in no order.
    """
    identifiers = _identifiers(events)
    ranked = _ranked(identifiers)
    single = identifiers.filter(pl.col(_ROW).is_unique())
    strongest = pl.concat([single, ranked.filter("first").drop("first")])
    keyed = (
        events.select(pl.int_range(pl.len(), dtype=pl.UInt32).alias(_ROW), "booking_ref", "occurred_at")
        .join(strongest.rename({"identifier": "named"}), on=_ROW, how="left", maintain_order="left")
        .with_columns(pl.coalesce("named", _BOOKING).alias("subject"))
    )
    pairs = ranked.filter(~pl.col("first")).join(keyed.select(_ROW, "subject", "occurred_at"), on=_ROW)
    bookings = keyed.filter(pl.col("booking_ref").is_not_null()).select(
        "subject", _BOOKING.alias("identifier"), "occurred_at"
    )
    links = pl.concat([pairs.select("subject", "identifier", "occurred_at"), bookings])
    return keyed["subject"], links.group_by("subject", "identifier").agg(pl.col("occurred_at").min())


def identities(changes: Sequence[Change], version: int) -> pl.DataFrame:
    """Changes of the graph as rows of identity.avsc, in order, all of one version."""
    frame = pl.DataFrame(
        changes, schema={"identifier": pl.String, "root": pl.String, "shared": pl.Boolean}, orient="row"
    )
    name, root = pl.col("identifier"), pl.col("root")
    kind = name.str.extract(r"^([^:]*)")
    customer = f"{CUSTOMER}:"
    return frame.select(
        kind.alias("kind"),
        name.str.slice(kind.str.len_chars() + 1).alias("value"),
        root,
        pl.when(root.str.starts_with(customer))
        .then(root.str.slice(len(customer)))
        .otherwise(root)
        .alias("customer_id"),
        "shared",
        pl.lit(version, pl.Int64).alias("version"),
    )
