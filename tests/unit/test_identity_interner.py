"""Identifiers are numbered once, and come back letter by letter."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from streams.identity.interner import BOOKING_RANK, Interner, Packing
from streams.model.identifiers import BUILT_IN, KINDS, UNKNOWN_RANK, rank

PACKING = Packing(BUILT_IN)
KIND = st.one_of(st.sampled_from([*KINDS, "booking_ref", "passport", ""]), st.text(max_size=4))
VALUE = st.one_of(
    st.text(max_size=20),
    st.uuids().map(str),
    st.binary(min_size=6, max_size=33).map(bytes.hex),
    st.binary(min_size=6, max_size=33).map(lambda raw: raw.hex().upper()),
)


@given(KIND, VALUE)
@example("device", "7F3C0A52-64a1-4dd0-8d5e-0d1f0a9be5aa")
@example("device", "7f3c0a52-64a1-4dd0-8d5e0-d1f0a9be5aa")
@example("email_sha256", "00 11 22 33 44 55 66 77")
@example("", "")
def test_packing_loses_nothing(kind: str, value: str) -> None:
    assert PACKING.unpack(PACKING.pack(f"{kind}:{value}")) == f"{kind}:{value}"


def test_hashes_and_uuids_are_packed() -> None:
    assert len(PACKING.pack("email_sha256:" + "0f" * 32)) == 33
    assert len(PACKING.pack("device:7f3c0a52-64a1-4dd0-8d5e-0d1f0a9be5aa")) == 17


def test_numbers_are_dense_stable_and_found_again_while_tables_grow() -> None:
    names = [f"{kind}:{n}" for n in range(4000) for kind in ("customer", "device", "passport")]
    interner = Interner()
    assert [interner.intern(name) for name in names] == list(range(len(names)))
    assert [interner.intern(name) for name in names] == list(range(len(names)))
    assert [interner.number(name) for name in names] == list(range(len(names)))
    assert [interner.name(number) for number in range(len(names))] == names
    assert len(interner) == len(names)
    assert interner.number("customer:unseen") == -1


def test_rank_is_that_of_the_kind() -> None:
    interner = Interner()
    for kind in (*KINDS, "passport"):
        assert interner.rank(interner.intern(f"{kind}:1")) == rank(kind)
    assert interner.rank(interner.intern("booking_ref:1")) == BOOKING_RANK == UNKNOWN_RANK + 1


def test_more_identifiers_than_are_kept_as_they_were_spelled() -> None:
    interner, count = Interner(), 40_000
    assert [interner.intern(f"device:{number}") for number in range(count)] == [*range(count)]
    assert [interner.intern(f"device:{number}") for number in range(0, count, 7)] == [*range(0, count, 7)]
    assert [interner.name(number) for number in range(0, count, 7)] == [f"device:{n}" for n in range(0, count, 7)]


def test_an_identifier_is_spelled_as_it_is_kept() -> None:
    interner = Interner()
    assert interner.intern("customer") == interner.intern("customer:") == 0
    assert interner.name(0) == "customer:"
