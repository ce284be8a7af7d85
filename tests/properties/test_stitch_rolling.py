"""The rolling sums equal a direct computation, in any order and any split."""

from __future__ import annotations

from math import exp, log
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.stitch.rolling import DAY_MS, Rolling

START = 1_700_000_000_000
scored = st.lists(
    st.tuples(
        st.integers(0, 800 * DAY_MS), st.floats(0.01, 1.0, allow_nan=False), st.floats(-1.0, 1.0, allow_nan=False)
    ),
    min_size=1,
    max_size=30,
)


def direct(events: list[tuple[int, float, float]], at: int, days: int) -> tuple[float, float]:
    """(score, effective sample size) by the formula."""
    tau = days * DAY_MS / log(2)
    weights = [weight * exp(-(at - when) / tau) for when, weight, _ in events]
    total = sum(weights)
    score = sum(weight * value for weight, (_, _, value) in zip(weights, events, strict=True)) / (total + 1.0)
    return score, total**2 / sum(weight**2 for weight in weights)


@given(scored, st.integers(0, 400), st.integers(0, 2**32))
def test_any_order_and_split_equals_the_direct_computation(
    events: list[tuple[int, float, float]], later: int, seed: int
) -> None:
    events = [(START + at, weight, value) for at, weight, value in events]
    at = max(when for when, _, _ in events) + later * DAY_MS
    rng = Random(seed)
    rng.shuffle(events)
    parts = [Rolling() for _ in range(rng.randrange(1, 5))]
    for event in events:
        rng.choice(parts).add(*event)
    whole = Rolling()
    for part in parts:
        whole.absorb(part)
    scores = whole.scores(at)
    assert scores is not None
    for days, score in zip((7, 30, 90), scores, strict=True):
        assert score == pytest.approx(direct(events, at, days)[0], abs=1e-9)
    reference = max(when for when, _, _ in events)
    assert whole.evidence() == pytest.approx(direct(events, reference, 30)[1], rel=1e-6)


def test_nothing_said_is_unknown_and_not_zero() -> None:
    assert Rolling().scores(START) is None
    assert Rolling().evidence() == 0.0
