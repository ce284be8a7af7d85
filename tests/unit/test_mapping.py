"""A mapping as a whole: files of every format to events, what becomes of what cannot be read, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid5

import jsonschema
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from backports import zstd

from schemas.records import polars_schema
from streams.dead_letters.lines import MappedLines, OwnLines
from streams.enrich.judge import Judge
from streams.model.dead_letter import FILE as OF_FILE
from streams.model.normal import Nobody
from streams.sources.adapters import open_source
from streams.sources.event_ids import NAMESPACE, uuid5s
from streams.sources.events import BadLine, EventBatch, SourceError
from streams.sources.feeder import _letter
from streams.sources.mapping.model import MappingError, load
from streams.sources.mapping.schema import FILE, schema, text

NOW = 1_750_000_000_000
ROOT = Path(__file__).parents[2]
HEAD = """source = "s"
[[events]]
name = "e"
key = ["id"]
touchpoint = { value = "booking.confirmed" }
medium = { value = "web" }
occurred_at = "at"
booking_ref = "id"
"""
ROWS = [
    {"id": "1", "at": "2025-03-01T10:00:00Z", "n": "2"},
    {"id": "2", "at": "2025-03-01T11:00:00Z", "n": "two"},
    {"id": "3", "at": "soon", "n": None},
]


def mapping(folder: Path, body: str) -> str:
    path = folder / "mapping.toml"
    path.write_text(body, encoding="utf-8")
    return str(path)


def events(batches: Iterable[EventBatch]) -> tuple[list[dict[str, Any]], list[BadLine]]:
    found: list[dict[str, Any]] = []
    bad: list[BadLine] = []
    for batch in batches:
        assert dict(batch.frame.schema) == polars_schema(batch.channel)
        found += [{"channel": batch.channel, **row} for row in batch.frame.to_dicts()]
        bad += batch.bad
    return found, bad


def of(
    folder: Path, body: str, content: str | bytes, name: str = "rows.csv"
) -> tuple[list[dict[str, Any]], list[BadLine]]:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return events(open_source(str(path), mapping=mapping(folder, body)))


def csv(rows: list[dict[str, Any]], separator: str = ",") -> str:
    lines = [separator.join(rows[0]), *(separator.join(str(cell or "") for cell in row.values()) for row in rows)]
    return "\n".join(lines) + "\n"


def write(folder: Path, form: str) -> Path:
    """ROWS in a format."""
    path = folder / f"rows.{form}"
    if form in ("csv", "tsv"):
        path.write_text(csv(ROWS, "," if form == "csv" else "\t"))
    elif form == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    elif form == "json":
        path.write_text(json.dumps(ROWS))
    elif form == "parquet":
        pl.DataFrame(ROWS).write_parquet(path)
    else:
        (folder / "rows.xlsx").write_bytes((ROOT / "tests/unit/data/mapping.xlsx").read_bytes())
    return path


@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl", "json", "parquet", "xlsx"])
@pytest.mark.parametrize("batch_size", [1, 2, 100])
def test_every_format_makes_the_same_events(tmp_path: Path, form: str, batch_size: int) -> None:
    path = write(tmp_path, form)
    body = mapping(tmp_path, HEAD + 'fields = { nights = "n" }\n')
    found, [bad] = events(open_source(str(path), mapping=body, batch_size=batch_size))
    assert [(one["booking_ref"], one["occurred_at"], one["nights"]) for one in found] == [
        *(("1", 1740823200000, 2), ("2", 1740826800000, None))
    ]
    assert [one["attributes"] for one in found] == [[], [{"key": "n", "value": "two"}]]
    assert [one["event_id"] for one in found] == uuid5s("s", ["1:e,1:1,", "1:e,1:2,"]).to_list()
    line = {"jsonl": 3, "parquet": 3, "json": 1}.get(form, 4)  # the array is on one line
    assert (bad.line, bad.reason) == (line, "bad_time")
    assert bad.detail == "item 3: " * (form == "json") + "column at: 'soon' is no time of the form iso"


@pytest.mark.parametrize("form", ["jsonl", "json"])
def test_json_that_only_an_enemy_writes_costs_its_row(tmp_path: Path, form: str) -> None:
    good = '{"id": "1", "at": "2025-01-01"}'
    lines = [good, '{"id": "\\ud800", "at": "2025-01-01"}', '{"id": ' + "[" * 900 + "]" * 900 + "}", good]
    lines += [
        json.dumps({f"k{n}-{m}": m for m in range(500)} | {"id": str(n + 2), "at": "2025-01-01"}) for n in range(300)
    ]
    content = "\n".join(lines) if form == "jsonl" else "[" + ",\n".join(lines) + "]"
    found, bad = of(tmp_path, HEAD, content, f"rows.{form}")
    assert len(found) == 302
    assert {one.line for one in bad} == {2, 3}


def test_dates_of_excel_are_times_of_the_zone(tmp_path: Path) -> None:
    body = HEAD + '[read]\nzone = "Asia/Riyadh"\n'
    found, bad = of(tmp_path, body, (ROOT / "tests/unit/data/mapping-dates.xlsx").read_bytes(), "rows.xlsx")
    assert [(one["booking_ref"], one["occurred_at"]) for one in found] == [
        *(("10001", 1740812400000), ("10002", 1740862800000))
    ]
    assert bad == []


def test_ids_are_what_anybody_computes() -> None:
    names = ["", "1:e,1:1,", "فاطمة"]
    assert uuid5s("opera", names).to_list() == [str(uuid5(uuid5(NAMESPACE, "opera"), name)) for name in names]
    assert uuid5s("opera", []).to_list() == []


def test_ids_of_the_source_are_kept(tmp_path: Path) -> None:
    body = HEAD.replace('key = ["id"]', 'event_id = "id"')
    given = "6f3c2a52-3d0e-4f6c-9a0f-1d1f0f7f0a01"
    found, [bad] = of(tmp_path, body, csv([{"id": one, "at": "2025-01-01"} for one in (given, "ajs-7", "")]))
    assert [one["event_id"] for one in found] == [given, *uuid5s("s", ["ajs-7"])]
    assert [one["attributes"] for one in found] == [[], [{"key": "source_event_id", "value": "ajs-7"}]]
    assert bad.reason in ("no_identifier", "bad_event_id")
    assert "column id: is empty" in bad.detail


PEOPLE = """ids = [
  { kind = "customer", column = "c", prefix = "brand-", case = "upper" },
  { kind = "Email_SHA256", column = "e" },
  { kind = "phone_sha256", column = "p", country_code = "966" },
]
"""


def test_identifiers_are_normal_and_nobody_is_left_out(tmp_path: Path) -> None:
    body = HEAD.replace('booking_ref = "id"', PEOPLE)
    rows = [
        {"id": "1", "at": "2025-01-01", "c": " c-٧٧ ", "e": "A@B.example", "p": "0501234567"},
        {"id": "2", "at": "2025-01-01", "c": "unknown", "e": "not an address", "p": "+966 50 123 4567"},
        {"id": "3", "at": "2025-01-01", "c": "null", "e": "n/a", "p": "000"},
    ]
    found, [bad] = of(tmp_path, body, csv(rows))
    kinds = [{pair["kind"]: pair["value"] for pair in one["ids"]} for one in found]
    assert kinds[0]["customer"] == "brand-C-77"
    assert [sorted(one) for one in kinds] == [["customer", "email_sha256", "phone_sha256"], ["phone_sha256"]]
    assert kinds[0]["phone_sha256"] == kinds[1]["phone_sha256"]
    assert (bad.line, bad.reason) == (4, "no_identifier")


def test_a_dead_letter_shows_no_cell_that_is_hashed(tmp_path: Path) -> None:
    body = HEAD + PEOPLE
    row = {"id": "1", "at": "never", "c": "x@y.example", "e": "fatimah@example.com", "p": "0501234567"}
    found, [bad] = of(tmp_path, body, csv([row]))
    assert found == []
    assert json.loads(bad.payload) == {
        "id": "1",
        "at": "never",
        "c": "***********",
        "e": "*******************",
        "p": "**********",
    }
    assert bad.masked
    _, [ragged] = of(tmp_path, body, "id,at,c,e,p\n1,2025-01-01,fatimah@example.com\n")
    assert b"fatimah" not in ragged.payload


def test_several_events_of_a_row_and_one_letter_for_it(tmp_path: Path) -> None:
    second = (
        HEAD.partition("[[events]]")[2]
        .replace('"e"', '"f"')
        .replace('"at"', '"left"')
        .replace("booking.confirmed", "stay.checked_out")
    )
    body = f'{HEAD}\n[[events]]{second}when = "left IS NOT NULL"\n'
    rows = [{"id": str(n), "at": at, "left": left} for n, (at, left) in enumerate(
        (("2025-01-01", ""), ("2025-01-01", "2025-01-02"), ("x", "2025-01-02"), ("x", "y")), 1)]  # fmt: skip
    found, bad = of(tmp_path, body, csv(rows))
    assert sorted((one["channel"], one["booking_ref"]) for one in found) == [
        *(("booking", "1"), ("booking", "2"), ("stay", "2"), ("stay", "3"))
    ]
    assert [(one.line, one.detail) for one in bad] == [
        (4, "column at: 'x' is no time of the form iso"),
        (5, "column at: 'x' is no time of the form iso; column left: 'y' is no time of the form iso"),
    ]


def test_words_in_other_spellings(tmp_path: Path) -> None:
    body = """source = "s"
[[events]]
name = "e"
key = ["id"]
touchpoint = "what"
medium = { column = "how", otherwise = "system" }
channel = { column = "where", table = { " HOTEL " = "stay" }, otherwise = "Post-Travel" }
occurred_at = "at"
booking_ref = "id"
country = "land"
money = { amount = "paid", currency = "cur" }
survey = { instrument = { value = "NPS" }, score = "nps" }
aspect_ratings = { room = "room" }
fields = { service = "service" }
[read]
currency = "SAR"
"""
    one = {"id": "1", "at": "2025-01-01", "what": "Stay Checked-Out", "how": "In Person", "where": "hotel",
           "land": "sau", "paid": "1", "cur": "kwd", "nps": "9", "room": "5", "service": "spa"}  # fmt: skip
    two = one | {
        "id": "2",
        "what": "My.Own",
        "how": "",
        "where": "",
        "land": "Narnia",
        "paid": "much",
        "cur": "",
        "nps": "good",
    }
    three = one | {"id": "3", "how": "carrier pigeon"}
    found, [bad] = of(tmp_path, body, csv([one, two, three]))
    first, second = sorted(found, key=lambda each: str(each["booking_ref"]))
    assert (first["channel"], first["touchpoint"], first["medium"]) == ("stay", "stay.checked_out", "in_person")
    assert (first["country"], first["money"]) == ("SA", {"amount_minor": 1000, "currency": "KWD"})
    assert (first["survey"], first["service"]) == ({"instrument": "nps", "score": 9.0}, "spa")
    assert first["attributes"] == [{"key": "room", "value": "5.0"}]  # the channel has no such field
    assert (second["channel"], second["touchpoint"], second["medium"]) == ("post_travel", "My.Own", "system")
    assert second["aspect_ratings"] == [{"aspect": "room", "rating": 5.0}]
    assert {(kept["key"], kept["value"]) for kept in second["attributes"]} == {
        *(("land", "Narnia"), ("paid", "much"), ("nps", "good"), ("service", "spa"))
    }
    assert (second["money"], second["survey"], second["country"]) == (None, None, None)
    assert (bad.line, bad.detail[:36]) == (4, "column how: 'carrier pigeon' is none")


def test_members_of_members_and_typed_columns(tmp_path: Path) -> None:
    body = HEAD.replace('"id"', '"booking.id"').replace('occurred_at = "at"', 'occurred_at = "booking.at"')
    row = {"booking": {"id": 7, "at": "2025-01-01T00:00:00Z"}, "more": [1, {"a": None}]}
    found, [bad] = of(tmp_path, body, json.dumps(row) + "\n[1]\n", "rows.jsonl")
    assert (found[0]["booking_ref"], bad.detail) == ("7", "not a JSON object")
    path = tmp_path / "rows.parquet"
    frame = pl.DataFrame([row["booking"]]).with_columns(pl.col("at").str.to_datetime(time_zone="UTC"))
    frame.select(pl.struct("id", "at").alias("booking")).write_parquet(path)
    assert events(open_source(str(path), mapping=mapping(tmp_path, body)))[0] == found


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "rows.csv",
            "ref,at\n1,2\n" * 1000,
            "there is no column 'id', which the mapping names; there are: 'ref', 'at'",
        ),
        ("rows.csv", "", "is empty"),
        ("rows.csv", "id;at\n1;2\n", "there are: 'id;at'"),
        ("rows.csv", b"\xffid,at\n", "first line is no line of columns: the line is not UTF-8 at octet 1"),
        ("rows.csv", "id,at\n".encode("utf-16-be"), "zero bytes"),
        ("rows.jsonl", "id,at\n" * 1000, "no JSON Lines: none of the first 1,000 lines"),
        ("rows.jsonl", '{"a": 1}\n' * 1000, "there is no column 'id', 'at'"),
        ("rows.json", "id,at\n" * 1000, "no JSON array"),
        ("rows.parquet", "id,at\n" * 1000, "no Parquet file"),
        ("rows.xlsx", "id,at\n" * 1000, "no Excel file"),
        ("rows.dat", "id,at\n", "its name does not say its format"),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path: Path, name: str, content: str | bytes, said: str) -> None:
    with pytest.raises(SourceError, match="rows") as error:
        of(tmp_path, HEAD, content, name)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        ('key = ["id"]', "", "key"),
        ('key = ["id"]', 'key = ["id"]\nevent_id = "id"', "one of both"),
        ('key = ["id"]', "key = []", "names no column"),
        ('booking_ref = "id"', "", "nothing says whose it is"),
        ('{ value = "web" }', '{ value = "fax" }', "medium: 'fax' is none of web"),
        ('{ value = "web" }', '{ column = "m", table = { A = "fax" } }', "'fax' is none of"),
        ('{ value = "web" }', '{ value = "web", sql = "m" }', "it has value, sql"),
        ('{ value = "web" }', "{}", "it has none"),
        ('"at"\n', '{ column = "at", zone = "Riyadh" }\n', "no time zone"),
        ('"at"\n', '{ column = "at", format = "DD.MM" }\n', "has no %"),
        ('"at"\n', '"at"\nwhen = "id"\n', "this is no condition"),
        ('"at"\n', '"at"\nwhen = "COUNT(*) > 1"\n', "of one row"),
        ('"at"\n', '"at"\nfields = { nigths = "n" }\n', "no channel has the field 'nigths'"),
        ('"at"\n', '"at"\nids = [{ kind = "booking_ref", column = "id" }]\n', "no kind of identifier"),
        ('"at"\n', '"at"\nnonsense = 1\n', "nonsense"),
        ('source = "s"', 'source = ""', "source is empty"),
        ('source = "s"', "", "source"),
        ('source = "s"', 'source = "s"\nversion = 2', "version"),
        ('source = "s"', 'source = "s"\nread = { encoding = "utf-16" }', "encoding"),
        ('source = "s"', 'source = "s"\nread = { separator = "ab" }', "separator"),
        ('source = "s"', "source = ", "TOML|nvalid"),
    ],
)
def test_a_mapping_that_is_none_is_one_sentence(tmp_path: Path, was: str, now: str, said: str) -> None:
    assert was in HEAD
    (tmp_path / "rows.csv").write_text("id,at,m\n")
    with pytest.raises(MappingError, match=said) as error:
        open_source(str(tmp_path / "rows.csv"), mapping=mapping(tmp_path, HEAD.replace(was, now, 1)))
    assert "\n" not in str(error.value)


def test_a_mapping_and_an_adapter_are_one_too_many(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="one of both"):
        open_source("-", "jsonl", mapping="m.toml")


def test_the_published_schema_is_that_of_the_reader() -> None:
    assert FILE.read_text("utf-8") == text(), "python -m streams.sources.mapping.schema"
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ('"at"\n', '"at"\nnonsense = 1\n'),
        ('source = "s"', ""),
        ('source = "s"', 'source = "s"\nversion = 2'),
        ('source = "s"', 'source = "s"\nread = { format = "xml" }'),
        ('key = ["id"]', 'key = "id"'),
        ('{ value = "web" }', "{ value = 1 }"),
        ('booking_ref = "id"', 'ids = [{ column = "id" }]'),
    ],
)
def test_what_the_schema_refuses_the_reader_refuses(tmp_path: Path, was: str, now: str) -> None:
    import tomllib

    judge = jsonschema.Draft202012Validator(schema())
    assert judge.is_valid(tomllib.loads(HEAD))
    body = HEAD.replace(was, now, 1)
    assert not judge.is_valid(tomllib.loads(body))
    with pytest.raises(MappingError):
        load(mapping(tmp_path, body))


def test_utf_16_and_compressed_files_are_read(tmp_path: Path) -> None:
    text = "id,at\n\u0641,2025-01-01\n"
    found, [] = of(tmp_path, HEAD + "[read]\nencoding = 'cp1252'\n", text.encode("utf-16"))  # the mark says more
    assert found[0]["booking_ref"] == "\u0641"
    assert of(tmp_path, HEAD, zstd.compress(text.encode()), "rows.csv.zst")[0] == found


@pytest.mark.parametrize(
    ("read", "content"),
    [
        ("header = 4", "Report of the day\nPrinted 1.3.2025; by FRONT\n\nid,at\n1,2025-02-01\n"),
        ("header = 2", "sep=,\nid,at\n1,2025-02-01\n"),
        ("", "id,at\n1,2025-02-01,,\n"),
        ("", "id,at,at\n1,2025-02-01,2025-02-02\n"),
        ("", 'id,at\n="1","=""2025-02-01"""\n'),
        ("", "id,at\n١,٢٠٢٥-٠٢-٠١\n"),
        ("", "id,at\n1,2025-02-01 00:00:00.000 UTC\n"),
    ],
)
@pytest.mark.parametrize("batch", [1, 2, 100])
def test_tables_as_reports_write_them(tmp_path: Path, read: str, content: str, batch: int) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(content)
    made = mapping(tmp_path, HEAD.replace('source = "s"', f'source = "s"\nread = {{ {read} }}', 1))
    batches = [*open_source(str(path), mapping=made, batch_size=batch)]
    assert [line for one in batches for line in one.bad] == []
    [event] = [row for one in batches for row in one.frame.to_dicts()]
    assert event["occurred_at"] == datetime(2025, 2, 1, tzinfo=UTC).timestamp() * 1000
    assert event["booking_ref"] in ("1", "١")


def test_json_numbers_are_kept_whole(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(
        '{"id": 12345678901234567890123, "at": "2025-02-01"}\n{"id": 12345678901234567890124, "at": "2025-02-01"}\n'
        '{"id": 9007199254740993, "at": "2025-02-01", "other": NaN}\n'
    )
    events = [row for one in open_source(str(path), mapping=mapping(tmp_path, HEAD)) for row in one.frame.to_dicts()]
    assert [row["booking_ref"] for row in events] == [
        "12345678901234567890123",
        "12345678901234567890124",
        "9007199254740993",
    ]


def test_a_column_of_parquet_that_no_text_can_be_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    kind = pa.map_(pa.string(), pa.string())
    pq.write_table(pa.table({"id": ["1"], "at": ["2025-02-01"], "m": pa.array([[("a", "b")]], kind)}), path)
    [batch] = open_source(str(path), mapping=mapping(tmp_path, HEAD))
    assert batch.frame["booking_ref"].to_list() == ["1"]


def test_a_mapping_of_another_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as error:
        of(tmp_path, HEAD, "id,at\n" + "1,soon\n" * 400_000)
    assert "none of the first 9,999 rows becomes an event (line 2: column at: 'soon' is no time" in str(error.value)
    found, bad = of(tmp_path, HEAD, "id,at\n" + "1,soon\n" * 99)  # few are letters, as ever
    assert (found, len(bad)) == ([], 99)


def test_what_enrich_would_refuse_is_told_by_file_line_and_column(tmp_path: Path) -> None:
    body = HEAD.replace("booking_ref", "survey = { instrument = { value = 'nps' }, score = 'n' }\nbooking_ref")
    path = tmp_path / "rows.csv"
    path.write_text("id,at,n\n1,2025-01-01,10\n2,2025-01-01,11\n3,1999-01-01,9\n")
    [batch] = open_source(str(path), mapping=mapping(tmp_path, body))
    refused = Judge(Nobody())(batch.frame, NOW)
    assert [(batch.lines[one.row], one.reason, batch.names[one.field]) for one in refused] == [
        (3, "bad_survey", "column n"),
        (4, "bad_time", "column at"),
    ]
    assert json.loads(batch.payloads[1]) == {"id": "2", "at": "2025-01-01", "n": "11"}


def test_letters_of_a_file_are_events_once_the_mapping_is_mended(tmp_path: Path) -> None:
    body = HEAD + 'ids = [{ kind = "email_sha256", column = "mail" }]\n'
    content = "id,at,mail\n1,01.02.2025,a@b.example\n2,03.02.2025,\n3,,\n"
    _, bad = of(tmp_path, body, content)
    path = tmp_path / "rows.csv"
    letters = pl.DataFrame(
        {
            "topic": f"{OF_FILE}{path}",
            "offset": [one.line for one in bad],
            "payload": [_letter(one, str(path)).payload for one in bad],
            "detail": [_letter(one, str(path)).detail for one in bad],
        },
        schema_overrides={"payload": pl.Binary},
    )
    assert OwnLines().readable(letters["payload"].to_list()) == []
    assert "a@b" not in str(letters["payload"][0])
    mended = MappedLines(load(mapping(tmp_path, body.replace('"at"', '{ column = "at", format = "%d.%m.%Y" }'))))
    whole, hidden = mended.whole(letters)  # the address is in the file alone
    assert (whole.height, hidden) == (3, 0)
    assert mended.readable(whole["payload"].to_list()) == [0, 1]
    found, _ = events(mended.events(whole["payload"].to_list()[:2]))
    fresh, _ = of(tmp_path, body.replace('"at"', '{ column = "at", format = "%d.%m.%Y" }'), content)
    assert found == fresh
    path.unlink()
    whole, hidden = mended.whole(letters)
    assert (whole["offset"].to_list(), hidden) == ([3, 4], 1)
