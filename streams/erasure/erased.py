"""The erasures that a worker knows, and which events they make it refuse. Pure.

An event is refused when the identifier that it would be stored under, its subject, was erased. If another of its
identifiers was erased, that one is removed and the event goes on, because it is somebody else's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import polars as pl

from streams.erasure.key import fingerprint, key_id
from streams.errors import RihlaError
from streams.model.identifiers import BUILT_IN, CUSTOMER, Kinds
from streams.model.subjects import subjects

FOR_EVER = (1 << 63) - 1


class Erasure(NamedTuple):
    """One record of erasure.avsc."""

    fingerprint: str
    key_id: str
    refused_until: int | None
    """Epoch milliseconds; None: for ever."""


class OtherKeyError(RihlaError):
    """Erasures were made with a key that this worker does not have, so it cannot recognise erased people."""


class Erased:
    """The set of all erasures. key: None where none is set; then `add` raises OtherKeyError. kinds: of identifiers, by
    which the subject of an event is known."""

    def __init__(self, key: bytes | None = None, kinds: Kinds = BUILT_IN) -> None:
        self._key, self._kinds = key, kinds
        self._until: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._until)

    def add(self, erasures: Iterable[Erasure]) -> None:
        """Add erasures; the last one of an identifier counts."""
        for one in erasures:
            if self._key is None or one.key_id != key_id(self._key):
                raise OtherKeyError(
                    f"people were erased under the key {one.key_id}, which is not "
                    + ("set here" if self._key is None else "the one set here"),
                    "set RIHLA_ERASURE_KEY to the same secret everywhere",
                )
            self._until[one.fingerprint] = FOR_EVER if one.refused_until is None else one.refused_until

    def until(self, identifier: str) -> int | None:
        """The time (epoch ms) up to which events of an identifier are refused; None if it was not erased."""
        if self._key is None or not self._until:
            return None
        return self._until.get(fingerprint(identifier, self._key))

    def fingerprints(self) -> set[str]:
        """Those of everybody who was erased."""
        return set(self._until)

    def fingerprint_of(self, identifier: str) -> str | None:
        """The fingerprint that an erasure of an identifier has here; None where no key is set."""
        return None if self._key is None else fingerprint(identifier, self._key)

    def any_of(self, identifiers: Iterable[bytes]) -> bool:
        """Whether one of these identifiers, in UTF-8, was erased, whatever the time."""
        return any(self.until(identifier.decode()) is not None for identifier in identifiers)

    def for_ever(self, identifier: str) -> bool:
        """Whether every event of this identifier is refused, whatever its time."""
        return self.until(identifier) == FOR_EVER

    def customer_for_ever(self, customer_id: str) -> bool:
        """`for_ever` of the identifier that a customer_id stands for."""
        return self.for_ever(f"{CUSTOMER}:{customer_id}") or self.for_ever(customer_id)

    def refused(self, identifiers: pl.Series, times: pl.Series) -> pl.Series:
        """Row by row, whether an event of this identifier at this time (epoch ms) is refused; nulls are not."""
        known = self._known(identifiers.unique().drop_nulls().to_list())
        if not known:
            return pl.repeat(False, len(identifiers), dtype=pl.Boolean, eager=True)
        until = identifiers.replace_strict(list(known), list(known.values()), default=None, return_dtype=pl.Int64)
        return (times <= until).fill_null(False)

    def events(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series] | None:
        """The events of a batch that are not refused.

        frame: events with ids, booking_ref and occurred_at, of any channel.
        Returns the events that are accepted, without erased identifiers, and row by row whether it is one of them; None
        if all are accepted as they are.
        """
        if not self._until or frame.height == 0:
            return None
        names = subjects(frame, self._kinds)
        refused = self.refused(names, frame["occurred_at"])
        stripped = self._stripped(frame)
        if stripped is None and not refused.any():
            return None
        kept = (frame if stripped is None else stripped).filter(~refused)
        return kept, ~refused

    def _stripped(self, frame: pl.DataFrame) -> pl.DataFrame | None:
        """The events without erased identifiers; None where there are none."""
        row, name = "_row", "_name"
        named = (
            frame.select(pl.int_range(pl.len()).alias(row), "ids", "occurred_at")
            .filter(pl.col("ids").list.len() > 1)
            .explode("ids")
        )
        parts = (pl.col("ids").struct.field(field) for field in ("kind", "value"))
        refused = self.refused(named.select(pl.format("{}:{}", *parts)).to_series(), named["occurred_at"])
        if not refused.any():
            return None
        touched = named.filter(refused)[row].unique()
        kept = (
            named.with_columns(refused.alias(name))
            .filter(pl.col(row).is_in(touched.implode()))
            .group_by(row, maintain_order=True)
            .agg(_ids=pl.col("ids").filter(~pl.col(name)))
        )
        return (
            frame.with_row_index(row)
            .with_columns(pl.col(row).cast(pl.Int64))
            .join(kept, on=row, how="left", maintain_order="left")
            .with_columns(pl.coalesce("_ids", "ids").alias("ids"))
            .select(frame.columns)
        )

    def _known(self, identifiers: Sequence[str]) -> dict[str, int]:
        """Those of some identifiers that were erased, and until when."""
        if not self._until:
            return {}
        found = ((identifier, self.until(identifier)) for identifier in identifiers)
        return {identifier: until for identifier, until in found if until is not None}
