"""What the desk draws: the queries behind it, on data whose answers are worked out by hand, and their filters."""

from __future__ import annotations

import pytest

from sinks.clickhouse.asking import Question
from sinks.clickhouse.named import load
from sinks.clickhouse.segments import FILTERS, SEPARATOR
from tests.integration.test_clickhouse_queries import answers, ask
from tests.support.clickhouse import ClickHouse
from tests.support.sink_rows import DAY, NOON, frame, interaction, journey

HALAL = [{"aspect": "halal_food", "score": -0.5}, {"aspect": "staff", "score": 0.5}]


def test_a_filter_counts_what_grouping_by_it_shows(clickhouse: ClickHouse) -> None:
    """10, 9 at Makkah by Egyptians; 0 there by somebody of Türkiye; 6 elsewhere."""
    clickhouse.migrated()
    rows = [
        *answers("nps", 10, 9, unit="MAKKAH-01", country="EG"),
        interaction("customer:t", NOON + 7, survey={"instrument": "nps", "score": 0}, unit="MAKKAH-01", country="TR"),
        interaction("customer:u", NOON + 8, survey={"instrument": "nps", "score": 6}, unit="MADINAH-01"),
    ]
    clickhouse.write("interactions", frame("interaction", *rows))
    assert ask(clickhouse, "nps", unit="MAKKAH-01")[0][:6] == ("all", 3, 2, 0, 1, 33.3)
    assert ask(clickhouse, "nps", country="EG")[0][:6] == ("all", 2, 2, 0, 0, 100.0)
    assert ask(clickhouse, "nps", unit="MAKKAH-01", country="TR")[0][:6] == ("all", 1, 0, 0, 1, -100.0)
    assert ask(clickhouse, "nps", unit=SEPARATOR.join(("MAKKAH-01", "MADINAH-01")))[0][1] == 4
    assert ask(clickhouse, "nps", unit="MAKKAH-01\\x") == []
    for name in FILTERS:
        for segment, n, *_ in ask(clickhouse, "nps", by=name):
            if segment:
                assert ask(clickhouse, "nps", **{name: segment})[0][1] == n, (name, segment)


def test_every_filter_of_every_query_can_be_given(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    clickhouse.write("interactions", frame("interaction", *answers("nps", 10, unit="MAKKAH-01")))
    for name, query in load().items():
        known = [parameter.name for parameter in query.parameters if parameter.name in FILTERS]
        if "splitByChar" in query.sql:
            ask(clickhouse, name, **dict.fromkeys(known, "x"))


def test_journey_map(clickhouse: ClickHouse) -> None:
    """Three journeys looked around on the web: one was cancelled afterwards, one was never booked. Of their scores
    -1, 0.5, -0.5: mean -1/3, s = 0.7638, margin 1.96 s / sqrt(3) = 0.864; two of three are negative; 2/3 were lost:
    pain 3 x 0.6667 x 0.6667 = 1.33."""
    clickhouse.migrated()
    names = {"a/B1": -1.0, "b/B2": 0.5, "c/visit/1": -0.5}
    rows = []
    for at, (name, score) in enumerate(names.items()):
        who, _, reference = name.partition("/")
        booking = None if reference.startswith("visit") else reference
        said = {"score": score, "score_source": "implicit", "score_weight": 0.3, "booking_ref": booking}
        touchpoint = "booking.page_viewed"
        rows.append(
            interaction(f"customer:{who}", NOON + at, touchpoint=touchpoint, channel="booking", medium="web", **said)
        )
    survey = {
        "survey": {"instrument": "nps", "score": 0.0},
        "score": -1.0,
        "score_source": "survey",
        "score_weight": 1.0,
    }
    rows.append(interaction("customer:b", NOON + 9, touchpoint="post_travel.nps_answered", booking_ref="B2", **survey))
    clickhouse.write("interactions", frame("interaction", *rows))
    stages = [
        journey("a", "B1", NOON, NOON + DAY, status="cancelled", cancelled_at=NOON + DAY, booking_interactions=1),
        journey("b", "B2", NOON, NOON + 50 * DAY, status="booked", booked_at=NOON + DAY, booking_interactions=1),
        journey("c", "visit/1", NOON + 2, NOON + 2, status="exploring", booking_interactions=1),
    ]
    clickhouse.write("journeys", frame("journey", *stages))
    (row,) = ask(clickhouse, "journey_map")
    assert row == ("exploring", "web", 3, 3, 3, 3, -0.333, 0.864, 0.6667, 0.6667, 1.33)
    assert [one[:3] for one in ask(clickhouse, "journey_map", by="channel")] == [("booking", "web", 3)]


def test_profile_change(clickhouse: ClickHouse) -> None:
    """Of four: one is new and becomes an advocate; one was an advocate and became negative; one was never heard of in
    the span; one has moved after it, too."""
    clickhouse.migrated()
    rows = [interaction(f"customer:{who}", NOON + 10 * DAY, unit="MAKKAH-01") for who in ("new", "lost", "later")]
    rows.append(interaction("customer:quiet", NOON))
    clickhouse.write("interactions", frame("interaction", *rows))
    spans = {
        "new": (10, 10, "advocate"),
        "lost": (0, 10, "negative"),
        "later": (0, 30, "advocate"),
        "quiet": (0, 0, "negative"),
    }
    clickhouse.write(
        "customers",
        frame(
            "customer",
            *(
                {
                    "customer_id": who,
                    "value": who,
                    "first_event_at": NOON + a * DAY,
                    "last_event_at": NOON + b * DAY,
                    "profile": profile,
                }
                for who, (a, b, profile) in spans.items()
            ),
        ),
    )
    moves = (
        ("lost", "non_committal", "advocate", 1),
        ("lost", "advocate", "negative", 10),
        ("later", "non_committal", "advocate", 30),
    )
    rows = [
        {
            "move_id": str(at),
            "event_id": str(at),
            "customer_id": who,
            "from_profile": before,
            "to_profile": after,
            "occurred_at": NOON + days * DAY,
        }
        for at, (who, before, after, days) in enumerate(moves)
    ]
    clickhouse.write("moves", frame("move", *rows))
    span = {"since": "2024-01-08 00:00:00", "until": "2024-01-20 00:00:00"}
    assert ask(clickhouse, "profile_change", **span) == [
        ("all", "new", "advocate", 1),
        ("all", "non_committal", "non_committal", 1),
        ("all", "advocate", "negative", 1),
    ]
    assert ask(clickhouse, "profile_change", **span, by="customer", to_profile="negative") == [
        ("lost", "advocate", "negative", 1)
    ]
    assert ask(clickhouse, "profile_change", **span, unit="ELSEWHERE") == []


def test_people_behind_a_figure(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    rows = [
        *answers("nps", 10, 3),
        interaction("customer:h", NOON, score=-0.5, score_source="text", score_weight=0.6, aspects=HALAL),
    ]
    clickhouse.write("interactions", frame("interaction", *rows))
    found = [(row[0], row[3]) for row in ask(clickhouse, "people", instrument="nps", high="6")]
    assert found == [("1", 3.0)]
    assert [(row[0], row[2]) for row in ask(clickhouse, "people", aspect="halal_food", mood="negative")] == [
        ("h", -0.5)
    ]
    assert ask(clickhouse, "people", aspect="staff", mood="negative") == []
    with pytest.raises(Exception, match="mood is one of"):
        ask(clickhouse, "people", mood="blue")


def test_places_and_choices(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    score = {"score": -0.5, "score_source": "text", "score_weight": 0.6}
    rows = [interaction(f"customer:{at}", NOON + at, unit="MAKKAH-01", country="EG", **score) for at in range(3)]
    clickhouse.write("interactions", frame("interaction", *rows, interaction("customer:n", NOON)))
    clickhouse.client.command(
        "INSERT INTO units_store (unit, valid_from, name, brand, latitude, longitude, version, withdrawn) "
        "VALUES ('MAKKAH-01', '2000-01-01', 'Ajyad', 'noor', 21.4, 39.8, 1, 0)"
    )
    assert ask(clickhouse, "places") == [("MAKKAH-01", "Ajyad", "noor", 21.4, 39.8, 3, 3, 3, -0.5, None, 1.0)]
    found = {(row[0], row[1]): row[2] for row in ask(clickhouse, "choices")}
    assert (found["all", ""], found["unit", "MAKKAH-01"], found["brand", "noor"], found["country", "EG"]) == (
        4,
        3,
        3,
        3,
    )


def test_groups_and_segments_as_filters(clickhouse: ClickHouse) -> None:
    """Customer 0 is a member of G1 on the 1st and answers 10 then and 0 two days later, outside of it; customer 1 is of
    no group, and of the segment."""
    clickhouse.migrated()
    joined = interaction(
        "customer:0",
        NOON - DAY,
        touchpoint="booking.group_joined",
        ids=[{"kind": "customer", "value": "0"}, {"kind": "group", "value": "G1"}],
        attributes=[
            {"key": "valid_from", "value": "2024-01-01"},
            {"key": "valid_until", "value": "2024-01-02"},
        ],
    )
    later = interaction("customer:0", NOON + 2 * DAY, survey={"instrument": "nps", "score": 0.0})
    clickhouse.write("interactions", frame("interaction", joined, later, *answers("nps", 10, 9)))
    segment = {"customer_id": "1", "segment": "gold", "member": True, "occurred_at": NOON, "version": 1}
    clickhouse.write("segments", frame("segment", segment))

    def asked(*where: str, **given: str) -> list[tuple[object, ...]]:
        statement = Question("nps", given, where).statement()
        result = clickhouse.client.query(statement.sql, parameters=dict(statement.parameters))
        return [tuple(row[:6]) for row in result.result_rows]

    assert asked("group=group:G1") == [("all", 1, 1, 0, 0, 100.0)]
    assert asked("group!=group:G1") == [("all", 2, 1, 0, 1, 0.0)]
    assert [row[:2] for row in asked(by="group")] == [("", 2), ("group:G1", 1)]
    assert asked("segment=gold") == [("all", 1, 1, 0, 0, 100.0)]
    assert asked("group=group:G1", "segment=gold") == []
    found = {(row[0], row[1]): row[2] for row in ask(clickhouse, "choices")}
    assert (found["segment", "gold"], found["group", "group:G1"], found["all", ""]) == (1, 1, 4)
