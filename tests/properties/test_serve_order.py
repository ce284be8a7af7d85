"""The view is the same whatever the order of records, and however often they come."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streams.serve.store import Memory
from streams.serve.view import APPLY
from tests.support.serving import NOON, alert, case, customer, identity, interaction, journey

PEOPLE = st.sampled_from(("C1", "C2", "loyalty:L1"))
NAMES = st.sampled_from(("loyalty:L1", "loyalty:L2", "booking_ref:B1"))
BOOKINGS = st.sampled_from(("B1", "B2"))
UNITS = st.sampled_from((None, "Towers", "Desk"))
VERSIONS = st.integers(1, 4)
SORTS = ("case_taken", "case_declined", "complaint", "sentiment_corrected")
DAYS = st.sampled_from((None, "2026-03-01", "2026-03-02"))


def rows() -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    """A record of any kind. Equal keys and versions have equal content, as in the topics: it is drawn from these."""
    return st.one_of(
        st.builds(
            lambda name, version: ("identity", identity(name, ("C1", "C2")[version % 2], version)), NAMES, VERSIONS
        ),
        st.builds(lambda who, version: ("customer", customer(who, version, withdrawn=version == 3)), PEOPLE, VERSIONS),
        st.builds(
            lambda who, ref, version: ("journey", journey(who, ref, version, withdrawn=version % 2 == 0)),
            PEOPLE, BOOKINGS, VERSIONS,
        ),
        st.builds(lambda who, version: ("case", case(who, "K1", version, contacts=version)), PEOPLE, VERSIONS),
        st.builds(
            lambda number, version: (
                "alert",
                alert(("C1", "C2")[version % 2], f"a{number}", version, unit=(None, "Desk")[version % 2],
                      closed_at=NOON if version == 4 else None),
            ),
            st.integers(1, 2), VERSIONS,
        ),
        st.builds(
            lambda number, ref: (
                "interaction",
                interaction("customer:C1", f"e{number}", NOON + number % 5, booking_ref=ref, nights=number,
                            unit=(None, "Towers", "Desk")[number % 3],
                            case_id=(None, "K1")[number % 2], agent_id=f"p{number}",
                            touchpoint=f"stay.{SORTS[number % 4]}",
                            attributes=[{"key": "about", "value": f"0a0a0a0a-0000-4000-8000-{number % 2:012}"},
                                        {"key": "right", "value": str(number % 3 - 1)}],
                            arrival_date=(None, "2026-03-01", "2026-03-02")[number % 3]),
            ),
            st.integers(1, 90), st.just("B1"),
        ),
    )  # fmt: skip


@given(st.lists(rows(), max_size=80), st.randoms(use_true_random=False))
def test_order_and_repetition_change_nothing(stream: list[tuple[str, dict[str, Any]]], random_: random.Random) -> None:
    once, again = Memory(), Memory()
    for record, row in stream:
        APPLY[record](once, row)
    shuffled = [*stream, *random_.sample(stream, len(stream) // 2)]
    random_.shuffle(shuffled)
    for record, row in shuffled:
        APPLY[record](again, row)
    assert once.values == again.values
