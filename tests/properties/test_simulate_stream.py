"""Properties of simulated streams: a pure function of the options, with the shares that were asked for."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.sources.simulate import Options, simulate
from streams.sources.simulate.options import BAD_KINDS, LANGUAGES
from streams.sources.simulate.stream import Shares

SHARES = st.floats(0, 1)
OPTIONS = st.builds(
    Options,
    customers=st.integers(1, 60),
    trips=st.floats(1, 3),
    seed=st.integers(0, 2**40),
    days=st.integers(30, 900),
    block=st.sampled_from([5, 40, 1000]),
    languages=st.lists(st.sampled_from(LANGUAGES), min_size=1, unique=True).map(tuple),
    duplicates=SHARES,
    disorder=SHARES,
    late=SHARES,
    bad=SHARES,
    bad_kinds=st.lists(st.sampled_from(BAD_KINDS[:-1]), min_size=1, unique=True).map(tuple),
)


def run(options: Options) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    truth: list[dict[str, Any]] = []
    return list(simulate(options, truth.append)), truth


@settings(max_examples=40, deadline=None)
@given(OPTIONS)
def test_same_options_same_bytes(options: Options) -> None:
    one, other = run(options), run(options)
    assert orjson.dumps(one) == orjson.dumps(other)
    # The truth is made whether or not anybody asks for it, and takes nothing from the stream.
    assert orjson.dumps(list(simulate(options))) == orjson.dumps(one[0])


@settings(max_examples=40, deadline=None)
@given(OPTIONS)
def test_shares_are_what_was_asked_for_and_the_summary_says_so(options: Options) -> None:
    events, truth = run(options)
    summary = truth[-1]
    assert summary["record"] == "summary"
    good = summary["interactions"]
    assert summary["duplicates"] == int(good * options.duplicates + 1e-6)
    assert summary["late"] == int(good * options.late + 1e-6)
    assert summary["bad"] == int(good * options.bad + 1e-6) == sum(summary["bad_by_reason"].values())
    assert set(summary["bad_by_reason"]) <= set(options.bad_kinds)
    assert len(events) == summary["events"] == good + summary["duplicates"] + summary["bad"]
    again = Counter(json.dumps(event) for event in events)
    assert sum(again.values()) - len(again) == summary["duplicates"]
    assert max(again.values(), default=1) <= 2


@settings(max_examples=40, deadline=None)
@given(OPTIONS)
def test_the_truth_adds_up(options: Options) -> None:
    _, truth = run(options)
    summary = truth[-1]
    customers = [record for record in truth if record["record"] == "customer"]
    journeys = [record for record in truth if record["record"] == "journey"]
    cases = [record for record in truth if record["record"] == "case"]
    for whole in (customers, journeys):
        assert sum(record["interactions"] for record in whole) == summary["interactions"]
    assert sum(record["journeys"] for record in customers) == len(journeys) == summary["journeys"]
    assert len({record["customer_id"] for record in customers}) == len(customers) == summary["customers"]
    assert Counter(record["status"] for record in journeys) == summary["journeys_by_status"]
    assert len(cases) == summary["cases"]
    opened = sum(case["opened_at"] is not None for case in cases)
    assert opened == sum(record["cases_opened"] for record in journeys)
    assert sum(record["open_cases"] for record in customers) == sum(case["status"] == "open" for case in cases)
    for record in journeys:
        channels = ("booking", "check_in", "stay", "post_travel")
        assert sum(record[f"{channel}_interactions"] for channel in channels) == record["interactions"]


@settings(max_examples=40, deadline=None)
@given(OPTIONS)
def test_what_has_not_happened_yet_is_not_told(options: Options) -> None:
    events, _ = run(options)
    for event in events:
        if event["occurred_at"] not in ("yesterday", 915_148_800_000, 32_503_680_000_000):  # bad ones
            assert options.start_ms <= event["occurred_at"] <= options.end_ms


@settings(max_examples=25, deadline=None)
@given(OPTIONS)
def test_without_disorder_the_stream_is_in_the_order_of_time(options: Options) -> None:
    plain = {name: getattr(options, name) for name in ("customers", "trips", "seed", "days", "block", "languages")}
    events, _ = run(Options(**plain, disorder=0, duplicates=0, late=0, bad=0))
    assert all(one["occurred_at"] <= other["occurred_at"] for one, other in pairwise(events))


@settings(max_examples=25, deadline=None)
@given(OPTIONS, st.sampled_from([0.3, 1.0]))
def test_disorder_and_lateness_change_the_order_alone(options: Options, disorder: float) -> None:
    plain = {name: getattr(options, name) for name in ("customers", "trips", "seed", "days", "block", "languages")}
    ordered, truth = run(Options(**plain, disorder=0, duplicates=0, late=0))
    mixed, same = run(Options(**plain, disorder=disorder, duplicates=0, late=0.5))
    assert sorted(map(json.dumps, ordered)) == sorted(map(json.dumps, mixed))
    assert truth[:-1] == same[:-1]


@given(st.floats(0, 1), st.lists(st.integers(0, 1000)))
def test_shares_are_exact_over_all_blocks(share: float, blocks: list[int]) -> None:
    shares = Shares(share)
    due = [shares.due(count) for count in blocks]
    assert all(0 <= some <= count for some, count in zip(due, blocks, strict=True))
    assert abs(sum(due) - share * sum(blocks)) < 1
