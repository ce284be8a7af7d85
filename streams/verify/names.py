"""Subjects and links of a log of interactions, from the identifiers that its events carry, one event after another.

Events that name the same identifiers and the same booking make the same links, so one of them is enough, at the
earliest time: a customer has many events and few combinations of names.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from streams.model.identifiers import BUILT_IN, Kinds
from streams.verify.identity import Link, links_of

_NAMES = ["_names", "booking_ref"]


class Names:
    """The ways of naming a customer that occur in a log, each with its earliest time."""

    def __init__(self, log: pl.DataFrame, kinds: Kinds = BUILT_IN) -> None:
        """log: interactions, of their frame form `ids`, `booking_ref`, `occurred_at`; no row lacks both names."""
        self._kinds = kinds
        self._ways = (
            log.lazy()
            .select(_names(), "booking_ref", "occurred_at")
            .group_by(_NAMES)
            .agg(pl.col("occurred_at").min())
            .collect()
        )

    def _rows(self) -> Iterator[tuple[list[tuple[str, str]], str | None, int]]:
        for names, booking_ref, occurred_at in self._ways.iter_rows():
            yield [_pair(name) for name in names], booking_ref, occurred_at

    def links(self, bookings: bool = False) -> Iterator[Link]:
        """The links that the events make.

        bookings: also those to bookings that no event without a name mentions; they join no identifiers.
        """
        mentioned = {booking_ref for ids, booking_ref, _ in self._rows() if not self._kinds.named(ids)}
        for ids, booking_ref, occurred_at in self._rows():
            asked = bookings or booking_ref in mentioned
            yield from links_of(ids, booking_ref if asked else None, occurred_at, self._kinds)

    def with_subjects(self, log: pl.DataFrame) -> pl.DataFrame:
        """The log with each event's subject, `kind:value`, whatever its column `subject` said before."""
        subjects = [self._kinds.subject_of(ids, booking_ref) for ids, booking_ref, _ in self._rows()]
        named = self._ways.select(*_NAMES, subject=pl.Series(subjects, dtype=pl.String))
        return (
            log.drop("subject", strict=False)
            .with_columns(_names())
            .join(named, on=_NAMES, how="left", nulls_equal=True, maintain_order="left")
            .drop("_names")
        )


def _names() -> pl.Expr:
    """The event's identifiers as a list of `kind:value`."""
    kind, value = pl.element().struct.field("kind"), pl.element().struct.field("value")
    return pl.col("ids").list.eval(pl.concat_str(kind, pl.lit(":"), value)).alias("_names")


def _pair(name: str) -> tuple[str, str]:
    kind, _, value = name.partition(":")
    return kind, value
