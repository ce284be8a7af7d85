"""Who was erased is recognised and refused, and nobody else; what names look like in payloads and texts."""

from __future__ import annotations

import re

import numpy as np
import polars as pl
import pytest

from schemas.decode import Decoded
from schemas.encode import BatchEncoder
from schemas.records import empty, polars_schema
from schemas.registry import LocalRegistry
from streams.erasure.erased import Erased, Erasure, OtherKeyError
from streams.erasure.guard import guard
from streams.erasure.key import fingerprint, from_environment, key_id
from streams.errors import RihlaError
from streams.model.control import LINK, SUMMARY, erase_link, erase_part
from streams.model.patterns import avro, expression, needles
from streams.stitch.encoding import decode, encode
from streams.stitch.erase import erase
from streams.stitch.subject import Part, Subject
from streams.stitch.summary import Summary

KEY = bytes(range(32))
AT = 1_700_000_000_000


def erased(*names: str, until: int | None = None) -> Erased:
    found = Erased(KEY)
    found.add(Erasure(fingerprint(name, KEY), key_id(KEY), until) for name in names)
    return found


def events(*events: tuple[list[str], str | None, int]) -> pl.DataFrame:
    rows = [
        {
            "ids": [dict(zip(("kind", "value"), name.split(":", 1), strict=True)) for name in names],
            "booking_ref": ref,
            "occurred_at": at,
        }
        for names, ref, at in events
    ]
    types = polars_schema("booking")
    return pl.DataFrame(rows, schema={name: types[name] for name in ("ids", "booking_ref", "occurred_at")})


def decoded(frame: pl.DataFrame) -> Decoded:
    return Decoded(frame, np.arange(frame.height, dtype=np.int64), [])


def test_an_event_is_refused_when_its_subject_was_erased() -> None:
    frame = events(
        (["customer:1", "device:d"], None, AT),
        (["customer:2"], None, AT),
        ([], "R", AT),
        ([], "S", AT),
        (["device:d"], None, AT),
    )
    kept, keep = erased("customer:1", "booking_ref:R", "device:d").events(frame) or (None, None)
    assert keep is not None
    assert keep.to_list() == [False, True, False, True, False]
    assert kept is not None
    assert kept["booking_ref"].to_list() == [None, "S"]


def test_an_erased_identifier_is_taken_out_of_somebody_elses_event() -> None:
    frame = events((["device:d", "customer:2", "social:s"], "R", AT), (["customer:3", "social:s"], None, AT))
    found = erased("device:d").events(frame)
    assert found is not None
    assert [[one["value"] for one in ids] for ids in found[0]["ids"].to_list()] == [["2", "s"], ["3", "s"]]
    assert found[0].columns == frame.columns


def test_nothing_is_touched_where_nobody_was_erased() -> None:
    frame = events((["customer:2"], None, AT))
    assert Erased(KEY).events(frame) is None
    assert erased("customer:1").events(frame) is None


def test_a_new_history_begins_after_the_erasure() -> None:
    frame = events((["customer:1"], None, AT), (["customer:1"], None, AT + 1))
    found = erased("customer:1", until=AT).events(frame)
    assert found is not None
    assert found[1].to_list() == [False, True]
    assert not erased("customer:1", until=AT).for_ever("customer:1")


def test_another_key_is_refused_instead_of_nobody() -> None:
    other = Erasure("00", key_id(b"other"), None)
    for held in (Erased(KEY), Erased(None)):
        with pytest.raises(OtherKeyError):
            held.add([other])
    with pytest.raises(RihlaError):
        from_environment({"RIHLA_ERASURE_KEY": "short"})
    assert from_environment({}) is None


@pytest.mark.parametrize(
    ("record", "rows", "kept"),
    [
        ("link", [("customer:1", "device:d", AT, LINK), ("customer:2", "customer:1", AT, LINK),
                  erase_link("customer:1"), ("customer:2", "device:e", AT, LINK)], [2, 3]),
        ("link", [("customer:1", "customer:1", AT, LINK), ("customer:1", "customer:1", -1, LINK)], [1]),
        ("part", [("customer:1", "device:d", 3, b"", SUMMARY), ("customer:2", "customer:1", 3, None, SUMMARY),
                  erase_part("customer:1"), ("customer:2", "device:d", 3, b"", SUMMARY)], [2, 3]),
        ("part", [("customer:1", "customer:1", 1, None, SUMMARY), ("customer:1", "customer:1", -1, None, SUMMARY)],
         [1]),
    ],
)  # fmt: skip
def test_what_is_read_again_brings_nobody_back(record: str, rows: list[tuple[object, ...]], kept: list[int]) -> None:
    frame = pl.DataFrame(rows, schema=polars_schema(record), orient="row")
    nothing = [None] * frame.height
    found, refused = guard(record, decoded(frame), nothing, nothing, erased("customer:1"))
    assert found.rows.tolist() == kept
    assert refused == frame.height - len(kept)


def test_interactions_without_their_identifiers_are_told_by_their_key() -> None:
    frame = pl.DataFrame({"occurred_at": [AT, AT]}, schema={"occurred_at": pl.Int64})
    found, refused = guard(
        "interaction", decoded(frame), [b"customer:1", b"customer:2"], [b"", b""], erased("customer:1")
    )
    assert (found.rows.tolist(), refused) == ([1], 1)


def test_the_end_of_a_key_is_no_error() -> None:
    of_tombstone = Decoded(empty("journey"), np.empty(0, dtype=np.int64), [(0, "no value"), (1, "damaged")])
    found, _ = guard("journey", of_tombstone, [b"a", b"b"], [None, b"?"], Erased())
    assert found.errors == [(1, "damaged")]
    found, _ = guard("interaction", of_tombstone, [b"a", b"b"], [None, b"?"], Erased())
    assert len(found.errors) == 2


def test_states_of_and_about_the_erased_go() -> None:
    mine, root, other = Subject(own=Summary(interactions=1)), Subject(), Subject(root="customer:9")
    root.parts = {"device:d": Part(3, None), "device:e": Part(4, None)}
    root.former = ["device:d"]
    states = {b"device:d": encode(mine), b"customer:1": encode(root), b"device:f": encode(other)}
    gone, changed = erase(states.items(), {"device:d"})
    assert gone == [b"device:d"]
    assert changed.keys() == {b"customer:1"}
    left = decode(changed[b"customer:1"])
    assert (left.parts, left.former) == ({"device:e": Part(4, None)}, [])
    assert not any(b"device:d" in state for state in changed.values())


def test_needles_are_in_every_payload_that_names_the_person() -> None:
    row = dict.fromkeys(polars_schema("booking")) | {
        "event_id": "x", "occurred_at": AT, "ids": [{"kind": "customer", "value": "7"}], "touchpoint": "t",
        "medium": "web", "attributes": [],
    }  # fmt: skip
    frame = pl.DataFrame([row], schema=polars_schema("booking"))
    (payload,) = BatchEncoder("booking", LocalRegistry()).encode(frame)
    assert any(needle in payload for needle in needles(["customer:7"]))
    assert not any(needle in payload for needle in needles(["customer:8"]))
    assert not any(needle in payload for needle in needles(["customer:70", "custom:7"]))
    long = "v" * 200
    assert avro(long) == b"\x90\x03" + long.encode()
    assert any(needle in b'{"ids":[{"value":"C00001"' for needle in needles(["customer:C00001"]))


def test_names_are_found_as_words() -> None:
    found = re.compile(expression(["customer:C00001", "device:7"]).replace(r"\pL\pN", r"\w"))
    assert found.search("C00001/R1")
    assert found.search("('device','7') device:7")
    assert not found.search("C000012 and 7")
