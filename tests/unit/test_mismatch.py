"""The detail of a record whose schema does not resolve names a field and two types, and quotes no schema."""

from __future__ import annotations

import copy
import io
import json
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_writer

from schemas import single
from schemas.mismatch import LONGEST, described
from schemas.records import AVRO_DIR

STAY = json.loads((AVRO_DIR / "stay.avsc").read_text())
EVENT = {
    "event_id": "7b0c2ad4-6a0e-4c1d-9a49-000000000001",
    "occurred_at": 1,
    "ids": [],
    "touchpoint": "stay.arrived",
    "medium": "web",
}
MAP = {"type": "map", "values": "string"}


def record(name: str, *fields: tuple[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": key, "type": type_} for key, type_ in fields]}


@pytest.mark.parametrize(
    ("field", "type_", "value", "said"),
    [
        ("text", MAP, {"a": "b"}, "field text is written as map of string, and read as string"),
        ("text", ["null", MAP], {"a": "b"}, "field text is written as map of string, and read as string"),
        ("ids", MAP, {"a": "b"}, "field ids is written as map of string, and read as array of record rihla.Identifier"),
        ("money", "string", "1 EUR", "field money is written as string, and read as record rihla.Money"),
        ("money", record("Money", ("amount_minor", "string")), {"amount_minor": "x"},
         "field money.amount_minor is written as string, and read as long"),
        ("money", record("Money", ("amount_minor", "long")), {"amount_minor": 1},
         "field money.currency is written as nothing, and read as string"),
        ("occurred_at", "string", "4111 " * 500, "field occurred_at is written as string, and read as long"),
    ],
)  # fmt: skip
def test_the_field_is_named(field: str, type_: Any, value: Any, said: str) -> None:
    written = copy.deepcopy(STAY)
    for one in written["fields"]:
        if one["name"] == field:
            one["type"] = type_
            one.pop("default", None)
    writer, out = single.without_logical_types(written), io.BytesIO()
    schemaless_writer(out, parse_schema(written), {**EVENT, field: value})
    with pytest.raises(single.UndecodableError) as raised:
        single.read_datum(out.getvalue(), writer, single.plain("stay"))
    assert str(raised.value) == f"no rihla.Stay: SchemaResolutionError: {said}"


def test_no_type_is_described_at_length() -> None:
    many = [record(f"R{at}", ("a", "string")) for at in range(100)]
    assert len(described(many)) == LONGEST
    assert described({"type": {"type": "array", "items": ["null", "int"]}}) == "array of null or int"
