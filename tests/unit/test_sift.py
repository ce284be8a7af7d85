"""Halving: which records are at fault, in how many attempts, and what is no record's fault."""

from __future__ import annotations

import asyncio
from math import ceil, log2

import polars as pl
import pytest
from aiokafka.errors import KafkaError
from hypothesis import given
from hypothesis import strategies as st

from schemas.registry import RegistryError
from streams.errors import RihlaError
from streams.kafka.ownership import OwnershipLost
from streams.worker.sift import Sieve, described, is_of_record, sift

OF_THE_WORLD = [
    MemoryError(), OSError(), ConnectionError(), KafkaError(), RegistryError(), OwnershipLost(), RihlaError("x"),
    KeyboardInterrupt(), asyncio.CancelledError(), SystemExit(),
]  # fmt: skip


@given(st.integers(0, 300), st.sets(st.integers(0, 299), max_size=6))
def test_those_that_raise_are_found_and_all_others_are_done_in_their_order(count: int, bad: set[int]) -> None:
    bad = {at for at in bad if at < count}
    done: list[int] = []
    attempts = 0

    def work(some: range) -> int:
        nonlocal attempts
        attempts += 1
        if bad & {*some}:
            raise ValueError(f"{some}")
        done.extend(some)
        return sum(some)

    sifted = sift(count, work)
    assert [at for at, _ in sifted.faults] == sorted(bad)
    assert all(isinstance(error, ValueError) for _, error in sifted.faults)
    assert done == [at for some, _ in sifted.done for at in some] == [at for at in range(count) if at not in bad]
    assert all(result == sum(some) for some, result in sifted.done)
    assert attempts <= 1 + len(bad) * 2 * (ceil(log2(max(count, 1))) if count else 0)
    if count and not bad:
        assert attempts == 1


def test_where_only_both_together_raise_nothing_is_at_fault() -> None:
    def work(some: range) -> None:
        if {3, 4} <= {*some}:
            raise OverflowError

    sifted = sift(8, work)
    assert not sifted.faults
    assert [some for some, _ in sifted.done] == [range(4), range(4, 8)]


@pytest.mark.parametrize("error", OF_THE_WORLD, ids=lambda error: type(error).__name__)
def test_what_is_no_records_fault_passes(error: BaseException) -> None:
    calls = 0

    def work(some: range) -> None:
        nonlocal calls
        calls += 1
        raise error

    assert not is_of_record(error)
    with pytest.raises(type(error)):
        sift(100, work)
    assert calls == 1


def test_a_panic_of_polars_is_a_records_fault() -> None:
    assert is_of_record(pl.exceptions.PanicException("index out of bounds"))
    assert is_of_record(RecursionError())


def test_a_sieve_says_what_to_try_next() -> None:
    sieve = Sieve(4)
    assert sieve.next() == range(4)
    sieve.failed(range(4), ValueError())
    assert sieve.next() == range(2)
    assert sieve.next() == range(2, 4)
    sieve.failed(range(2, 4), ValueError())
    assert sieve.next() == range(2, 3)
    assert sieve.next() == range(3, 4)
    sieve.failed(range(3, 4), ValueError())
    assert sieve.next() is None
    assert [at for at, _ in sieve.faults] == [3]
    assert Sieve(0).next() is None


def test_the_sentence_names_the_exception_and_the_place_and_quotes_nothing() -> None:
    try:
        int("amina@example.com")
    except ValueError as error:
        said = described("fold", error)
    assert said.startswith("fold raised ValueError (unit/test_sift.py:")
    assert "amina" not in said
