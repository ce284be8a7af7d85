"""Short fields that stay as they are: the look at octets, and the memory behind it, say what scrubbing says."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from schemas.numbers import varint
from schemas.spans import Record, Text
from streams.enrich.clean import scrub_attribute
from streams.enrich.names import _TEXTS_REMEMBERED, Names
from streams.model.normal import Nobody, normal_pair
from streams.text.scrub import scrub_text

NOBODY = Nobody()
FIELDS = st.one_of(
    st.text(max_size=30),
    st.from_regex(r"[a-z]{0,8}[-._ ]?[0-9]{0,9}[-._]?[A-Za-z0-9]{0,6}", fullmatch=True),
    st.sampled_from(
        [
            *("Makkah Ajyad Hotel", "staff-44", "cvv-12", "cvv123", "12.345", "2025-05-29", "+966501234567"),
            *("a@b.com", "a dot b at c dot com", "4111 1111 1111 1111", "91234567", "x-00966501234567"),
        ]
    ),
)
KEYS = st.one_of(FIELDS, st.sampled_from(["phone", "mobile", "room", "cvv", "check_in", "passport", "iqama"]))


@given(st.lists(FIELDS, min_size=1, max_size=20))
def test_harmless_is_what_scrubbing_leaves(texts: list[str]) -> None:
    names = Names(NOBODY)
    for text in [*texts, *texts]:
        octets = f"<{text}>".encode()
        assert names.is_harmless(octets, 1, len(octets) - 1) == (scrub_text(text) == text)


@given(st.lists(st.tuples(KEYS, FIELDS), min_size=1, max_size=20))
def test_a_harmless_attribute_is_what_scrubbing_leaves(pairs: list[tuple[str, str]]) -> None:
    names, key, content = Names(NOBODY), Text(), Text()
    record = Record(["key", "value"], [key, content])
    for pair in [*pairs, *pairs]:
        datum = b"".join(varint(len(text.encode())) + text.encode() for text in pair)
        assert record.find(datum, 0) == len(datum)
        assert names.is_harmless_attribute(datum, key, content) == (scrub_attribute(*pair) == pair)


def test_what_is_harmless_by_itself_is_not_so_under_every_key() -> None:
    names, key, content = Names(NOBODY), Text(), Text()
    record = Record(["key", "value"], [key, content])
    for said, harmless in (("order", True), ("phone", False), ("order", True)):
        datum = varint(len(said)) + said.encode() + varint(8) + b"91234567"
        record.find(datum, 0)
        assert names.is_harmless_attribute(datum, key, content) is harmless


@given(st.sampled_from(["customer", "customer:loyalty", "loyalty"]), st.text("loyat:7C", max_size=11))
@example("customer", "loyalty:7")
def test_a_name_fits_that_is_normal_already(kind: str, value: str) -> None:
    octets, end = f"{kind}{value}".encode(), len(kind)
    fits = normal_pair(kind, value) == (kind, value) and value not in NOBODY
    assert Names(NOBODY).fits(octets, 0, end, end, len(octets)) == fits


def test_only_so_many_texts_are_remembered() -> None:
    names = Names(NOBODY)
    for number in range(_TEXTS_REMEMBERED + 10):
        text = b"Hotel No %d" % number
        assert names.is_harmless(text, 0, len(text))
    assert 0 < len(names._texts) <= _TEXTS_REMEMBERED
