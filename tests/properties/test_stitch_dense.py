"""States at rest: what was compressed is read as it was, whatever it was, and nothing else is taken for it."""

from __future__ import annotations

import contextlib
import hashlib
from base64 import b64decode, b64encode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.stitch import compression
from streams.stitch.compression import WORTH, compress, decompress
from streams.stitch.encoding import decode, encode
from streams.stitch.subject import Subject

STATE = Subject(
    7, 1, 0, root="customer:C000001", seen=bytes(range(80)), former=["email_hash:0f", "loyalty_id:L1"], actions=None
)
WRITTEN = (
    b"ASCgbQQAdAefBwEAm4AAwMDEUAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fICEiIyQlJicoKSorLC0uLzAxMjM0NTY3"
    b"ODk6Ozw9Pj9AQUJDREVGR0hJSktMTU5PsDAwMQCAkq1oYXNoOjBmrV9pZDpMMcKQwAD/AAX852UkSq2UXd+g+nOfAC7IDl0J"
)
"""It, as the first version that compressed states wrote it."""


@given(st.binary(max_size=400).map(lambda rest: b"\x9f" + rest))
@example(b"\x9f" * WORTH)
@example(b"\x9f" + bytes(1 << 20))
def test_a_state_is_read_as_it_was_written(state: bytes) -> None:
    assert decompress(compress(state)) == state


@given(st.binary(max_size=100), st.data())
def test_other_bytes_are_read_as_they_are_or_refused(spoilt: bytes, data: st.DataObject) -> None:
    with contextlib.suppress(ValueError):
        decompress(spoilt)
    with contextlib.suppress(ValueError):
        decompress(bytes([compression.NUMBER]) + spoilt)
    whole = bytearray(compress(b"\x9f" + bytes(range(200))))
    whole[data.draw(st.integers(1, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ValueError):
        decompress(bytes(whole))


def test_a_dictionary_is_never_changed() -> None:
    """Whoever needs another one gives it the next number, and keeps this one for what was written with it."""
    assert hashlib.sha256(compression.DICTIONARY.read_bytes()).hexdigest() == (
        "0ce8dec9ee9a4222b356732cbe1c4162777431e843a63f3a6f93d14263fd920e"
    )
    assert decode(b64decode(WRITTEN)) == STATE, b64encode(encode(STATE))


def test_a_state_of_a_later_version_is_told() -> None:
    with pytest.raises(ValueError, match="dictionary 2, which is not known here: of a later version"):
        decode(b"\x02...")


def test_states_of_customers_become_smaller() -> None:
    plain = decompress(encode(STATE))
    assert len(plain) >= WORTH
    assert len(encode(STATE)) < len(plain)
    assert encode(Subject(root="customer:C1")) == decompress(encode(Subject(root="customer:C1"))), "too short for it"
