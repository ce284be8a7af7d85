"""The parts of a mapping: expressions, times, money, people, CSV, JSON arrays."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import polars as pl
import pytest

from streams.model import currencies
from streams.sources.events import SourceError
from streams.sources.files import read_blocks
from streams.sources.json_array import items
from streams.sources.mapping.delimited import MAX_LINES, delimited
from streams.sources.mapping.expressions import columns_of, evaluate, expression, probe
from streams.sources.mapping.model import MappingError
from streams.sources.mapping.money import minor_units, numbers
from streams.sources.mapping.people import email_hash, phone_hash
from streams.sources.mapping.times import check_format, check_zone, dates, milliseconds

ROWS = pl.DataFrame({"a": ["1", "x", None], "b c": ["p", "q", "r"]})


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("a", ["1", "x", None]),
        ("\"b c\" || '-' || a", ["p-1", "q-x", None]),
        ("CASE WHEN a = '1' THEN 'one' ELSE UPPER(\"b c\") END", ["one", "Q", "R"]),
        ("COALESCE(a, 'none')", ["1", "x", "none"]),
        ("TRY_CAST(a AS INT) > 0", [True, None, None]),
        ("a IS NULL OR a IN ('x')", [False, True, True]),
        ("a LIKE 'x%'", [False, True, None]),
        ("SPLIT_PART('k-' || \"b c\", '-', 2)", ["p", "q", "r"]),
        ("nowhere IS NULL", [True, True, True]),
        ("'same'", ["same", "same", "same"]),
    ],
)
def test_expressions_are_of_one_row(sql: str, expected: list[object]) -> None:
    probe(sql, condition=False)
    assert evaluate(sql, ROWS).to_list() == expected


@pytest.mark.parametrize(
    "sql",
    [
        *("SUM(TRY_CAST(a AS INT))", "COUNT(*)", "FIRST(a)", "MAX(a)", "ROW_NUMBER() OVER ()", "SUM(a) OVER ()"),
        *("LAG(a) OVER (ORDER BY a)", "STRING_AGG(a)", "UNNEST(a)", "RANK() OVER (ORDER BY a)"),
        *("(SELECT a FROM t)", "a IN (SELECT a FROM self)", "read_csv('/etc/passwd')", "a; DROP TABLE x"),
        *("NOW()", "CURRENT_TIMESTAMP", "CAST(a AS INT)", "STRPTIME(a, '%Y')", "LPAD(a, 1000000000, '0')"),
        *("__import__('os')", "", "a =", "a -> 'b'"),
    ],
)
def test_expressions_of_more_than_a_row_or_of_anything_else_are_refused(sql: str) -> None:
    with pytest.raises(MappingError):
        expression(sql)


def test_an_expression_that_no_row_can_have_is_refused_before_reading() -> None:
    with pytest.raises(MappingError, match="fails for every row"):
        probe("a > 1", condition=True)
    with pytest.raises(MappingError, match="no condition"):
        probe("a || 'x'", condition=True)
    with pytest.raises(MappingError, match="a list"):
        probe("STRING_TO_ARRAY(a, ',')", condition=False)
    assert columns_of("a || \"b c\" || 'x'") == ["a", "b c"]


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("text", "formats", "zone", "expected"),
    [
        ("2025-03-01T10:00:00Z", ["iso"], "Asia/Riyadh", "2025-03-01T10:00"),
        ("2025-03-01T10:00:00.1239+03:00", ["iso"], "UTC", "2025-03-01T07:00:00.123"),
        ("2025-03-01 10:00", ["iso"], "Asia/Riyadh", "2025-03-01T07:00"),
        ("2025-03-01", ["iso"], "Asia/Riyadh", "2025-02-28T21:00"),
        ("2025-03-01T10:00:00-0330", ["iso"], "UTC", "2025-03-01T13:30"),
        ("01/03/2025", ["%d/%m/%Y"], "Asia/Riyadh", "2025-02-28T21:00"),
        ("1/3/25 9:05 PM", ["iso", "%m/%d/%y %I:%M %p"], "UTC", "2025-01-03T21:05"),
        ("01/03/2025 10:00 +0200", ["%d/%m/%Y %H:%M %z"], "Asia/Riyadh", "2025-03-01T08:00"),
        ("1740823200", ["epoch_s"], "Asia/Riyadh", "2025-03-01T10:00"),
        ("1740823200.5", ["epoch_s"], "UTC", "2025-03-01T10:00:00.500"),
        ("1740823200000", ["epoch_ms"], "UTC", "2025-03-01T10:00"),
        ("1740823200000000", ["epoch_us"], "UTC", "2025-03-01T10:00"),
        ("2025-10-26 01:30", ["iso"], "Europe/London", "2025-10-26T00:30"),  # twice: the first
        ("2025-03-30 01:30", ["iso"], "Europe/London", None),  # never
        ("2025-02-30", ["iso"], "UTC", None),
        ("nonsense", ["iso", "epoch_s", "%d/%m/%Y"], "UTC", None),
        ("inf", ["epoch_s"], "UTC", None),
    ],
)
def test_times(text: str, formats: list[str], zone: str, expected: str | None) -> None:
    assert milliseconds(pl.Series([text, None]), formats, zone).to_list() == [expected and ms(expected), None]


def test_hijri_dates() -> None:
    texts = pl.Series(["01/09/1446", "30/02/1446", "1/9/1446 13:00", "1446", None])
    check_format("%d/%m/%Y", "hijri")
    assert dates(texts, ["%d/%m/%Y", "%d/%m/%Y %H:%M"], "hijri").to_list() == [
        *("2025-03-01", "2024-09-03", "2025-03-01", None, None)
    ]
    riyadh = milliseconds(texts, ["%d/%m/%Y %H:%M"], "Asia/Riyadh", "hijri")
    assert riyadh.to_list() == [None, None, ms("2025-03-01T10:00"), None, None]


def test_formats_and_zones_that_are_none() -> None:
    for form, calendar in (("DD/MM/YYYY", "gregorian"), ("%d %B %Y", "hijri"), ("%d/%m", "hijri")):
        with pytest.raises(MappingError, match="format"):
            check_format(form, calendar)
    for zone in ("Riyadh", "../etc/passwd", ""):
        with pytest.raises(MappingError, match="time zone"):
            check_zone(zone)


@pytest.mark.parametrize(
    ("text", "decimal", "expected"),
    [
        *(("12", ".", 12.0), ("-1,234.5", ".", -1234.5), ("1 234.50", ".", 1234.5), ("1e3", ".", 1000.0)),
        *(("1.234,5", ",", 1234.5), ("12,50", ",", 12.5), (".5", ".", 0.5), ("−3", ".", -3.0)),
        *(("12,50", ".", None), ("1.23", ",", None), ("", ".", None), ("-", ".", None), ("abc", ".", None)),
        *(("NaN", ".", None), ("inf", ".", None), ("1e999", ".", None), ("0x10", ".", None), ("1,2,3", ".", None)),
    ],
)
def test_numbers(text: str, decimal: str, expected: float | None) -> None:
    assert numbers(pl.Series([text, None]), decimal).to_list() == [expected, None]


def test_minor_units() -> None:
    amounts = pl.Series([310.125, 95000.0, 19.99, 1.2345, -0.005, None])
    currencies = pl.Series(["KWD", "JPY", "SAR", "CLF", "EUR", "USD"])
    assert minor_units(amounts, currencies).to_list() == [310125, 95000, 1999, 12345, -1, None]


def test_the_table_of_minor_units_is_that_of_cldr_where_the_two_agree() -> None:
    """CLDR rounds some currencies as shops do; nowhere does it give another currency more than two places."""
    from babel.numbers import get_currency_precision, list_currencies

    more = {code: get_currency_precision(code) for code in list_currencies() if get_currency_precision(code) > 2}
    assert {code: digits for code, digits in currencies.digits().items() if digits > 2} == more | {"IQD": 3}
    assert {code for code, digits in currencies.digits().items() if digits == 0} <= {
        code for code in list_currencies() if get_currency_precision(code) == 0
    }


def test_addresses_and_numbers_are_hashed_in_one_form() -> None:
    expected = sha256(b"fatimah@example.com").hexdigest()
    for text in (" Fatimah@Example.COM ", "fatimah@example.com", "Ｆatimah@example.com", expected, expected.upper()):
        assert email_hash(text) == expected
    assert [email_hash(text) for text in ("fatimah", "a b@c", "@", "")] == [None] * 4
    number = sha256(b"+966501234567").hexdigest()
    for text in (
        "+966 50 123 4567",
        "00966501234567",
        "050-123-4567",
        "(050) 1234567",
        "+966 (0)50 123 4567",
        "٠٥٠١٢٣٤٥٦٧",
    ):
        assert phone_hash(text, "966") == number
    assert phone_hash("0501234567") is None
    assert [phone_hash(text, "966") for text in ("none", "+1", "5" * 16, "+0123456789", "12x34567")] == [None] * 5


@pytest.mark.parametrize("batch", [1, 2, 3, 100])
def test_csv_of_any_batch_has_the_same_records(tmp_path: Path, batch: int) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'\xef\xbb\xbfa,b\r\n1,"x\r\ny"\r\n2,z\r\n3\r\n\r\n4,5" pipe\r\n5,"open\r\n6,7\r\n\xff,8\r\n')
    records, unreadable = [], []
    for header, some, none in delimited(str(path), ",", "utf-8", batch):
        assert header == ["a", "b"]
        records += [(one.line, one.cells) for one in some]
        unreadable += [(one.line, one.payload, one.detail) for one in none]
    assert records == [(2, ["1", "x\ny"]), (4, ["2", "z"]), (7, ["4", '5" pipe']), (9, ["6", "7"])]
    assert sorted(unreadable) == [
        (5, b"3", "1 cells, where the header has 2: nothing is there for column b and what follows"),
        (8, b'5,"open', "column b: a quoted cell that begins on this line is not closed"),
        (10, b"\xff,8", "column a: the line is not UTF-8 at octet 1 (0xff)"),
    ]


def test_a_quote_that_nobody_closes_costs_its_line_and_not_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('a,b\n1,"open\n' + "2,x\n" * 3 * MAX_LINES)
    parts = list(delimited(str(path), ",", "utf-8", 100))
    assert sum(len(records) for _, records, _ in parts) == 3 * MAX_LINES
    assert [one.line for _, _, unreadable in parts for one in unreadable] == [2]


def test_csv_in_another_encoding(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("الاسم;b\nفاطمة;2\n".encode("cp1256"))
    [(header, [record], [])] = [part for part in delimited(str(path), ";", "cp1256", 10) if part[1]]
    assert (header, record.cells) == (["الاسم", "b"], ["فاطمة", "2"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[{"a": 1}, {"a": 2} , 3]', [{"a": 1}, {"a": 2}, 3]),
        ("[]", []),
        (' {"a": [1, 2]} ', [{"a": [1, 2]}]),
        (json.dumps([{"a": "x" * 700_000}] * 5), [{"a": "x" * 700_000}] * 5),
    ],
)
def test_json_arrays(tmp_path: Path, text: str, expected: list[object]) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    assert [item for _, item in items(read_blocks(str(path)), str(path))] == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        *(('[{"a": 1}', "broken off"), ("nonsense", "begins with 'n'"), ("", "empty"), ('[{"a": }]', "no JSON array")),
        *(('{"a": 1}\n{"a": 2}', "JSON Lines"), ("[" * 100_000, "nested too deeply"), (b"[\xff", "not UTF-8")),
    ],
)
def test_what_is_no_json_array_is_one_sentence(tmp_path: Path, text: str | bytes, said: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SourceError, match=said):
        list(items(read_blocks(str(path)), str(path)))
