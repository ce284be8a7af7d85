"""The bytes of states: what was written is read, from this version and from the one before."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.alerts.signals import Answer, Signal, Signals
from streams.alerts.watch import Alert, Watch
from streams.stitch.case import Case
from streams.stitch.compression import decompress
from streams.stitch.encoding import decode, decode_summary, encode, encode_summary, without_cause, write
from streams.stitch.journey import Journey
from streams.stitch.rolling import Rolling
from streams.stitch.subject import Part, Subject
from streams.stitch.summary import Loose, Summary

texts = st.text(max_size=40)
numbers = st.integers(-(2**63), 2**63 - 1)
times = st.integers(1, 2**45)
ids = st.binary(min_size=16, max_size=16)
floats = st.floats(allow_nan=False)
marks = st.tuples(times, ids, texts, texts | st.none(), texts | st.none())
causes = st.tuples(times, ids, texts, texts | st.none(), texts | st.none(), texts | st.none())
journeys = st.builds(
    Journey,
    numbers,
    numbers,
    st.lists(st.integers(0, 2**40), min_size=4, max_size=4),
    st.dictionaries(st.integers(0, 5), times),
    numbers,
    numbers,
    st.tuples(numbers, times, ids, texts) | st.none(),
    st.dictionaries(st.integers(0, 3), st.tuples(times, ids, floats)),
    st.dictionaries(texts.filter(lambda name: not name.startswith("^")), numbers, max_size=20),  # which is ours
)
loose = st.builds(
    Loose,
    times,
    ids,
    st.integers(0, 3),
    st.integers(-1, 5),
    st.tuples(numbers, texts) | st.none(),
    st.tuples(st.integers(0, 3), floats) | st.none(),
    st.tuples(texts, numbers) | st.none(),
)
cases = st.builds(Case, times, times, times, times, numbers, marks | st.none(), texts | st.none())
signals = st.builds(Signal, times, ids, texts, texts, texts | st.none())
told = st.builds(Signals, st.lists(signals, max_size=3), st.lists(st.builds(Answer, times, ids, texts), max_size=3))
alerts = st.builds(Alert, texts, texts, texts, texts | st.none(), texts | st.none(), ids, texts, times, times)
watches = st.builds(
    Watch, times, st.booleans(), st.integers(-1, 2), floats, times, st.lists(signals, max_size=2), st.lists(alerts)
)


@st.composite
def rollings(draw: Any) -> Rolling:
    made = Rolling()
    for at in draw(st.lists(st.integers(1, 10**12), max_size=3)):
        made.add(at, 0.5, draw(st.floats(-1, 1)))
    return made


summaries = st.builds(
    Summary,
    numbers,
    times,
    times,
    st.dictionaries(texts, journeys, max_size=3),
    st.lists(loose, max_size=20),
    st.dictionaries(texts, cases, max_size=3),
    rollings(),
    st.dictionaries(texts, st.tuples(times, ids, texts, numbers), max_size=3),
    st.integers(0, 10),
    told | st.none(),
    causes | st.none(),
    st.dictionaries(texts, st.frozensets(st.tuples(times, st.integers(0, 2), times, times, st.just(()))), max_size=2)
    | st.none(),
    st.dictionaries(texts, st.dictionaries(texts, st.tuples(times, times, st.integers(0, 3)), max_size=2), max_size=2)
    | st.none(),
    st.dictionaries(ids, texts, max_size=2) | st.none(),
)
states = st.builds(
    Subject,
    numbers,
    numbers,
    numbers,
    summaries,
    st.binary(max_size=300),
    texts | st.none(),
    numbers,
    st.dictionaries(texts, st.builds(Part, numbers, st.binary(max_size=300) | st.none()), max_size=20),
    st.lists(texts),
    st.booleans(),
    st.lists(texts),
    watches | st.none(),
    st.integers(0, 2),
    numbers,
    numbers,
    st.just(0) | st.integers(-(2**50), 2**50),
    actions=st.none() | st.integers(0, 2**63 - 1),
)


@given(states)
def test_a_state_is_read_as_it_was_written(state: Subject) -> None:
    assert decode(encode(state)) == state


EVENT = bytes(range(16))
WRITTEN = Subject(
    interactions_applied=70_000,
    identities_applied=3,
    own=Summary(
        interactions=3,
        first=1_700_000_000_000,
        last=1_700_000_500_000,
        bookings={
            "UMR-77": Journey(
                1_700_000_000_000,
                1_700_000_500_000,
                [1, 0, 1, 0],
                {0: 1_700_000_000_000},
                -300_000,
                2,
                (-500_000, 1_700_000_500_000, EVENT, "stay.complained"),
                {1: (1_700_000_500_000, EVENT, 2.5)},
                {"SAR": 420_000, "IDR": -(1 << 40)},
            )
        },
        loose=[Loose(1_700_000_000_001, EVENT, 3, -1, (200_000, "post_travel.review_posted"), (0, 9.0), ("SAR", 5))],
        cases={"K1": Case(1_700_000_000_000, 0, 0, 0, 1, (1_700_000_000_000, EVENT, "stay.complained", "U1", None))},
        preferences={"diet": (1_700_000_000_000, EVENT, "halal", 2)},
        duplicates=1,
        signals=Signals([Signal(1_700_000_000_000, EVENT, "rule", "stay.complained", None)], []),
    ),
    seen=bytes(range(24)),
    root_version=7,
    parts={"device:phone-7": Part(5, b"\x9b"), "device:gone": Part(6, None)},
    former=["customer:C9"],
    published=True,
    published_keys=["C1/UMR-77"],
    watch=Watch(due=1_700_000_600_000),
    applied_at=12,
    actions=None,
)
BEFORE = """
AWAwAV0IAEQKn84AARFwAwCLz+VoAIvP7QkggaZVTVItN5QBAAEAgeVoAMQQAAECAwQFBgcICQoLDA0OD6/LQASCBmigo0lEUtP///+Lz+VoAQ
P/ks4AAw2So1NBUgWBoqJVMcACAZKRpHJ1bGXAwMAAAJDAxBgQERITFBUWF8AHgq5kZXZpY2U6LTeSBcQBm6tnb25lkgbAkas5w5GpQzEvmO6P
wMIBy5AADAAo/Oj6gLZvSzjzAa44QaM8y9EdSsoiTrUAaXa961yC9zdzsdKS9uRLUj1cDihtTU6DX7o6cJMW05C5zW2uZgYw5ftMfbCePAxHd7
sOVwD6/K97eDiO2QrlbvD61nZiLs5pwC65Zw==
"""
"""What the version before, whose compiled code wrote the bytes by itself, wrote of it: base64."""


def test_what_the_version_before_wrote_is_read_and_written_still() -> None:
    encoded = b64decode(BEFORE)
    assert decode(encoded) == WRITTEN
    # Subjects and signals have got fields since. They stand at the end, where an older stitch passes them over.
    then, now = (msgspec.msgpack.decode(raw) for raw in (decompress(encoded), write(WRITTEN.fields())))
    assert _cut(now) == _cut(then)


def _cut(value: Any) -> Any:
    """Lists without what is nothing at their ends."""
    if isinstance(value, dict):
        return {key: _cut(one) for key, one in value.items()}
    if not isinstance(value, list):
        return value
    while value and not value[-1]:
        value.pop()
    return [_cut(one) for one in value]


@given(summaries, st.integers(1, 10))
def test_a_part_of_a_summary_is_none(summary: Summary, short: int) -> None:
    encoded = encode_summary(summary)
    for spoilt in (encoded[:-short], encoded + b"\0" * short):
        with pytest.raises(ValueError, match=r"."):
            decode_summary(spoilt)


@given(summaries, causes)
def test_a_cause_is_cut_off(summary: Summary, cause: Any) -> None:
    summary.cause = None
    kept = encode_summary(summary)
    summary.cause = cause
    sent = encode_summary(summary)
    summary.cause = None
    assert without_cause(sent, summary, cause) == kept
