"""What holds of every mapped file: ids and events are a function of a row, whatever is around it."""

from __future__ import annotations

import csv
import io
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams.model import currencies
from streams.sources.events import SourceError
from streams.sources.mapping.model import Mapping, load
from streams.sources.mapping.money import minor_units, numbers
from streams.sources.mapping.people import email_hash, phone_hash
from streams.sources.mapping.reader import read
from streams.sources.mapping.times import milliseconds

COLUMNS = ("id", "at", "status", "guest", "email", "total", "note")
BODY = """source = "s"
[read]
currency = "SAR"
[[events]]
name = "a"
key = ["id", "status"]
touchpoint = { column = "status", otherwise = "booking.confirmed" }
channel = { value = "booking" }
medium = { value = "web" }
occurred_at = { column = "at", format = ["iso", "epoch_ms"] }
booking_ref = "id"
ids = [{ kind = "customer", column = "guest" }, { kind = "email_sha256", column = "email" }]
money = { amount = "total" }
text = "note"
fields = { nights = "total" }
[[events]]
name = "b"
when = "status LIKE 'c%' OR TRY_CAST(total AS INT) > 3"
key = ["id"]
touchpoint = { value = "stay.arrived" }
medium = { value = "web" }
occurred_at = { column = "at" }
booking_ref = "id"
attributes = { joined = { sql = "status || '-' || total" } }
"""

cells = st.one_of(
    # A file with zero bytes is refused as a whole: it is no text.
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8),
    st.sampled_from(
        ["", "2025-01-01", "2025-01-01T10:00:00Z", "1740823200000", "cxl", "a@b.example", "12.5", "7", '"', "null"]
    ),
)
rows = st.lists(st.tuples(*[cells] * len(COLUMNS)), max_size=12)


@pytest.fixture(scope="module")
def mapping(tmp_path_factory: pytest.TempPathFactory) -> Mapping:
    path = tmp_path_factory.mktemp("mapping") / "m.toml"
    path.write_text(BODY)
    return load(str(path))


def made(mapping: Mapping, table: list[tuple[str, ...]], batch_size: int) -> tuple[list[str], list[Any]]:
    """Events of a table, each as text, and (payload, reason, detail) of bad lines; sorted."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        text = io.StringIO()
        csv.writer(text, quoting=csv.QUOTE_ALL).writerows([COLUMNS, *table])
        path.write_bytes(text.getvalue().encode())
        events, bad = [], []
        for batch in read(str(path), mapping, batch_size=batch_size):
            events += [repr((batch.channel, row)) for row in batch.frame.rows()]
            bad += [(one.payload, one.reason, one.detail) for one in batch.bad]
        return sorted(events), sorted(bad)


@settings(deadline=None, max_examples=30)
@given(rows, st.integers(1, 13), st.randoms(use_true_random=False))
@example([("1", "2025-01-01", "x\r\ny", "g", "e", "5", '"')], 1, None)
def test_order_of_rows_and_batches_change_nothing(mapping: Mapping, table: Any, batch_size: int, random: Any) -> None:
    expected = made(mapping, table, 1_000)
    assert made(mapping, table, batch_size) == expected
    if random is not None:
        random.shuffle(table)
        assert made(mapping, table, 1_000) == expected


@settings(deadline=None, max_examples=60)
@given(rows)
def test_every_row_is_an_event_or_a_letter(mapping: Mapping, table: Any) -> None:
    """The first event has no condition."""
    events, bad = made(mapping, table, 5)
    first = [one for one in events if one.startswith("('booking'")]
    missed = [row for row in table if any(row)]
    assert len(first) + len(bad) >= len(missed)
    assert len(first) <= len(table)


@given(st.integers(-(10**14), 10**14), st.sampled_from([*currencies.digits(), "SAR", "USD"]), st.integers(0, 3))
def test_money_is_exact(minor: int, currency: str, extra: int) -> None:
    digits = currencies.digits().get(currency, 2)
    text = f"{Decimal(minor).scaleb(-digits):f}" + (("." if digits == 0 else "") + "0" * extra if extra else "")
    assert minor_units(numbers(pl.Series([text])), pl.Series([currency])).to_list() == [minor]


@given(st.decimals(-(10**9), 10**9, places=4), st.sampled_from([".", ","]))
def test_money_with_more_places_is_rounded(amount: Decimal, mark: str) -> None:
    text = f"{amount:f}".replace(".", mark)
    [minor] = minor_units(numbers(pl.Series([text]), mark), pl.Series(["SAR"])).to_list()
    exact = (amount * 100).quantize(Decimal(1), ROUND_HALF_UP)
    assert minor == int(exact) or (amount * 100) % 1 in (Decimal("0.5"), Decimal("-0.5"))


@given(st.text(max_size=30))
def test_hashing_what_is_hashed_changes_nothing(text: str) -> None:
    for make in (email_hash, lambda each: phone_hash(each, "966")):
        if (once := make(text)) is not None:
            assert make(once) == once


digits = st.text(st.sampled_from("0123456789٠١٢߀+-:/. TZeE,\u00a0"), max_size=26)


@given(st.lists(digits | st.text(max_size=12)))
def test_nothing_that_a_cell_holds_raises(texts: list[str]) -> None:
    column = pl.Series(texts, dtype=pl.String)
    for form in ("iso", "epoch_s", "epoch_ms", "epoch_us", "%d/%m/%Y", "%d/%m/%Y %H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"):
        assert len(milliseconds(column, [form], "Asia/Riyadh")) == len(texts)
    assert len(milliseconds(column, ["%d/%m/%Y"], "Asia/Riyadh", "hijri")) == len(texts)
    for mark in (".", ","):
        assert len(minor_units(numbers(column, mark), pl.Series(["SAR"] * len(texts), dtype=pl.String))) == len(texts)


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=300), st.integers(1, 5), st.sampled_from(["csv", "tsv", "jsonl", "json", "parquet", "xlsx"]))
@example(b'id,at,status,guest,email,total,note\n"\x00,\xff"\n\x00', 1, "csv")
def test_any_octets_are_rows_letters_or_one_sentence(mapping: Mapping, data: bytes, batch: int, form: str) -> None:
    head = {"csv": ",", "tsv": "\t"}.get(form)
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"rows.{form}"
        path.write_bytes((head.join(COLUMNS).encode() + b"\n" if head else b"") + data)
        said = ""
        try:
            for _ in read(str(path), mapping, batch_size=batch):
                pass
        except SourceError as error:
            said = str(error)
        assert "\n" not in said
