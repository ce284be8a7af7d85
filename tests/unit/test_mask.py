"""Values are masked wherever they stand in a letter, and what holds them can still be read."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from streams.model.mask import masked
from streams.model.patterns import avro

ADDRESS = "Amina@Example.com"


def test_a_value_is_masked_in_any_case_and_lengths_stay() -> None:
    data = b"\0\1" + avro(ADDRESS) + b"x" + avro("mail me: amina@example.com") + b"\2"
    shown = masked(data, [ADDRESS])
    assert shown == b"\0\1" + avro("*" * 17) + b"x" + avro("mail me: " + "*" * 17) + b"\2"


def test_a_short_value_is_masked_only_where_it_is_a_whole_string() -> None:
    assert masked(avro("ab") + avro("cab"), ["ab"]) == avro("**") + avro("cab")
    assert masked(b'{"ab": "ab", "c": "cab"}', ["ab"]) == b'{"**": "**", "c": "cab"}'


def test_an_empty_value_masks_nothing() -> None:
    assert masked(b"abc", ["", "  "]) == b"abc"


@given(st.text(min_size=5, max_size=50).filter(lambda text: len(text.strip().encode()) > 4))
def test_every_character_may_be_escaped(value: str) -> None:
    units = value.encode("utf-16-be")
    escaped = "".join(f"\\u{units[at]:02X}{units[at + 1]:02x}" for at in range(0, len(units), 2))
    shown = json.loads(masked(f'{{"n": 1, "v": "{escaped}"}}'.encode(), [value]))
    assert {*shown["v"].strip()} == {"*"}
    assert shown["n"] == 1


@given(st.text(min_size=1).filter(str.strip), st.booleans())
def test_json_stays_json_and_loses_the_value(value: str, escaped: bool) -> None:
    line = json.dumps([value, 1], ensure_ascii=escaped).encode()
    text, number = json.loads(masked(line, [value]))
    assert number == 1
    assert {*text.strip()} == {"*"}
