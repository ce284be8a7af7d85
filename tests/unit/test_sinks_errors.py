"""What an error means: try again, rows at fault, or the set-up."""

from __future__ import annotations

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError, ProgrammingError

from sinks.clickhouse.client import connect
from sinks.clickhouse.errors import (
    DATA,
    RETRIABLE,
    ClickHouseRefusedError,
    ClickHouseUnavailableError,
    is_data_error,
    is_retriable,
)
from streams.embedded.clickhouse.engine import Engine, EngineError
from tests.support.clickhouse import ClickHouse


@pytest.mark.parametrize("code", [75, 76, 159, 202, 209, 210, 241, 242, 243, 252, 319, 999])
def test_passing_trouble_is_retriable(code: int) -> None:
    assert is_retriable(DatabaseError("x", code=code))
    assert not is_data_error(DatabaseError("x", code=code))


@pytest.mark.parametrize("code", [6, 27, 33, 53, 70, 117])
def test_rows_at_fault(code: int) -> None:
    assert is_data_error(DatabaseError("x", code=code))
    assert not is_retriable(DatabaseError("x", code=code))


@pytest.mark.parametrize("code", [16, 60, 62, 81, 497, 516, 123_456])
def test_the_set_up_is_neither(code: int) -> None:
    assert not is_retriable(OperationalError("x", code=code))
    assert not is_data_error(OperationalError("x", code=code))


def test_errors_without_a_code() -> None:
    assert is_retriable(OperationalError("Error ... executing HTTP request"))
    assert is_retriable(ConnectionResetError())
    assert is_retriable(TimeoutError())
    assert is_retriable(DatabaseError("HTTP driver received HTTP status 502, server response: Bad gateway"))
    assert is_retriable(DatabaseError("HTTP driver received HTTP status 429"))
    assert not is_retriable(DatabaseError("HTTP driver received HTTP status 404, server response: no such page"))
    assert not is_retriable(ProgrammingError("no code"))
    assert not is_retriable(KeyError("x"))


def test_a_full_disk_passes_whatever_its_code() -> None:
    full = "Code: 1001. DB::Exception: filesystem error: in create_directories: No space left on device"
    assert is_retriable(DatabaseError(full, code=1001))
    assert not is_retriable(DatabaseError("Code: 1001. DB::Exception: std::bad_function_call", code=1001))


def test_the_engine_reads_the_code_of_every_kind_of_exception() -> None:
    said = "Code: 76. DB::ErrnoException: Cannot open file /x: , errno: 28, strerror: No space left on device"
    assert EngineError.of(RuntimeError(f"Error: {said}")).code == 76
    assert EngineError.of(RuntimeError("Code: 243. DB::Exception: Cannot reserve 1.00 MiB")).code == 243


def test_names_are_those_of_the_engine(engine: Engine) -> None:
    for code, name in {**RETRIABLE, **DATA}.items():
        assert engine.query(f"SELECT errorCodeToName({code})").data == f"{name}\n".encode()
    assert not RETRIABLE.keys() & DATA.keys()


def test_nothing_there_is_unavailable() -> None:
    with pytest.raises(ClickHouseUnavailableError, match=r"does not answer at http://127\.0\.0\.1:9") as raised:
        connect("http://u:secret@127.0.0.1:9/")
    assert "secret" not in str(raised.value)
    assert str(raised.value).endswith(": Connection refused"), "the HTTP client's whole story"
    assert is_retriable(raised.value)


def test_a_missing_database_is_refused(clickhouse: ClickHouse) -> None:
    with pytest.raises(ClickHouseRefusedError, match="UNKNOWN_DATABASE") as raised:
        connect(clickhouse.url, "no_such_database")
    assert not is_retriable(raised.value)


def test_url_forms(clickhouse: ClickHouse) -> None:
    client = connect(f"{clickhouse.url}/?database={clickhouse.database}&max_threads=1", "other")
    answer = client.query("SELECT currentDatabase(), getSetting('max_threads')").result_rows
    assert answer == [(clickhouse.database, 1)]
    assert connect(clickhouse.url, None).query("SELECT 1").result_rows == [(1,)]
    for wrong in ("127.0.0.1:8123", "tcp://127.0.0.1", "http://"):
        with pytest.raises(ValueError, match="write http://HOST:PORT"):
            connect(wrong)
