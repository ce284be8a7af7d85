"""Schemas that refer to other subjects, as four registries answer for them (shapes from their documentation)."""

from __future__ import annotations

import json
from typing import Any

import fastavro
import pytest

from schemas.references import MOST, UnresolvedError, resolved

COUNTRY = {
    "type": "record",
    "name": "Country",
    "namespace": "com.example",
    "fields": [
        {"name": "name", "type": "string"},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["A", "B"]}},
    ],
}
ADDRESS = {
    "type": "record",
    "name": "Address",
    "namespace": "com.example",
    "fields": [{"name": "street", "type": "string"}, {"name": "country", "type": "Country"}],
}
PERSON = {
    "type": "record",
    "name": "Person",
    "namespace": "com.people",
    "fields": [
        {"name": "home", "type": ["null", "com.example.Address"]},
        {"name": "born", "type": "com.example.Country"},
        {"name": "kinds", "type": {"type": "array", "items": "com.example.Kind"}},
        {"name": "friends", "type": {"type": "map", "values": "Person"}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    ],
}
DATUM = {
    "home": {"street": "s", "country": {"name": "c", "kind": "A"}},
    "born": {"name": "d", "kind": "B"},
    "kinds": ["A"],
    "friends": {},
    "at": 1,
}


def refers(subject: str, version: int, name: str) -> dict[str, Any]:
    """An entry of `references`."""
    return {"name": name, "subject": subject, "version": version}


# What differs: Karapace's names are labels; Confluent and Redpanda leave schemaType out for Avro; Apicurio says AVRO,
# names types in full, and gives an empty list where there are none.
REGISTRIES: dict[str, tuple[dict[str, Any], dict[tuple[str, int], dict[str, Any]]]] = {
    "confluent": (
        {"references": [refers("address", 1, "com.example.Address")]},
        {
            ("address", 1): {"subject": "address", "version": 1, "id": 2,
                             "references": [refers("country", 3, "com.example.Country")]},
            ("country", 3): {"subject": "country", "version": 3, "id": 1},
        },
    ),
    "karapace": (
        {"schemaType": "AVRO", "references": [refers("address", 1, "the address"), refers("country", 3, "a label")]},
        {
            ("address", 1): {"subject": "address", "version": 1, "id": 2, "schemaType": "AVRO",
                             "references": [refers("country", 3, "whatever")]},
            ("country", 3): {"subject": "country", "version": 3, "id": 1, "schemaType": "AVRO"},
        },
    ),
    "apicurio": (
        {"schemaType": "AVRO", "references": [refers("address", 1, "com.example.Address")]},
        {
            ("address", 1): {"subject": "address", "version": 1, "id": 2, "schemaType": "AVRO",
                             "references": [refers("country", 3, "com.example.Country")]},
            ("country", 3): {"subject": "country", "version": 3, "id": 1, "schemaType": "AVRO", "references": []},
        },
    ),
    "redpanda": (
        {"references": [refers("country", 3, "com.example.Country"), refers("address", 1, "com.example.Address")]},
        {
            ("address", 1): {"subject": "address", "id": 2, "version": 1,
                             "references": [refers("country", 3, "com.example.Country")]},
            ("country", 3): {"subject": "country", "id": 1, "version": 3},
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("registry", REGISTRIES)
def test_references_are_written_out(registry: str) -> None:
    answer, versions = REGISTRIES[registry]
    schemas = {"address": ADDRESS, "country": COUNTRY}
    asked: list[tuple[str, int]] = []

    def fetch(subject: str, version: int) -> dict[str, Any]:
        asked.append((subject, version))
        return {**versions[subject, version], "schema": json.dumps(schemas[subject])}

    found = resolved({**answer, "schema": json.dumps(PERSON)}, fetch)
    assert "references" not in found
    parsed = fastavro.parse_schema(json.loads(found["schema"]))
    assert fastavro.validate(DATUM, parsed)
    assert sorted(asked) == [("address", 1), ("country", 3)]  # each once


def test_what_refers_to_nothing_stays_as_it_is() -> None:
    def never(subject: str, version: int) -> dict[str, Any]:
        raise AssertionError(subject)

    for answer in ({"schema": "{}"}, {"schema": "{}", "references": []}, {"schemaType": "JSON", "references": [{}]}):
        assert resolved(answer, never) is answer


def test_circles_and_endless_chains_end() -> None:
    circle = {"schema": json.dumps(COUNTRY), "references": [refers("country", 1, "x")]}
    assert json.loads(resolved(circle, lambda subject, version: circle)["schema"])["name"] == "com.example.Country"

    def endless(subject: str, version: int) -> dict[str, Any]:
        return {"schema": '"int"', "references": [refers(subject, version + 1, "x")]}

    with pytest.raises(UnresolvedError, match=f"more than {MOST}"):
        resolved(circle, endless)
    with pytest.raises(UnresolvedError, match="without subject"):
        resolved({"schema": "{}", "references": [{"name": "x"}]}, endless)
    with pytest.raises(UnresolvedError, match="no valid schema"):
        resolved(circle, lambda subject, version: {"schema": "{"})
