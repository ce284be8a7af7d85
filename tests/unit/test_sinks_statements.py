"""Taking an INSERT apart from its data, as ClickHouse's own parser does."""

from __future__ import annotations

import pytest

from streams.embedded.clickhouse.statements import format_of, gives_rows, needs_session, split_insert


@pytest.mark.parametrize(
    ("text", "statement", "format", "data"),
    [
        (b"INSERT INTO t FORMAT CSV\n1,2\n", "INSERT INTO t ", "CSV", b"1,2\n"),
        (b"insert into t format CSV 1,2", "insert into t ", "CSV", b"1,2"),
        (b"INSERT INTO t FORMAT Native\r\n\x00\n;", "INSERT INTO t ", "Native", b"\x00\n;"),
        (b"INSERT INTO t FORMAT Native\n\n\x00", "INSERT INTO t ", "Native", b"\n\x00"),
        (b"INSERT INTO t (a, b) VALUES (1, 'x')", "INSERT INTO t (a, b) ", "Values", b" (1, 'x')"),
        (b"INSERT INTO t VALUES", "INSERT INTO t ", "Values", b""),
        (
            b"/* FORMAT CSV */ INSERT -- VALUES\nINTO t FORMAT TSV\n",
            "/* FORMAT CSV */ INSERT -- VALUES\nINTO t ",
            "TSV",
            b"",
        ),
        (b"INSERT INTO `a FORMAT b` (`values`) FORMAT CSV\n", "INSERT INTO `a FORMAT b` (`values`) ", "CSV", b""),
        (b"INSERT INTO format FORMAT CSV\n", "INSERT INTO format ", "CSV", b""),
        (b"INSERT INTO TABLE db.values VALUES (1)", "INSERT INTO TABLE db.values ", "Values", b" (1)"),
        (b"INSERT INTO t (format, values) FORMAT CSV\n1", "INSERT INTO t (format, values) ", "CSV", b"1"),
        (b"INSERT INTO t SETTINGS a = 'VALUES' FORMAT CSV\n", "INSERT INTO t ", "CSV", b""),
        (
            b"INSERT INTO FUNCTION file('x', 'CSV') VALUES (1)",
            "INSERT INTO FUNCTION file('x', 'CSV') ",
            "Values",
            b" (1)",
        ),
    ],
)
def test_inserts_with_data(text: bytes, statement: str, format: str, data: bytes) -> None:
    insert = split_insert(text)
    assert insert is not None
    assert (insert.target, insert.format, text[insert.data_from :]) == (statement, format, data)
    assert insert.clause == ("SETTINGS a = 'VALUES' " if b"SETTINGS" in text else "")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"SELECT 1",
        b"INSERT INTO t SELECT 1 FORMAT CSV",
        b"INSERT INTO t (a) WITH 1 AS x SELECT x",
        b"INSERT INTO t FROM INFILE 'x' FORMAT CSV",
        b"CREATE TABLE t (a UInt8) ENGINE = Memory",
        b"EXPLAIN INSERT INTO t VALUES (1)",
    ],
)
def test_everything_else_is_one_statement(text: bytes) -> None:
    assert split_insert(text) is None


def test_format_of_a_statement() -> None:
    assert format_of("SELECT 1", "TSV") == "TSV"
    assert format_of("SELECT 1 format JSON", "TSV") == "JSON"
    assert format_of("SELECT ' FORMAT CSV'", "TSV") == "TSV"
    assert format_of("SELECT 1 FORMAT Arrow SETTINGS max_threads = 1;\n", "TSV") == "Arrow"


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (b"select 1", True),
        (b"-- why\n WITH 1 AS a SELECT a", True),
        (b"(SELECT 1)", True),
        (b"SHOW TABLES", True),
        (b"CREATE VIEW v AS SELECT 1", False),
        (b"INSERT INTO t SELECT 1", False),
        (b"", False),
    ],
)
def test_which_statements_give_rows(text: bytes, rows: bool) -> None:
    assert gives_rows(text) is rows


def test_comments_in_front_hide_nothing() -> None:
    comments = b"-- as rihla query --explain prints them\n" * 100
    assert gives_rows(comments + b"SELECT 1")
    assert needs_session(comments + b"SET a = 1")
    assert needs_session(comments + b"CREATE TEMPORARY TABLE t (a Int8)")
    assert not needs_session(comments + b"SELECT 1")
