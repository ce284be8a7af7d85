"""`rihla map`: what it proposes, what it finds, and the example of docs/ways-in.md."""

from __future__ import annotations

import json
import re
from pathlib import Path

import polars as pl
import pytest

from streams.cli.main import main
from streams.sources.adapters import open_source
from streams.sources.events import SourceError
from streams.sources.mapping.check import check_file
from streams.sources.mapping.headings import meaning
from streams.sources.mapping.model import load

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "property-system"
FILE, MAPPING = str(EXAMPLE / "reservations.csv"), str(EXAMPLE / "mapping.toml")


def test_the_example_makes_these_events() -> None:
    expected = [json.loads(line) for line in (EXAMPLE / "events.jsonl").read_text("utf-8").splitlines()]
    found = [
        {"channel": batch.channel, **{name: value for name, value in row.items() if value not in (None, [])}}
        for batch in open_source(FILE, mapping=MAPPING)
        for row in batch.frame.to_dicts()
    ]
    assert found == expected


def test_the_example_is_events_of_json_lines_too(tmp_path: Path) -> None:
    """What a mapping makes, the form of its own takes without a loss."""
    mapped = {batch.channel: batch.frame for batch in open_source(FILE, mapping=MAPPING)}
    for batch in open_source(str(EXAMPLE / "events.jsonl")):
        assert batch.frame.equals(mapped[batch.channel])
        assert batch.bad == []


def test_check_of_the_example(capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(EXAMPLE.iterdir())
    assert main(["map", "check", FILE, "--mapping", MAPPING]) == 3
    out = capsys.readouterr().out
    for said in (
        "20 rows make 44 events; 1 of the rows would be dead letters",
        "1 rows meet the condition of no event",
        "18 booking.confirmed",
        "1 column booked_on (bad_time)",
        "line 13: '31/02/2025 10:00' is no time of the form %d/%m/%Y %H:%M",
        "1 column pax",
        "42 of 44 events have customer",
    ):
        assert said in out
    assert sorted(EXAMPLE.iterdir()) == before


def test_init_proposes_a_mapping_that_check_takes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "m.toml"
    assert main(["map", "init", FILE, "--out", str(out)]) == 0
    proposed = load(str(out))
    assert (proposed.source, proposed.read.separator, proposed.read.decimal) == ("reservations", ";", ",")
    [event] = proposed.events
    assert event.key == ["res_no", "status"]
    assert {each.kind: each.column for each in event.ids} == {
        "customer": "guest_no",
        "email_sha256": "email",
        "phone_sha256": "mobile",
    }
    report = check_file(FILE, proposed)
    assert [(label, refused.count) for (label, _), refused in report.refused.items()] == [
        *(("column booked_on", 1), ("column status", 1))
    ]
    assert main(["map", "init", FILE, "--out", str(out)]) == 1
    assert "writes over nothing" in capsys.readouterr().err


REPORT = """Hotel Nur - Arrivals
Printed 29.11.2026; FRONT1

Res. No;Guest;E-Mail;Arr. Date (H);Arr. Time;Dep. Date (H);Dep. Time;Status;Total
H1;Zoë Müller;zoe@example.de;04/01/1446;15:07;06/01/1446;10:11;c/o;1.500,00
H2;Noël;n@example.de;07/01/1446;;09/01/1446;11:22;C/O;2.650,00
H3;Omar;o@example.om;10/01/1446;17:21;29/01/1446;9:33;CXL;800,00
"""


def test_init_reads_a_report_with_a_title_hijri_dates_and_times_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, mapping = tmp_path / "report.csv", tmp_path / "m.toml"
    path.write_bytes(REPORT.encode("cp1252"))
    assert main(["map", "init", str(path), "--out", str(mapping)]) == 0
    text = mapping.read_text("utf-8")
    assert {'separator = ";"', "header = 4  # the line with the names of the columns", 'decimal = ","'} <= {
        *text.splitlines()
    }
    assert '"Arr. Date (H)\\" || \' \' || COALESCE(\\"Arr. Time\\", \'00:00\')", format = "%d/%m/%Y %H:%M"' in text
    assert text.lower().count('"c/o" = "stay.checked_out"') == 1  # a table's words have no case
    assert 'kind = "customer"' not in text  # people's names
    capsys.readouterr()
    assert main(["map", "check", str(path), "--mapping", str(mapping)]) == 0
    told = capsys.readouterr().out
    assert "3 rows make 3 events; 0 of the rows would be dead letters" in told


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", 'a"b,c\\d,"e\nf",\n1,2,3,4\n'),
        ("a.tsv", "x\n1\n"),
        ("a.jsonl", '{"a.b": {"c": "2025-01-01"}, "\\u007f": "\\u0001"}\n'),
        ("a.json", '[{"id": 1}]'),
    ],
)
def test_what_init_proposes_is_always_a_mapping(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    assert main(["map", "init", str(tmp_path / name), "--out", str(tmp_path / "m.toml")]) == 0
    assert check_file(str(tmp_path / name), load(str(tmp_path / "m.toml"))).rows == 1


def test_check_finds_what_looks_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {
            "id": str(n),
            "at": "2025-01-01",
            "what": "stay.arived",
            "guest": "KIOSK" if n % 2 else f"G{n}",
            "mail": "null",
        }
        for n in range(1, 101)
    ]
    pl.DataFrame(rows).write_csv(tmp_path / "a.csv")
    (tmp_path / "m.toml").write_text(
        """source = "s"
[read]
null = [""]
[[events]]
name = "e"
key = ["id"]
touchpoint = "what"
medium = { value = "app" }
occurred_at = "at"
ids = [{ kind = "customer", column = "guest" }, { kind = "email_sha256", column = "mail" }]
"""
    )
    assert main(["map", "check", str(tmp_path / "a.csv"), "--mapping", str(tmp_path / "m.toml")]) == 0
    out = capsys.readouterr().out
    assert "100 stay.arived: did you mean stay.arrived" in out
    assert "looks wrong: 50 of the 100 events with customer have the same one, 'KIOSK'" in out
    assert "100 column mail (no email_sha256)" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("map", "check", "nowhere.csv", "--mapping", MAPPING), "nowhere.csv: there is no such file"),
        (("map", "check", FILE, "--mapping", "nowhere.toml"), "nowhere.toml"),
        (("map", "check", FILE, "--mapping", FILE), "reservations.csv"),
        (("map", "init", "nowhere.csv"), "nowhere.csv"),
        (("run", FILE), "rihla map init"),
        (("run", FILE, "--mapping", MAPPING, "--adapter", "jsonl"), "one of both"),
    ],
)
def test_mistakes_are_one_line(arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 1
    err = capsys.readouterr().err
    assert said in err
    assert "Traceback" not in err


def test_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["map", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Rihla mapping"


def test_check_knows_whom_the_model_blocks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As enrich does: what it would refuse is told before anything is sent."""
    (tmp_path / "a.csv").write_text("id,at,guest\n1,2025-01-01,KIOSK-7\n2,2025-01-01,G2\n3,2025-01-01,WALKIN\n")
    (tmp_path / "m.toml").write_text(
        """source = "s"
[[events]]
name = "e"
key = ["id"]
touchpoint = { value = "stay.arrived" }
medium = { value = "app" }
occurred_at = "at"
ids = [{ kind = "customer", column = "guest" }]
"""
    )
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "identifiers.toml").write_text(
        'block = ["kiosk-7"]\n[[kind]]\nname = "customer"\nlimit = 1\n'
    )
    monkeypatch.setenv("RIHLA_MODEL", str(tmp_path / "model"))
    monkeypatch.setenv("RIHLA_NOBODY", "walkin")
    assert main(["map", "check", str(tmp_path / "a.csv"), "--mapping", str(tmp_path / "m.toml")]) == 3
    assert "3 rows make 1 events; 2 of the rows would be dead letters" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("encoding", "header", "rows"),
    [
        (
            "cp1252",
            "Buchungsnr.;Gast-ID;E-Mail;Telefon;Gebucht am;Anreise;Abreise;Status;Betrag;Währung;Erw.;Nächte",
            [
                "R1;0001;a@b.de;0171 1;18.01.2025 17:57;10.03.2025;12.03.2025;Abgereist;1.259,00;EUR;2;2",
                "R2;0002;c@d.de;-;19.01.2025 09:52;13.03.2025;15.03.2025;Storniert;178,00;EUR;1;2",
            ],
        ),
        (
            "cp1256",
            "رقم الحجز;رقم الضيف;البريد الإلكتروني;رقم الجوال;تاريخ الحجز;تاريخ الوصول;تاريخ المغادرة;الحالة;"
            "المبلغ;العملة;عدد الضيوف;عدد الليالي",
            [
                "R1;0001;a@b.sa;0501;18.01.2025 17:57;10.03.2025;12.03.2025;غادر;1.259,00;SAR;2;2",
                "R2;0002;c@d.sa;-;19.01.2025 09:52;13.03.2025;15.03.2025;ملغي;178,00;SAR;1;2",
            ],
        ),
        (
            "utf-8",
            "Rezervasyon No;Misafir No;E-posta;Telefon;Rezervasyon Tarihi;Giriş;Çıkış;Durum;"
            "Tutar;Para Birimi;Kişi;Gece",
            [
                "R1;0001;a@b.tr;0501;18.01.2025 17:57;10.03.2025;12.03.2025;Çıkış yaptı;1.259,00;TRY;2;2",
                "R2;0002;c@d.tr;-;19.01.2025 09:52;13.03.2025;15.03.2025;İptal;178,00;TRY;1;2",
            ],
        ),
        (
            "utf-8",
            "No Reservasi;ID Tamu;Email;Telepon;Tanggal Pemesanan;Check-in;Check-out;Status;"
            "Harga;Mata Uang;Jumlah Tamu;Malam",
            [
                "R1;0001;a@b.id;0501;18.01.2025 17:57;10.03.2025;12.03.2025;Sudah check-out;1.259,00;IDR;2;2",
                "R2;0002;c@d.id;-;19.01.2025 09:52;13.03.2025;15.03.2025;Dibatalkan;178,00;IDR;1;2",
            ],
        ),
    ],
)
def test_init_reads_headings_and_statuses_of_several_languages(
    tmp_path: Path, encoding: str, header: str, rows: list[str]
) -> None:
    path, mapping = tmp_path / "stays.csv", tmp_path / "m.toml"
    path.write_bytes("\r\n".join([header, *rows, ""]).encode(encoding))
    assert main(["map", "init", str(path), "--out", str(mapping)]) == 0
    names = header.split(";")
    proposed = load(str(mapping))
    [event] = proposed.events
    assert (proposed.read.encoding, proposed.read.decimal) == (encoding, ",")
    assert "-" in (proposed.read.null or ())
    assert event.key == [names[0], names[7]]
    assert (event.booking_ref, {one.kind: one.column for one in event.ids}) == (
        names[0],
        {"customer": names[1], "email_sha256": names[2], "phone_sha256": names[3]},
    )
    assert event.money is not None
    assert (event.money.amount, event.money.currency) == (names[8], names[9])
    assert event.fields == {"party_size": names[10], "nights": names[11]}
    report = check_file(str(path), proposed)
    assert report.events == {("stay", "stay.checked_out"): 1, ("booking", "booking.cancelled"): 1}
    text = mapping.read_text("utf-8")
    first, *others = re.split(r"(?m)^# .* tells of an event of its own.*\n", text)
    mapping.write_text(first + "".join(re.sub(r"(?m)^# ", "", one) for one in others), "utf-8")
    made = check_file(str(path), load(str(mapping))).events
    assert made["stay", "stay.arrived"] == 1  # what is proposed as comments is a mapping, too
    assert made["stay", "stay.checked_out"] == 2


@pytest.mark.parametrize("cell", ["Nicht bestätigt", "unconfirmed", "not confirmed", "غير مؤكد", "Belum dikonfirmasi"])
def test_init_proposes_nothing_for_what_is_denied(cell: str) -> None:
    assert meaning(cell) is None


def test_check_tells_events_that_the_key_does_not_tell_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only one of each is stored; a row that comes twice is no fault."""
    path, mapping = tmp_path / "a.csv", tmp_path / "m.toml"
    mapping.write_text(
        """source = "s"
[[events]]
name = "e"
key = ["id"]
touchpoint = { value = "stay.arrived" }
medium = { value = "app" }
occurred_at = "at"
country = "land"
ids = [{ kind = "customer", column = "guest" }]
"""
    )
    path.write_text(
        "id,at,guest,land\n1,2025-01-01,G1,SA\n1,2025-01-01,G1,SA\n2,2025-01-01,G2,Ozland\n2,2025-01-02,G2,SA\n"
    )
    assert main(["map", "check", str(path), "--mapping", str(mapping)]) == 3
    told = capsys.readouterr().out
    assert "1 events are the same as one before them" in told
    assert "looks wrong: 1 events differ from the first with their id" in told
    assert "stay.arrived of line 4 and of line 5" in told
    assert "1 column land; the first is line 4: 'Ozland'" in told
    path.write_text("id,at,guest,land\n1,2025-01-01,G1,SA\n1,2025-01-01,G1,SA\n")
    assert main(["map", "check", str(path), "--mapping", str(mapping)]) == 0
    monkeypatch.setattr("streams.sources.mapping.same_ids.KNOWN", 500)
    path.write_text("id,at,guest,land\n" + "".join(f"{n // 2},2025-01-01,G{n},SA\n" for n in range(8_000)))
    ids = check_file(str(path), load(str(mapping))).ids
    assert ids.estimated
    assert len(ids._known) <= 500
    assert ids.other == pytest.approx(4_000, rel=0.3)


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        ('{ value = "stay.arrived" }', '"Stay Arrived"', 'is the word itself meant? { value = "Stay Arrived" }'),
        ('{ value = "app" }', '"app"', 'is the word itself meant? { value = "app" }'),
        ('"at"', '"At "', "'At ' is nearly 'at'"),
    ],
)
def test_a_word_in_the_place_of_a_column_is_told_what_it_may_mean(
    tmp_path: Path, was: str, now: str, said: str
) -> None:
    (tmp_path / "a.csv").write_text("id,at,guest\n1,2025-01-01,G1\n")
    text = """source = "s"
[[events]]
name = "e"
key = ["id"]
touchpoint = { value = "stay.arrived" }
medium = { value = "app" }
occurred_at = "at"
ids = [{ kind = "customer", column = "guest" }]
"""
    (tmp_path / "m.toml").write_text(text.replace(was, now))
    with pytest.raises(SourceError) as raised:
        check_file(str(tmp_path / "a.csv"), load(str(tmp_path / "m.toml")))
    assert said in str(raised.value)
