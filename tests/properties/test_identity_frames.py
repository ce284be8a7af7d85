"""Subjects and links of a batch in columns are those of its events one by one."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.model.identifiers import subject_of
from streams.model.subjects import LINK_SCHEMA, in_columns, one_by_one, subjects
from streams.verify.identity import links_of

SCHEMA = {
    "ids": pl.List(pl.Struct({"kind": pl.String, "value": pl.String})),
    "booking_ref": pl.String,
    "occurred_at": pl.Int64,
}
KINDS = st.sampled_from(
    ["customer", "loyalty", "email_sha256", "device", "passport", "pass-port", "booking_ref", "customer:x", "group"]
)
VALUES = st.one_of(st.sampled_from(["1", "2", "10"]), st.text(min_size=1, max_size=3))
EVENTS = st.tuples(
    st.lists(st.tuples(KINDS, VALUES), max_size=4),
    st.one_of(st.none(), st.sampled_from(["A", "B:C"])),
    st.integers(0, 9),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(EVENTS, max_size=12))
def test_columns_say_what_single_events_say(events: list[tuple[list[tuple[str, str]], str | None, int]]) -> None:
    frame = pl.DataFrame(
        [
            ([{"kind": kind, "value": value} for kind, value in ids], booking_ref, occurred_at)
            for ids, booking_ref, occurred_at in events
        ],
        schema=SCHEMA,
        orient="row",
    )
    expected: dict[tuple[str, str], int] = {}
    for event in events:
        for subject, identifier, occurred_at in links_of(*event):
            expected[subject, identifier] = min(occurred_at, expected.get((subject, identifier), occurred_at))
    for way in (in_columns, one_by_one):
        found, links = way(frame)
        assert found.to_list() == [subject_of(ids, booking_ref) for ids, booking_ref, _ in events]
        assert (found.name, found.dtype) == ("subject", pl.String)
        assert subjects(frame).to_list() == found.to_list()
        assert links.schema == LINK_SCHEMA
        assert {(subject, identifier): time for subject, identifier, time in links.iter_rows()} == expected
        assert links.height == len(expected)
