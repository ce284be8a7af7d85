"""Customers whose records stitch could not all process: changes of their roots, and parts.

Such a record became a dead letter, and its topic is not replayed: it comes again with the next change of the same
subject, or with `rihla restore`. Until then rows of the customers that it concerns may be anything, and are not judged.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import polars as pl

from streams.model.identifiers import CUSTOMER
from streams.verify.identity import Link


def concerned(names: Collection[str], links: Iterable[Link], identities: pl.DataFrame) -> set[str]:
    """The customer_ids of whom such records may speak.

    names: subjects (`kind:value`) of the records. links: all that events make. identities: the table that they make:
    `kind`, `value`, `customer_id`.

    That is everybody who is, or may have been, one with a subject: who is one with it or with what it is linked with.
    """
    near = set(names)
    for subject, identifier, _ in links:
        if subject in names or identifier in names:
            near |= {subject, identifier}
    named = identities.select(pl.format("{}:{}", "kind", "value").alias("name"), "customer_id")
    ids = set(named.filter(pl.col("name").is_in(list(near)))["customer_id"])
    members = named.filter(pl.col("customer_id").is_in(list(ids)))["name"].to_list()
    return ids | {_customer_id(name) for name in (*near, *members)}


def without(
    customers: Collection[str], expected: pl.DataFrame, found: pl.DataFrame, key: Sequence[str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Both without the rows that are of one of these customers on either side."""
    theirs = pl.col("customer_id").is_in(list(customers))
    rows = pl.concat([frame.filter(theirs).select(key) for frame in (expected, found)]).unique()
    return tuple(frame.join(rows, on=list(key), how="anti") for frame in (expected, found))  # type: ignore[return-value]


def _customer_id(name: str) -> str:
    kind, _, value = name.partition(":")
    return value if kind == CUSTOMER else name
