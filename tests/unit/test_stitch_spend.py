"""Sums of money of any size: exact in states whatever they come to, cut where a column of 64 bits takes them."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.stitch.encoding import decode, encode
from streams.stitch.journey import Event, Journey, from_longs, in_longs
from streams.stitch.rows import LARGEST, LEAST, row_of_journey
from streams.stitch.subject import Subject
from streams.stitch.summary import Summary

AMOUNTS = st.integers(LEAST, LARGEST) | st.sampled_from([LARGEST, LEAST, 1 << 62, -(1 << 62), 10**15])
SPEND = 28  # of a journey's row


def bought(number: int, amount: int, booking_ref: str | None = "B") -> Event:
    return Event(1_700_000_000_000 + number, number.to_bytes(16), booking_ref, "t", 0,
                 amount_minor=amount, currency="SAR")  # fmt: skip


@given(st.dictionaries(st.sampled_from(["SAR", "IDR", "USD"]), st.integers(-(1 << 90), 1 << 90)))
def test_sums_in_longs_are_longs_and_come_back(spend: dict[str, int]) -> None:
    longs = in_longs(spend)
    assert all(LEAST <= amount <= LARGEST for amount in longs.values())
    assert from_longs(longs) == spend


@given(st.lists(AMOUNTS, min_size=1, max_size=20))
@settings(deadline=None)
def test_order_does_not_matter_though_parts_of_the_sum_leave_64_bits(amounts: list[int]) -> None:
    states = []
    for order in (amounts, sorted(amounts), sorted(amounts, reverse=True)):
        state = Subject()
        for number, amount in enumerate(order):
            state.own.add(bought(amounts.index(amount) + number, amount))
            state = decode(encode(state))
        states.append(state)
    assert {state.own.bookings["B"].spend["SAR"] for state in states} == {sum(amounts)}
    whole = Summary()
    for state in states:
        whole.absorb(state.own)
    assert whole.bookings["B"].spend["SAR"] == 3 * sum(amounts)


def test_a_sum_beyond_64_bits_is_published_as_the_largest_there_is() -> None:
    journey = Journey()
    journey.add(bought(1, LARGEST))
    journey.add(bought(2, LARGEST))
    assert row_of_journey("c", "B", "B", None, journey, (), 1)[SPEND] == [("SAR", LARGEST)]
    for number in range(3, 8):
        journey.add(bought(number, LEAST))
    assert row_of_journey("c", "B", "B", None, journey, (), 1)[SPEND] == [("SAR", LEAST)]
