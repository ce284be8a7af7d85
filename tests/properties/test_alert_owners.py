"""Whose an alert, a case or a move is, as stitch decides it, is what the plain attribution gives, in whatever order
events, merges and duplicates come."""

from __future__ import annotations

from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.model.brands import Brands
from streams.model.whose import Place, both, place
from streams.verify.recompute import recompute
from tests.support.alert_worlds import HOUR, INTERACTION, World, event

BRANDS = Brands({"noor": ("H1",), "safa": ("H2", "H3")}, default="noor", care={"safa": "CARE-SAFA", None: "CARE"})
WHO = (("customer", "a"), ("device", "d"))
"""Both of one person, of which stitch hears before, between or after the events."""
CHANNELS = {
    "booking": "booking.page_viewed",
    "check_in": "check_in.desk_used",
    "stay": "stay.wifi_used",
    "post_travel": "post_travel.nps_answered",
}
specs = st.lists(
    st.tuples(
        st.sampled_from(WHO),
        st.integers(-24 * 80, 0) | st.integers(-3, 0).map(lambda days: 24 * days),  # many at the same moment
        st.sampled_from(["stay", "stay", "stay", "post_travel", "post_travel", "booking", "check_in"]),
        st.sampled_from([None, "R1", "R1", "R2"]),
        st.sampled_from([None, None, "", "H1", "H2", "H3"]),
        st.sampled_from([None, "noor", "safa"]),
        st.sampled_from([None, None, "K", "L"]),
    ),
    min_size=2,
    max_size=20,
)
places = st.tuples(st.sampled_from(sorted(CHANNELS)), st.integers(1, 9)).map(lambda said: place(*said))


def row_of(number: int, spec: Any) -> dict[str, Any]:
    (kind, value), hours, channel, ref, unit, brand, case_id = spec
    said: dict[str, Any] = {"nps": 0} if channel in ("post_travel", "check_in") else {}
    return event(
        number,
        hours * HOUR,
        f"{channel}.complaint_made" if case_id and channel in ("stay", "post_travel") else CHANNELS[channel],
        channel=channel,
        case_id=case_id,
        subject=f"{kind}:{value}",
        ids=[{"kind": kind, "value": value}],
        booking_ref=ref,
        unit=unit,
        attributes=[] if brand is None else [{"key": "brand", "value": brand}],
        **said,
    )


@settings(max_examples=60, deadline=None)
@given(specs, st.randoms(use_true_random=False))
def test_stitch_attributes_as_the_plain_way_does(given_specs: Any, rng: Random) -> None:
    rows = [row_of(number, spec) for number, spec in enumerate(given_specs)]
    join = event(999, 0, "identity.linked", subject="customer:a", channel="booking")
    join["ids"] = [{"kind": kind, "value": value} for kind, value in WHO]
    world = World(brands=BRANDS)
    sent = [*rows, *rng.sample(rows, len(rows) // 3)]
    rng.shuffle(sent)
    told = rng.randrange(len(sent) + 1)
    for at, row in enumerate(sent):
        if at == told:
            world.tell("device:d", "customer:a", 1)
        world.take([row], crash=rng.random() < 0.2)
        if rng.random() < 0.5:
            world.deliver()
        if rng.random() < 0.1:
            world.restart()
    if told == len(sent):
        world.tell("device:d", "customer:a", 1)
    while world.parts_read < len(world.parts):
        world.deliver()

    expected = recompute(pl.DataFrame([*rows, join], schema=INTERACTION))
    whose = expected.attributed["interactions_attributed"].select("event_id", "attributed_unit", "unit_basis")
    by_event = {event_id: (unit, basis) for event_id, unit, basis in whose.iter_rows()}
    brand_of = {row["event_id"]: row["attributes"][0]["value"] for row in rows if row["attributes"]}
    current = [one for one in world.alerts.values() if one["customer_id"] == "a" and one["rule"] == "detractor"]
    assert len(current) >= any(
        row["channel"] == "post_travel" and row["occurred_at"] > world.now - 7 * 24 * HOUR for row in rows
    )
    for one in current:
        unit, basis = by_event[one["event_id"]]
        assert (one["unit"], one["unit_basis"]) == (unit, basis)
        brand = brand_of.get(one["event_id"]) or ("safa" if unit in ("H2", "H3") else "noor")
        assert one["brand"] == brand
        assert one["owner"] == (unit or {"safa": "CARE-SAFA", "noor": "CARE"}[brand])

    wanted = {
        (case_id, customer): (unit, basis)
        for case_id, customer, unit, basis in expected.attributed["cases_attributed"]
        .select("case_id", "customer_id", "attributed_unit", "unit_basis")
        .iter_rows()
    }
    cases = {key: one for key, one in world.cases.items() if not one["withdrawn"]}
    assert cases.keys() == wanted.keys()
    for key, one in cases.items():
        unit, basis = wanted[key]
        first = min(
            (row for row in rows if row["case_id"] == key[0] and row["touchpoint"].endswith("complaint_made")),
            key=lambda row: (row["occurred_at"], row["event_id"]),
        )
        brand = brand_of.get(first["event_id"]) or ("safa" if unit in ("H2", "H3") else "noor")
        assert (one["unit_basis"], one["brand"]) == (basis, brand)
        assert one["owner"] == (unit or {"safa": "CARE-SAFA", "noor": "CARE"}[brand])
    # Told when all events were known, in one turn, or never changed since: at least those that name a unit.
    for one in world.moves.values():
        if one["unit"]:
            assert (one["unit_basis"], one["owner"]) == ("own", one["unit"])
        brand = brand_of.get(one["event_id"]) or ("safa" if one["owner"] in ("H2", "H3") else "noor")
        if one["unit_basis"] == "none" or one["event_id"] in brand_of:
            assert one["brand"] == brand
        if one["unit_basis"] == "none":
            assert one["owner"] == {"safa": "CARE-SAFA", "noor": "CARE"}[brand]


def test_a_move_without_a_unit_is_of_the_stay_before_it() -> None:
    world = World(brands=BRANDS)
    stay = event(1, -5 * 24 * HOUR, "stay.checked_out", booking_ref="R1", unit="H2")
    world.take([stay, event(2, 0, "post_travel.review_posted", booking_ref="R1", score=-0.9)])
    stranger = {"subject": "customer:b", "ids": [{"kind": "customer", "value": "b"}]}
    world.take([event(3, 0, "post_travel.review_posted", score=-0.9, **stranger)])
    said = {
        one["customer_id"]: (one["unit"], one["unit_basis"], one["owner"], one["brand"]) for one in world.moves.values()
    }
    assert said == {"a": (None, "last_stay", "H2", "safa"), "b": (None, "none", "CARE", "noor")}


SAFA = [{"key": "brand", "value": "Safa"}]


@pytest.mark.parametrize("late", [False, True], ids=["of one subject", "of a part"])
def test_a_move_whose_event_names_a_brand_alone_is_of_its_care_centre(late: bool) -> None:
    """Also where the event comes as a part of another subject, is lost in a crash, and published again."""
    world = World(brands=BRANDS)
    if late:
        world.tell("device:d", "customer:a", 1)
    who = {"subject": "device:d", "ids": [{"kind": "device", "value": "d"}]} if late else {}
    world.take([event(1, 0, "post_travel.review_posted", score=-0.9, attributes=SAFA, **who)], crash=not late)
    world.deliver(crash=True)
    (one,) = world.moves.values()
    assert (one["customer_id"], one["unit"], one["unit_basis"]) == ("a", None, "none")
    assert (one["owner"], one["brand"]) == ("CARE-SAFA", "safa")


def test_a_move_by_what_happened_to_a_group_knows_the_brand_that_it_names() -> None:
    world = World(brands=BRANDS)
    group = {"kind": "group", "value": "G"}
    people = [{"subject": f"customer:{who}", "ids": [{"kind": "customer", "value": who}, group]} for who in "ab"]
    world.take([event(n, -HOUR, "booking.group_joined", **who) for n, who in enumerate(people)], crash=True)
    world.deliver()
    happened = {"subject": "group:G", "ids": [group], "score": -1.0}
    for number, said in ((5, SAFA), (6, []), (7, SAFA)):
        world.take([event(number, number, "stay.bus_late", attributes=said, **happened)])
        world.deliver(crash=True)
    told = {one["customer_id"]: (one["unit_basis"], one["owner"], one["brand"]) for one in world.moves.values()}
    assert told == dict.fromkeys("ab", ("none", "CARE-SAFA", "safa"))


def test_an_alert_of_a_drop_knows_the_brand_of_its_event() -> None:
    world = World(brands=BRANDS)
    kind = {"score": 0.9, "booking_ref": "R1"}
    world.take([event(number, -HOUR * (9 - number), "stay.crew_helped", **kind) for number in range(6)])
    bad = [event(10 + number, number, "stay.wifi_failed", score=-1.0, attributes=SAFA) for number in range(12)]
    world.take(bad)
    found = {one["rule"]: (one["owner"], one["brand"]) for one in world.alerts.values()}
    assert found["sentiment_drop"] == ("CARE-SAFA", "safa")


def test_an_event_of_a_company_with_one_brand_is_of_that() -> None:
    world = World(brands=Brands({"noor": ("H1",)}, care={"noor": "CARE-NOOR", None: "CARE"}))
    review = event(1, 0, "post_travel.review_posted", score=-0.9, reach=5000, medium="social", case_id="K")
    world.take([review, event(2, 1, "post_travel.complaint_made", case_id="L")])
    for table in (world.alerts, world.moves, world.cases):
        assert {(one["owner"], one["brand"]) for one in table.values()} == {("CARE-NOOR", "noor")}


@given(places, places, places)
def test_what_is_said_of_a_unit_adds_up_in_any_order(one: Place, two: Place, three: Place) -> None:
    assert both(one, two) == both(two, one)
    assert both(both(one, two), three) == both(one, both(two, three))
