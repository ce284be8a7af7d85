"""Strength, subjects, customer ids; rows of identities; keys of recorded links."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from schemas.decode import BatchDecoder
from schemas.encode import BatchEncoder
from schemas.registry import LocalRegistry
from streams.identity.changelog import GraphState, link_key, link_of
from streams.identity.graph import Change
from streams.identity.resolver import records
from streams.model.identifiers import KINDS, customer_id, limit, named, strength, subject_of


def test_strongest_first_by_kind_then_by_value_and_unknown_kinds_last_by_name() -> None:
    identifiers = [*(f"{kind}:1" for kind in KINDS), "crm:2", "passport:1"]
    assert sorted(set(identifiers), key=strength) == identifiers
    assert sorted(["loyalty:b", "loyalty:10", "loyalty:9"], key=strength) == ["loyalty:10", "loyalty:9", "loyalty:b"]


def test_limits() -> None:
    assert [limit(kind) for kind in (*KINDS, "passport")] == [1, 2, 3, 5, 5, 5, 5, 5]


def test_the_subject_is_the_strongest_identifier_or_the_booking() -> None:
    assert subject_of([("device", "d"), ("loyalty", "b"), ("loyalty", "a")], "R") == "loyalty:a"
    assert subject_of([], "R:1") == "booking_ref:R:1"
    assert subject_of([], None) is None
    assert subject_of([("booking_ref", "X")], None) is None
    assert named([("device", "d"), ("device", "d"), ("booking_ref", "X")]) == ["device:d"]


def test_the_customer_id_is_the_customers_value_or_the_whole_root() -> None:
    assert customer_id("customer:C:7") == "C:7"
    assert customer_id("loyalty:7") == "loyalty:7"
    assert customer_id("booking_ref:R1") == "booking_ref:R1"


def test_identities_are_rows_of_the_record() -> None:
    changes = [
        Change("device:a:b", "customer:C:7", False),
        Change("booking_ref:R", "booking_ref:R", False),
        Change(":x", "loyalty:9", True),
        Change("é:ü", "é:ü", False),
    ]
    registry = LocalRegistry()
    payloads = BatchEncoder("identity", registry).encode(records(changes, 7))
    assert BatchDecoder("identity", registry).decode(payloads).frame.rows() == [
        ("device", "a:b", "customer:C:7", "C:7", False, 7),
        ("booking_ref", "R", "booking_ref:R", "booking_ref:R", False, 7),
        ("", "x", "loyalty:9", "loyalty:9", True, 7),
        ("é", "ü", "é:ü", "é:ü", False, 7),
    ]


@given(st.text(), st.text())
def test_recorded_keys_are_read_back(subject: str, identifier: str) -> None:
    assert link_of(link_key(subject, identifier)) == (subject, identifier)


def test_the_graph_stands_for_the_dict_of_a_table() -> None:
    state = GraphState()
    times = {("customer:1", "device:d"): 5, ("device:d", "social:s"): -3, ("booking_ref:R", "booking_ref:R"): 9}
    values = {link_key(*pair): time.to_bytes(8, signed=True) for pair, time in times.items()}
    for key, value in [*values.items(), (b"announced", (17).to_bytes(8))]:
        state[key] = value
    assert state.resolver.announced == 17
    assert state.get(b"announced") == (17).to_bytes(8)
    assert state.resolver.graph.resolve("social:s").root == "customer:1"
    assert state.resolver.changes == []
    assert [state.get(key) for key in values] == [*list(values.values())[:2], bytes(8)]
    assert state.get(link_key("customer:1", "device:e")) is None
    assert state.pop(link_key("device:d", "social:s"), None) == values[link_key("device:d", "social:s")]
    assert state.pop(link_key("device:d", "social:s"), None) is None
    assert state.resolver.graph.resolve("social:s").root == "social:s"
    assert len(state) == 1


def test_an_entry_of_another_form_is_no_link() -> None:
    assert GraphState().get(b"something else") is None
