"""Bodies of inserts in memory that is used again."""

from __future__ import annotations

import pyarrow as pa
import pytest

from sinks.clickhouse import arrow_body
from sinks.clickhouse.arrow_body import ArrowBody


def numbers(count: int) -> pa.Table:
    return pa.table({"n": list(range(count)), "word": ["a long enough word"] * count})


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
def test_each_body_is_its_own_table_whatever_the_size_of_the_one_before(compression: str | None) -> None:
    bodies = ArrowBody(compression)
    for count in (10, 5000, 0, 3, 5001):
        with bodies.of(numbers(count)) as body:
            assert pa.ipc.open_file(pa.py_buffer(bytes(body))).read_all() == numbers(count)


def test_the_statement_comes_first_and_the_table_behind_it_is_a_file_of_its_own() -> None:
    bodies = ArrowBody()
    for statement in (b"INSERT INTO t FORMAT Arrow\n", b"I", b""):
        with bodies.of(numbers(10), statement) as body:
            assert bytes(body[: len(statement)]) == statement
            assert pa.ipc.open_file(pa.py_buffer(bytes(body[len(statement) :]))).read_all() == numbers(10)


def test_a_body_that_somebody_still_holds_is_not_written_over() -> None:
    bodies = ArrowBody()
    with bodies.of(numbers(10)) as body:
        held = memoryview(body)
    with bodies.of(numbers(7)) as body:
        assert pa.ipc.open_file(pa.py_buffer(bytes(body))).read_all() == numbers(7)
    assert pa.ipc.open_file(pa.py_buffer(bytes(held))).read_all() == numbers(10)


def test_a_body_that_could_not_be_sent_does_no_harm_to_the_next() -> None:
    bodies = ArrowBody()
    with pytest.raises(ConnectionError), bodies.of(numbers(10)):
        raise ConnectionError
    with bodies.of(numbers(7)) as body:
        assert pa.ipc.open_file(pa.py_buffer(bytes(body))).read_all() == numbers(7)


def test_memory_is_used_again_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    bodies = ArrowBody()
    with bodies.of(numbers(1000)):
        pass
    kept = bodies._memory
    with bodies.of(numbers(1000)):
        pass
    assert bodies._memory is kept
    monkeypatch.setattr(arrow_body, "KEPT", 100)
    with bodies.of(numbers(1000)):
        pass
    assert bodies._memory.getvalue() == b""
