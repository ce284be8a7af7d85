"""The truth beside a simulated stream, against a plain computation from the events alone, whatever the options.

The simulator knows who did what because it made them; `streams.verify` works it out from the events. Neither knows of
the other, so where they agree both are probably right.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.records import polars_schema
from streams.model.identifiers import kind_of
from streams.sources import jsonl
from streams.sources.simulate import Options, write
from streams.verify.identity import who_is_who
from streams.verify.journeys import tables
from streams.verify.now import at
from tests.support.by_columns import Enricher
from tests.support.sink_rows import DAY

INSTRUMENTS = ("nps", "csat", "ces", "stars")
NOW = 1_800_000_000_000
SHARES = st.sampled_from([0.0, 0.05, 0.5, 1.0])


@pytest.fixture(scope="module")
def enricher() -> Enricher:
    return Enricher()


@settings(max_examples=15, deadline=None)
@given(
    customers=st.integers(1, 120),
    trips=st.sampled_from([1.0, 1.5, 4.0]),
    seed=st.integers(0, 10**6),
    days=st.sampled_from([30, 200, 900]),
    block=st.sampled_from([7, 50, 1000]),
    disorder=SHARES,
    duplicates=SHARES,
    late=SHARES,
    bad=SHARES,
    part_cancelled=SHARES,
    unfinished=SHARES,
)
@example(  # a guest who checks in under a name that nothing joins to who booked
    customers=107, trips=4.0, seed=107, days=900, block=50, disorder=0.05, duplicates=0.0, late=0.05, bad=0.05,
    part_cancelled=0.0, unfinished=0.5,
)  # fmt: skip
@example(  # a customer who does nothing in a month
    customers=1, trips=1.0, seed=93182, days=30, block=7, disorder=0.0, duplicates=0.0, late=0.0, bad=0.0,
    part_cancelled=0.0, unfinished=0.0,
)  # fmt: skip
def test_the_truth_is_what_the_events_say(
    enricher: Enricher, tmp_path_factory: pytest.TempPathFactory, **options: Any
) -> None:
    folder = tmp_path_factory.mktemp("simulated")
    summary = write(Options(**options), folder / "events.jsonl", folder / "truth.jsonl")
    truth = [json.loads(line) for line in (folder / "truth.jsonl").open("rb")]
    assert truth[-1] == summary

    interactions, links, bad = accepted(enricher, folder / "events.jsonl")
    distinct = interactions.unique("event_id")
    assert bad == summary["bad_by_reason"]
    assert distinct.height == summary["interactions"]
    assert interactions.height - distinct.height == summary["duplicates"]
    assert interactions.height + sum(bad.values()) == summary["events"]

    identities = who_is_who(links)
    shared = {(kind, value) for kind, value in map(parted, (name for name, who in identities.items() if who.shared))}
    assert shared == {(record["kind"], record["value"]) for record in records(truth, "shared")}
    roots = pl.DataFrame(
        [(name, who.root) for name, who in identities.items()], {"subject": pl.String, "root": pl.String}, orient="row"
    )
    computed = tables(distinct, roots)
    expected = records(truth, "customer")
    for record in expected:
        names = {f"{one['kind']}:{one['value']}" for one in record.pop("identifiers")}
        root = f"{record['kind']}:{record['value']}"
        known = {name for name, who in identities.items() if who.root == root and kind_of(name) != "booking_ref"}
        assert names == known | {root}
    assert_same(computed.customers, expected)
    journeys = computed.journeys.with_columns(
        spend=pl.Series(
            [{one["currency"]: one["amount_minor"] for one in spend} for spend in computed.journeys["spend"]],
            dtype=pl.Object,
        )
    )
    assert_same(journeys, records(truth, "journey"))
    later = at(computed.journeys_now, NOW + 1000 * DAY).join(computed.journeys, on="journey_id")
    ended = later.filter(pl.col("status") != "exploring").select("booking_ref", "status_now").unique()
    unfinished = {record["booking_ref"]: record["status_now"] for record in records(truth, "unfinished")}
    # A guest whom nothing joins to who booked has a journey of the same reference beside theirs.
    shown = {ref: {now for one, now in ended.iter_rows() if one == ref} for ref in unfinished}
    assert all(now in shown[ref] for ref, now in unfinished.items())
    home_of = computed.journeys.select("journey_id", "booking_ref")
    assert_same(computed.cases.join(home_of, on="journey_id", how="left"), records(truth, "case"))


def accepted(enricher: Enricher, path: Path) -> tuple[pl.DataFrame, list[tuple[str, str, int]], dict[str, int]]:
    """Interactions, links, and how many were refused by reason."""
    frames, links, bad = [], [], Counter[str]()
    for batch in jsonl.read(str(path)):
        enriched = enricher.enrich({batch.channel: batch.frame}, NOW)
        frames.append(enriched.interactions)
        links += enriched.links.rows()
        bad.update(line.reason for line in batch.bad)
        bad.update(reason for _, reason, _ in enriched.refused)
    nothing = pl.DataFrame(schema=polars_schema("interaction"))  # one customer may well do nothing in a month
    return pl.concat([nothing, *frames]), links, dict(bad)


def records(truth: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [{k: v for k, v in record.items() if k != "record"} for record in truth if record["record"] == kind]


def assert_same(computed: pl.DataFrame, expected: list[dict[str, Any]]) -> None:
    """Rows are the same, in any order, in the columns that the truth has."""
    assert computed.height == len(expected)
    if expected:
        assert sorted(map(line, computed.select(list(expected[0])).to_dicts())) == sorted(map(line, expected))


def line(row: dict[str, Any]) -> str:
    # 9 and 9.0 are the same answer to a survey.
    return json.dumps({k: v + 0.0 if k in INSTRUMENTS and v is not None else v for k, v in row.items()}, sort_keys=True)


def parted(identifier: str) -> tuple[str, str]:
    kind, _, value = identifier.partition(":")
    return kind, value
