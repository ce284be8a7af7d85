"""The bytes of states: compiled code and msgspec write the same, and read the same from whatever they are given."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from librt.strings import BytesWriter

from schemas.numbers import COMPILED, UnfitError
from streams.alerts.signals import Answer, Signal, Signals
from streams.alerts.watch import Alert, Watch
from streams.stitch import msgpack, packed
from streams.stitch.case import Case
from streams.stitch.encoding import decode, encode, encode_summary, without_cause
from streams.stitch.journey import Journey
from streams.stitch.rolling import Rolling
from streams.stitch.stored import read_subject, read_summary, write
from streams.stitch.subject import Part, Subject
from streams.stitch.summary import Loose, Preference, Summary

compiled = pytest.mark.skipif(not COMPILED, reason="nothing is compiled here, so that msgspec does all of it")

texts = st.text(max_size=40)
numbers = st.integers(-(2**63), 2**63 - 1)
times = st.integers(1, 2**45)
ids = st.binary(min_size=16, max_size=16)
floats = st.floats(allow_nan=False)
causes = st.tuples(times, ids, texts, texts | st.none(), texts | st.none())
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
cases = st.builds(Case, times, times, times, times, numbers, causes | st.none())
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
    st.dictionaries(texts, st.builds(Preference, times, ids, texts, numbers), max_size=3),
    st.integers(0, 10),
    told | st.none(),
    causes | st.none(),
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
)


@given(states)
def test_a_state_is_read_as_it_was_written(state: Subject) -> None:
    assert decode(encode(state)) == state


@compiled
@given(states)
def test_compiled_code_writes_and_reads_what_msgspec_does(state: Subject) -> None:
    encoded = write(state.fields())
    assert packed.pack(state) == encoded
    assert packed.unpack(encoded) == state
    assert packed.pack_summary(state.own) == write(state.own.fields())
    assert packed.unpack_summary(write(state.own.fields())) == state.own


@compiled
@given(states, st.data())
def test_compiled_code_takes_no_other_bytes_than_msgspec_does(state: Subject, data: st.DataObject) -> None:
    spoilt = bytearray(packed.pack(state))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(spoilt) - 1))
        spoilt[at : at + data.draw(st.integers(0, 1))] = data.draw(st.binary(max_size=2))
        if not spoilt:
            break
    found = packed.unpack(bytes(spoilt))
    if found is not None:
        fields = found.fields() if found.version_base else (*found.fields(), 0)
        assert msgspec.msgpack.encode(read_subject(bytes(spoilt))) == write(fields)


@compiled
@given(summaries, st.integers(1, 10))
def test_compiled_code_takes_no_part_of_a_summary(summary: Summary, short: int) -> None:
    encoded = packed.pack_summary(summary)
    assert packed.unpack_summary(encoded[:-short]) is None
    assert packed.unpack_summary(encoded + b"\0" * short) is None
    with pytest.raises(ValueError, match=r"."):
        read_summary(encoded[:-short])


@given(summaries, causes)
def test_a_cause_is_cut_off(summary: Summary, cause: Any) -> None:
    summary.cause = None
    kept = encode_summary(summary)
    summary.cause = cause
    assert without_cause(encode_summary(summary), cause) == kept


EDGES = [0, 2**7, 2**8, 2**15, 2**16, 2**31, 2**32, 2**63, 2**5]
INTEGERS = sorted({sign * edge + by for edge in EDGES for by in (-1, 0, 1) for sign in (1, -1)})


@compiled
@pytest.mark.parametrize("number", [one for one in INTEGERS if -(2**63) <= one < 2**63])
def test_every_width_of_integer(number: int) -> None:
    out = BytesWriter()
    msgpack.put_int(out, number)
    assert out.getvalue() == msgspec.msgpack.encode(number)
    source = msgpack.Source(out.getvalue())
    assert source.integer() == number
    assert source.ended


@compiled
@pytest.mark.parametrize("size", [0, 1, 15, 16, 31, 32, 255, 256, 65535, 65536])
def test_every_width_of_size(size: int) -> None:
    out = BytesWriter()
    msgpack.put_text(out, "x" * size)
    msgpack.put_octets(out, b"y" * size)
    msgpack.put_array(out, size)
    for _ in range(size):
        msgpack.put_flag(out, True)
    msgpack.put_map(out, size)
    for key in range(size):
        msgpack.put_int(out, key)
        msgpack.put_float(out, key / 2)
    values: tuple[Any, ...] = ("x" * size, b"y" * size, [True] * size, {key: key / 2 for key in range(size)})
    encoder = msgspec.msgpack.Encoder()
    assert out.getvalue() == b"".join(map(encoder.encode, values))
    source = msgpack.Source(out.getvalue())
    assert [source.whole() for _ in values] == [encoder.encode(value) for value in values]
    assert source.ended


@compiled
@given(st.binary(max_size=40))
@example(b"\x91" * 100_000)
@example(b"\xc7\x01\x00")
@example(b"\xcf" + b"\xff" * 8)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    source = msgpack.Source(data)
    try:
        whole = source.whole()
    except (UnfitError, IndexError, UnicodeDecodeError):
        return
    assert data.startswith(whole)
    assert len(whole) > 0
