"""Requests among links and parts: said by kind, by the number that said it before, and read by both versions."""

from __future__ import annotations

import io
import json
from typing import Any

import polars as pl
import pytest
from fastavro import parse_schema, schemaless_reader, schemaless_writer

from schemas.decode import BatchDecoder
from schemas.encode import BatchEncoder
from schemas.fingerprint import crc64
from schemas.records import AVRO_DIR, schema
from schemas.registry import LocalRegistry
from schemas.wire import SINGLE_OBJECT, WireHeader, join, prefix
from streams.kafka.progress import RecordBatch
from streams.model import control
from streams.model.company import built_in
from streams.model.control import ERASE, LINK, NOTHING_STORED, SEND_AGAIN, SUMMARY
from streams.settings import Settings
from streams.stitch.messages import Sent
from streams.stitch.observer import RuleContext
from streams.stitch.reading import Group, Reader
from streams.worker.io import WorkerIO
from tests.support.columns import columns

BEFORE = {
    name: parse_schema(json.loads((AVRO_DIR / f"released/{name}-1.avsc").read_text())) for name in ("link", "part")
}
"""The schemas before there was `kind`."""
A, B = "customer:a", "customer:b"
OLD_PARTS = [(A, B, 7, b"x"), (A, B, 8, None), (A, A, -1, None), (A, B, -2, None), (A, A, -3, b"12"), (A, B, -4, None)]
PARTS: list[control.PartRow] = [
    (A, B, 7, b"x", SUMMARY),
    (A, B, 8, None, SUMMARY),
    control.erase_part(A),
    control.send_again(A, B),
    control.nothing_stored(A, 12),
]
KINDS = [SUMMARY, SUMMARY, ERASE, SEND_AGAIN, NOTHING_STORED]


def written_before(name: str, rows: list[Any]) -> list[bytes]:
    """Values of the version before, by fastavro."""
    values = []
    for row in rows:
        out = io.BytesIO()
        fields = [field["name"] for field in BEFORE[name]["fields"]]
        schemaless_writer(out, BEFORE[name], dict(zip(fields, row, strict=True)))
        values.append(join(WireHeader(SINGLE_OBJECT, crc64(BEFORE[name]))) + out.getvalue())
    return values


def grouped(values: list[bytes]) -> Group:
    """What stitch reads in values of cx.parts."""
    settings = Settings()
    topics = [settings.topic(name) for name in ("interactions", "identities", "parts")]
    made = columns((at, A.encode(), value) for at, value in enumerate(values))
    return Reader(WorkerIO(None, settings, "stitch"), topics, RuleContext({}, 0), built_in()).read(
        [RecordBatch(made, topics[2], 0, 1)]
    )


@pytest.mark.parametrize("old", [False, True])
def test_stitch_reads_parts_of_both_versions_alike(old: bool) -> None:
    group = grouped(
        written_before("part", OLD_PARTS[:5]) if old else BatchEncoder("part", LocalRegistry()).encode(PARTS)
    )
    assert group.refused == []
    assert group.erased == {0: {A}}
    found: list[Sent] = group.of(0).parts[A]
    assert found == [
        (0, B, 7, b"x", SUMMARY),
        (1, B, 8, None, SUMMARY),
        (3, B, -2, None, SEND_AGAIN),
        (4, A, -3, b"12", NOTHING_STORED),
    ]


def test_a_number_that_never_meant_anything_is_refused() -> None:
    ((_, at, reason, detail),) = grouped(written_before("part", OLD_PARTS)).refused
    assert (at, reason, detail) == (5, "undecodable", "version -4 is none")


@pytest.mark.parametrize("old", [False, True])
def test_identity_reads_links_of_both_versions_alike(old: bool) -> None:
    rows: list[control.LinkRow] = [(A, "device:d", 5, LINK), control.erase_link(A), (B, "device:d", 6, LINK)]
    values = (
        written_before("link", [row[:3] for row in rows]) if old else BatchEncoder("link", LocalRegistry()).encode(rows)
    )
    decoded = BatchDecoder("link", LocalRegistry()).decode(values)
    assert decoded.errors == []
    assert control.erasures(decoded.frame).to_list() == [False, True, False]


def test_a_reader_of_the_version_before_finds_in_new_records_the_numbers_that_it_knows() -> None:
    for name, rows, before in (
        ("part", PARTS, OLD_PARTS[:5]),
        ("link", [(A, "device:d", 5, LINK), control.erase_link(A)], [(A, "device:d", 5), (A, A, -1)]),
    ):
        values = BatchEncoder(name, LocalRegistry()).encode(rows)
        read = [
            schemaless_reader(io.BytesIO(value[len(prefix(value)) :]), schema(name), BEFORE[name]) for value in values
        ]
        frame = pl.DataFrame(read, orient="row")
        if name == "link":
            frame = frame.with_columns(pl.col("occurred_at").dt.epoch("ms"))
        assert frame.rows() == before


def test_each_kind_is_one_of_the_schema() -> None:
    symbols = {name: schema(name)["fields"][-1]["type"]["symbols"] for name in ("link", "part")}
    assert symbols == {"link": [LINK, ERASE], "part": [SUMMARY, SEND_AGAIN, NOTHING_STORED, ERASE]}
    assert [control.part_kind(SUMMARY, version) for _, _, version, _ in OLD_PARTS] == [*KINDS, None]
    assert [control.part_kind(kind, version) for _, _, version, _, kind in PARTS] == KINDS
