"""Enrich's rules for the feeders of files: they report what would be refused while file and line are still known."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from streams.enrich.clean import clean
from streams.enrich.validate import refusals
from streams.model.dead_letter import TOO_LONG
from streams.model.normal import Nobody, normal, normal_pair, secrets
from streams.sources.events import Refusal

FIELDS = {
    "bad_event_id": "event_id",
    "no_identifier": "ids",
    "clear_identifier": "ids",
    "bad_time": "occurred_at",
    "bad_survey": "survey",
    "bad_money": "money",
    "bad_country": "country",
}
"""The field that a reason is about; the detail of `too_long` begins with it."""


class Judge:
    """Says which events enrich will refuse. Only events with unusual names are cleaned for that; they are few."""

    def __init__(self, nobody: Nobody) -> None:
        """nobody: what names nobody."""
        self._nobody = nobody

    def __call__(self, frame: pl.DataFrame, now_ms: int) -> list[Refusal]:
        """The events of a channel's frame that break a rule, by row. now_ms: the clock, epoch milliseconds."""
        odd = self._odd(frame)
        if not odd.any():
            return _refusals(refusals(frame, now_ms), range(frame.height))
        rows = odd.arg_true().to_list()
        cleaned = clean(frame[rows], self._nobody)
        found = _refusals(refusals(cleaned.frame, now_ms, cleaned.clear), rows)
        others = (~odd).arg_true().to_list()
        return sorted([*found, *_refusals(refusals(frame[others], now_ms), others)])

    def _odd(self, frame: pl.DataFrame) -> pl.Series:
        """Which events have an identifier or a reference that is not normal, nobody's or in clear."""
        pairs = frame.select(pl.col("ids").explode(empty_as_null=True)).unnest("ids").drop_nulls().unique()
        ids = [kind + "\0" + value for kind, value in pairs.iter_rows() if self._is_odd(kind, value)]
        references = [one for one in frame["booking_ref"].drop_nulls().unique() if self._is_odd("", one)]
        named = pl.concat_str(
            pl.element().struct.field("kind"), pl.lit("\0"), pl.element().struct.field("value")
        ).is_in(ids)
        if not ids and not references:
            return pl.repeat(False, frame.height, dtype=pl.Boolean, eager=True)
        by_id = pl.col("ids").list.eval(named).list.any()
        by_reference = pl.col("booking_ref").is_in(references)
        return frame.select((by_id.fill_null(False) | by_reference.fill_null(False)).alias("odd"))["odd"]

    def _is_odd(self, kind: str, value: str) -> bool:
        if not kind:
            return normal(value) != value or value in self._nobody or bool(secrets([], value, self._nobody))
        known = normal_pair(kind, value)
        return (
            known != (kind, value)
            or value in self._nobody
            or kind in self._nobody
            or bool(secrets([(kind, value)], None, self._nobody))
        )


def _refusals(found: Iterable[tuple[int, str, str]], rows: range | list[int]) -> list[Refusal]:
    return [Refusal(rows[at], reason, _field(reason, detail), detail) for at, reason, detail in found]


def _field(reason: str, detail: str) -> str:
    return detail.partition(" ")[0] if reason == TOO_LONG else FIELDS.get(reason, "")
