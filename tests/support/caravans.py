"""Simulated caravans, judged by the radar: what it names against the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from streams.model.groups import LABELS
from streams.model.identifiers import GROUP_PREFIX
from streams.radar.estimate import Cell, Effect, effects
from streams.sources.simulate.caravans import caravans
from streams.sources.simulate.options import Options
from streams.verify.groups import cells, periods

_ATTRIBUTES = pl.List(pl.Struct({"key": pl.String, "value": pl.String}))
_SCHEMA = {
    "event_id": pl.String,
    "occurred_at": pl.Int64,
    "customer_id": pl.String,
    "touchpoint": pl.String,
    "ids": pl.List(pl.Struct({"kind": pl.String, "value": pl.String})),
    "attributes": _ATTRIBUTES,
    "score": pl.Float64,
    "score_weight": pl.Float64,
}


@dataclass(frozen=True)
class Verdicts:
    """How often the radar was right."""

    caravans: int
    guilty: int
    """Caravans with a culprit."""
    right: int
    """Of these, those in which it named the culprit, before anything else."""
    false: int
    """Caravans in which it named something that is not the culprit."""
    said: list[Effect]
    """All that it named."""


def judge(options: Options) -> Verdicts:
    """Let the radar look at the caravans of a simulation, as `rihla radar` does once they are stored."""
    truth: list[dict[str, Any]] = []
    found: list[Cell] = []
    for events in caravans(options, truth.append):
        found += cells_of(events)
    named: dict[str, list[Effect]] = {}
    for effect in effects(found):
        if effect.is_bad:
            named.setdefault(effect.group.removeprefix(GROUP_PREFIX), []).append(effect)
    guilty = [record for record in truth if record["culprit"]]
    culprits = {record["group"]: (record["culprit"], record["name"]) for record in guilty}
    first = {group: (some[0].kind, some[0].name) for group, some in named.items()}
    return Verdicts(
        len(truth),
        len(guilty),
        sum(first.get(group) == culprit for group, culprit in culprits.items()),
        sum(any((one.kind, one.name) != culprits.get(group) for one in some) for group, some in named.items()),
        [one for some in named.values() for one in some],
    )


def cells_of(events: list[dict[str, Any]]) -> list[Cell]:
    """The cells of the events of a caravan, the plain way (streams.verify.groups)."""
    rows = []
    for event in events:
        people = [one["value"] for one in event["ids"] if one["kind"] == "customer"]
        if people:
            survey = event.get("survey")
            score = None if survey is None else (survey["score"] - 3) / 2
            given = event["ids"], event.get("attributes", []), score, 1.0
            rows.append((event["event_id"], event["occurred_at"], people[0], event["touchpoint"], *given))
    frame = pl.DataFrame(rows, schema=_SCHEMA, orient="row").with_columns(subject="customer:" + pl.col("customer_id"))
    sums = cells(frame, periods(frame)).select("group_id", *LABELS, "customers", "score_sum", "score_squares")
    return [Cell(row[0], row[1:5], *row[5:]) for row in sums.sort(pl.all()).iter_rows()]
