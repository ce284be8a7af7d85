"""Stored interactions as the events that were sent: without what enrich wrote into them by the models of before. Pure.

enrich writes two things into an event that a model decides: the brand in front of an identifier that counts within a
brand, and an answer on a scale of the company's own, turned into one of an instrument. Both can be taken back, since
the database knows every model that has made rows in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from schemas.records import CHANNELS, polars_schema
from streams.model.brands import Brands, Scopes
from streams.model.identifiers import SCOPE
from streams.model.scales import ATTRIBUTE, Scales
from streams.sources.events import conform


@dataclass(frozen=True)
class Written:
    """What the models of before may have written into events: brands into identifiers, answers turned."""

    scopes: tuple[Scopes, ...] = ()
    scales: frozenset[str] = frozenset()

    @staticmethod
    def under(meanings: Iterable[str]) -> Written:
        """By models of which the database has kept what they mean (Model.meaning)."""
        scopes, scales = list[Scopes](), set[str]()
        for said in map(json.loads, meanings):
            scales |= {*said.get("scales", ())}
            scoped = frozenset(kind for kind, _, is_scoped in said["kinds"] if is_scoped)
            if scoped:
                units, attribute, default = said["brands"]
                known = {name: tuple(patterns) for name, patterns in units}
                scopes.append(Scopes(scoped, Brands(known, attribute, default)))
        return Written(tuple(scopes), frozenset(scales))


def as_sent(frame: pl.DataFrame, written: Written, scales: Scales) -> dict[str, pl.DataFrame]:
    """The events of some interactions, by channel, each in the form of the channel's schema.

    An identifier loses a brand that is the event's own, and would have been written in front of it. An answer is taken
    back where `scales`, those that hold now, have the scale on which it was given; else it stays on the instrument.
    """
    if written.scopes:
        frame = _without_brands(frame, written.scopes)
    if some := written.scales & scales.keys():
        frame = _as_answered(frame, some)
    events = {}
    for channel in CHANNELS:
        own = [column for column in polars_schema(channel) if column in frame.columns]
        events[channel] = conform(channel, frame.filter(pl.col("channel") == channel).select(own))
    return events


def _without_brands(frame: pl.DataFrame, scopes: Sequence[Scopes]) -> pl.DataFrame:
    names = frame["ids"].to_list()
    whose = zip(names, frame["unit"].to_list(), frame["attributes"].to_list(), strict=True)
    for ids, unit, attributes in whose:
        for one in ids:
            brand, slash, value = one["value"].partition(SCOPE)
            if slash and value and any(_wrote(before, one["kind"], brand, unit, attributes) for before in scopes):
                one["value"] = value
    return frame.with_columns(pl.Series("ids", names, frame.schema["ids"]))


def _wrote(scopes: Scopes, kind: str, brand: str, unit: str | None, attributes: Sequence[dict[str, str]]) -> bool:
    """Whether a model wrote this brand in front of an identifier of an event."""
    pairs = [(one["key"], one["value"]) for one in attributes]
    return kind in scopes.kinds and scopes.brands.of(unit, pairs) == brand


def _as_answered(frame: pl.DataFrame, scales: frozenset[str]) -> pl.DataFrame:
    kept = {f"{ATTRIBUTE}_{name}": name for name in scales}
    surveys, attributes = frame["survey"].to_list(), frame["attributes"].to_list()
    for row, (survey, said) in enumerate(zip(surveys, attributes, strict=True)):
        found = next((one for one in said if one["key"] in kept), None)
        if survey is None or found is None:
            continue
        surveys[row] = {**survey, "score": float(found["value"])}
        rest = [one for one in said if one is not found]
        attributes[row] = [*rest, {"key": ATTRIBUTE, "value": kept[found["key"]]}]
    return frame.with_columns(
        pl.Series("survey", surveys, frame.schema["survey"]),
        pl.Series("attributes", attributes, frame.schema["attributes"]),
    )
