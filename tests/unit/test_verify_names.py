"""Subjects and links of a log, taken way by way of naming."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.model.subjects import subjects_and_links
from streams.verify.identity import who_is_who
from streams.verify.names import Names
from tests.support.plain_workers import interaction, log_of

WAYS = st.lists(
    st.tuples(st.sampled_from(["customer", "device", "email_sha256", "x", "booking_ref"]), st.sampled_from("12")),
    max_size=3,
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(WAYS, st.sampled_from(["R1", "R2"]), st.integers(0, 5)), min_size=1, max_size=12))
def test_they_are_those_of_the_events_one_by_one(said: list[tuple[list[tuple[str, str]], str, int]]) -> None:
    log = log_of(
        [interaction(number, ids=ids, booking_ref=ref, after=at) for number, (ids, ref, at) in enumerate(said)]
    )
    names = Names(log)
    assert names.with_subjects(log)["subject"].to_list() == log["subject"].to_list()
    made = {}
    for subject, identifier, at in names.links(bookings=True):
        made[subject, identifier] = min(at, made.get((subject, identifier), at))
    assert made == {(subject, identifier): at for subject, identifier, at in subjects_and_links(log)[1].iter_rows()}
    # Links to bookings that nobody asks about may be left out: they decide nothing.
    assert who_is_who(names.links()) == who_is_who(names.links(bookings=True))


def test_a_subject_that_is_already_there_is_not_believed() -> None:
    log = log_of([interaction(1, ids=[("device", "d"), ("customer", "1")])])
    wrong = log.with_columns(subject=log["event_id"])
    assert Names(wrong).with_subjects(wrong)["subject"].to_list() == ["customer:1"]
