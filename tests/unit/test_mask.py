"""Values are masked wherever they stand in a letter, and what holds them can still be read."""

from __future__ import annotations

import hashlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.model.mask import FEW, masked
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


@pytest.mark.parametrize("others", [[], [f"somebody-{at}@example.com" for at in range(FEW)]])
def test_a_short_value_is_masked_however_it_is_escaped(others: list[str]) -> None:
    line = rb'{"id": "\u0040", "no": "a\u0040", "key\u002f": "\u0061\u0062"}'
    assert masked(line, ["@", "ab", *others]) == rb'{"id": "******", "no": "a\u0040", "key\u002f": "************"}'


@given(st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=5), st.booleans(), st.data())
def test_many_values_are_masked_as_few_are(values: list[str], escaped: bool, data: st.DataObject) -> None:
    many = [*values, *(f"somebody-{at}@example.com" for at in range(FEW))]
    line = json.dumps({"v": values, "n": 1, "o": "other"}, ensure_ascii=escaped).encode()
    if escaped and data.draw(st.booleans()):
        line = line.replace(b"@", b"\\u0040")
    shown = json.loads(masked(line, many))
    for value, left in zip(values, next(iter(shown.values())), strict=True):
        assert not value.strip() or value.strip().encode() not in left.encode() or {*value} == {"*"}
    assert len(masked(line, many)) == len(line)


def test_thousands_of_values_take_one_pass() -> None:
    def ratio(count: int) -> float:
        some = [f"{hashlib.sha256(str(at).encode()).hexdigest()}@example.com" for at in range(count)]
        line = json.dumps({"ids": some}).encode()
        began = time.process_time()
        shown = masked(line, some)
        took = time.process_time() - began
        assert shown.count(b"*") == sum(map(len, some))
        return took

    ratio(100)
    few, many = ratio(1_000), ratio(8_000)
    assert many < 40 * few  # 8 for what is linear; the square would be 64
