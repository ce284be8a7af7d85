"""Identifiers that count within a brand: who is who then, and what enrich writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streams.embedded.accounting import Naming, event_keys
from streams.enrich.transform import Enricher
from streams.identity.graph import Graph
from streams.model.company import load
from streams.model.identifiers import Kinds
from streams.model.normal import Nobody
from streams.verify.identity import who_is_who
from tests.unit.test_enrich_clear import NOW, REGISTRY, STORED, ids, payload
from tests.unit.test_model import BRANDS, folder

KINDS = Kinds(scoped=("customer",))


def stay(*pairs: tuple[str, str], number: int = 1, **changes: Any) -> bytes:
    return payload(event_id=f"00000000-0000-4000-8000-{number:012}", ids=ids(*pairs), **changes)


@pytest.mark.parametrize(
    ("changes", "subject"),
    [
        ({"unit": "MAK-1"}, "customer:noor/1001"),
        ({"unit": "JED-3"}, "customer:safa/1001"),
        ({"unit": "LON-1"}, "customer:safa/1001"),
        ({"unit": "LON-2"}, "customer:noor/1001"),
        ({}, "customer:noor/1001"),
        ({"attributes": [{"key": "brand", "value": " Safa"}], "unit": "MAK-1"}, "customer:safa/1001"),
        ({"attributes": [{"key": "brand", "value": "other"}], "unit": "JED-1"}, "customer:safa/1001"),
    ],
)
def test_an_event_tells_its_brand(tmp_path: Path, changes: dict[str, Any], subject: str) -> None:
    model = load(folder(tmp_path, identifiers__toml=BRANDS))
    found = Enricher(REGISTRY, model=model).enrich({"stay": [stay(("customer", "1001"), **changes)]}, NOW)
    assert found.refused == []
    assert found.subjects == [subject.encode()]
    (row,) = STORED.decode(found.values).frame.select("ids", "subject").rows()
    assert row == (ids(("customer", subject.partition(":")[2])), subject)
    # who compares what was sent with what became of it names it the same
    sent = STORED.decode(found.values).frame.drop("subject")
    naming = Naming(Nobody(), model.scopes, model.kinds)
    assert event_keys(sent, naming)["subject"].to_list() == [subject]


def test_one_that_is_written_with_its_brand_stays_and_other_kinds_are_the_companys(tmp_path: Path) -> None:
    model = load(folder(tmp_path, identifiers__toml=BRANDS))
    value = stay(("customer", "safa/1001"), ("loyalty", "L7"), unit="MAK-1")
    found = Enricher(REGISTRY, model=model).enrich({"stay": [value]}, NOW)
    assert found.subjects == [b"customer:safa/1001"]
    assert [*found.links] == [(b"customer:safa/1001", b"loyalty:L7")]


def test_without_a_scope_nothing_changes() -> None:
    assert Enricher(REGISTRY).enrich({"stay": [stay(("customer", "1001"), unit="JED-1")]}, NOW).subjects == [
        b"customer:1001"
    ]


@pytest.mark.parametrize("kinds", [KINDS, Kinds()])
def test_customers_of_two_brands_are_one_where_a_loyalty_number_joins_them(kinds: Kinds) -> None:
    noor, safa, other, card = "customer:noor/1001", "customer:safa/1001", "customer:safa/2", "loyalty:L7"
    links = [(noor, card, 1), (safa, card, 2)]
    graph = Graph(kinds)
    graph.apply([(noor, "device:d", 0), (safa, "device:e", 0)])
    assert graph.resolve(safa).root == safa, "equal values of two brands are two people"
    graph.apply(links)
    joined = kinds is KINDS
    assert (graph.resolve(safa).root == noor) == joined
    assert graph.resolve(card).shared != joined
    graph.apply([(other, card, 3)])  # a second customer of a brand: then the card says nothing any more
    assert graph.resolve(card).shared
    assert graph.resolve(safa).root == safa
    expected = who_is_who([(noor, "device:d", 0), (safa, "device:e", 0), *links, (other, card, 3)], kinds)
    assert {one.identifier: (one.root, one.shared) for one in graph.identities()} == expected
