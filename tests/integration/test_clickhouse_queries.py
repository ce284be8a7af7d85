"""The named queries on a small set of data, with answers worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from sinks.clickhouse.named import load
from tests.support.clickhouse import ClickHouse
from tests.support.sink_rows import DAY, NOON, frame, interaction, journey


def ask(clickhouse: ClickHouse, name: str, **given: str) -> list[tuple[object, ...]]:
    """The answer of a named query, its columns checked against its documentation."""
    query = load()[name]
    values = query.bind(given)
    result = clickhouse.client.query(query.text(values), parameters=values)
    assert not result.result_rows or result.column_names == tuple(column for column, _ in query.columns)
    return [tuple(row) for row in result.result_rows]


def answers(instrument: str, *scores: float, **given: Any) -> list[dict[str, Any]]:
    return [
        interaction(f"customer:{at}", NOON + at, survey={"instrument": instrument, "score": score}, **given)
        for at, score in enumerate(scores)
    ]


def test_nothing_stored_is_no_error(clickhouse: ClickHouse) -> None:
    """Of every query; in one database, since to make one takes longer than to ask them all."""
    clickhouse.migrated()
    assert {name: ask(clickhouse, name) for name in load()} == {name: [] for name in load()}


def test_nps(clickhouse: ClickHouse) -> None:
    """10, 9, 9, 8, 7, 6, 0: p = 3/7, d = 2/7: 100 (3 - 2) / 7 = 14.3; variance 5/7 - 1/49 = 34/49,
    margin 196 sqrt(34 / 49 / 7) = 196 x 0.31484 = 61.7. With 3/4 promoters and detractors of 3 answers more, p = 0.375,
    d = 0.275, variance 0.65 - 0.01: 10 -+ 196 sqrt(0.64 / 10) = 10 -+ 49.6."""
    clickhouse.migrated()
    rows = answers("nps", 10, 9, 9, 8, 7, 6, 0, channel="stay") + answers("csat", 1, 2)
    clickhouse.write("interactions", frame("interaction", *rows))
    assert ask(clickhouse, "nps") == [("all", 7, 3, 2, 2, 14.3, 61.7, -39.6, 59.6, 7.0)]
    assert ask(clickhouse, "nps", by="channel") == [("stay", 7, 3, 2, 2, 14.3, 61.7, -39.6, 59.6, 7.0)]
    assert ask(clickhouse, "nps", by="day") == [("2024-01-01", 7, 3, 2, 2, 14.3, 61.7, -39.6, 59.6, 7.0)]
    assert ask(clickhouse, "nps", by="unit") == [("", 7, 3, 2, 2, 14.3, 61.7, -39.6, 59.6, 7.0)]
    # Only the first two, 10 and 9: all promoters; two who agree do not make it certain.
    found = ask(clickhouse, "nps", until="2024-01-01 12:00:00.002")
    assert found == [("all", 2, 2, 0, 0, 100.0, None, -24.4, 100.0, 2.0)]
    assert ask(clickhouse, "nps", since="2024-01-02") == []


def test_unknown_touchpoints(clickhouse: ClickHouse) -> None:
    """One is a letter away from a name of the catalogue, one lacks its channel, of one none is near, one is in it."""
    clickhouse.migrated()
    names = ["booking.confirmd", "booking.confirmd", "Spa Visited", "booking.confirmed", "No Show"]
    rows = [interaction(f"customer:{at}", NOON + at, touchpoint=name) for at, name in enumerate(names)]
    clickhouse.write("interactions", frame("interaction", *rows))
    found = ask(clickhouse, "unknown_touchpoints")
    assert [(row[0], row[2], row[5]) for row in found] == [
        ("booking.confirmd", 2, ["booking.confirmed"]),
        ("No Show", 1, ["check_in.no_show"]),
        ("Spa Visited", 1, []),
    ]
    since = ask(clickhouse, "unknown_touchpoints", since="2024-01-01 12:00:00.002")
    assert [row[0] for row in since] == ["No Show", "Spa Visited"]
    # In the same database: texts that were read wrongly. The last word on a text counts, its id as it is or in letters.
    texts = [interaction("customer:t", NOON, text="a zonky lobby"), interaction("customer:t", NOON + 1, text="fine")]
    letters = str.maketrans("0123456789-", "ghijklmnopq")
    said = [
        (texts[0]["event_id"], "-0.8"),
        (texts[0]["event_id"].translate(letters), "-0.6"),
        (texts[1]["event_id"], "no number"),
    ]
    rows = [
        interaction(
            "customer:t",
            NOON + 2 + at,
            touchpoint="stay.sentiment_corrected",
            agent_id="sara",
            attributes=[{"key": "about", "value": about}, {"key": "right", "value": right}],
        )
        for at, (about, right) in enumerate(said)
    ]
    clickhouse.write("interactions", frame("interaction", *texts, *rows))
    found = ask(clickhouse, "sentiment_corrections")
    assert [(row[0], row[3], row[4], row[6]) for row in found] == [("a zonky lobby", -0.6, 2, "sara")]


def test_unknown_grouping_is_refused(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    clickhouse.write("interactions", frame("interaction", *answers("nps", 10)))
    with pytest.raises(Exception, match="by is one of: all, day"):
        ask(clickhouse, "nps", by="moon")


def test_csat(clickhouse: ClickHouse) -> None:
    """5, 4, 3, 1: c = 1/2, 196 sqrt(1/4 / 4) = 49; mean 13/4. By country: 5 and 4 are in Egypt. Wilson: of 2 in 4 it is
    0.150 to 0.850; of 0 in 2 the upper end is z^2 / (2 + z^2) = 3.841 / 5.841 = 0.658."""
    clickhouse.migrated()
    rows = answers("csat", 5, 4, country="EG") + answers("csat", 3, 1)
    clickhouse.write("interactions", frame("interaction", *rows))
    assert ask(clickhouse, "csat") == [("all", 4, 2, 50.0, 49.0, 3.25, 15.0, 85.0, 4.0)]
    assert ask(clickhouse, "csat", by="country") == [
        ("", 2, 0, 0.0, None, 2.0, 0.0, 65.8, 2.0),
        ("EG", 2, 2, 100.0, None, 4.5, 34.2, 100.0, 2.0),
    ]


def test_ces(clickhouse: ClickHouse) -> None:
    """7, 5, 3: mean 5, s = 2, margin 1.96 x 2 / sqrt(3) = 2.26; two of three are 5 or more."""
    clickhouse.migrated()
    clickhouse.write("interactions", frame("interaction", *answers("ces", 7, 5, 3)))
    assert ask(clickhouse, "ces") == [("all", 3, 5.0, 2.26, 66.7, 2.0, 3.0)]
    clickhouse.without_interactions()
    clickhouse.write("interactions", frame("interaction", *answers("ces", 6)))
    assert ask(clickhouse, "ces") == [("all", 1, 6.0, None, 100.0, None, 1.0)]


def test_funnel(clickhouse: ClickHouse) -> None:
    """Five bookings: one cancelled, one checked in and never arrived, one arrived (without a check-in), two completed,
    one of which was heard of again. A visit is no booking."""
    clickhouse.migrated()
    booked = {"booked_at": NOON}
    rows = [
        journey("a", "B1", NOON, NOON, **booked, cancelled_at=NOON + DAY, status="cancelled"),
        journey("b", "B1", NOON, NOON, **booked, checked_in_at=NOON + 10 * DAY, status="no_show"),
        journey("c", "B1", NOON, NOON, **booked, arrived_at=NOON + 9 * DAY, status="in_stay"),
        journey(
            "d",
            "B1",
            NOON,
            NOON,
            **booked,
            checked_in_at=NOON + 20 * DAY,
            arrived_at=NOON + 21 * DAY,
            checked_out_at=NOON + 24 * DAY,
            status="completed",
        ),
        journey(
            "e",
            "B1",
            NOON,
            NOON,
            arrived_at=NOON,
            checked_out_at=NOON + DAY,
            status="completed",
            post_travel_interactions=1,
        ),
        journey("f", "visit/1", NOON, NOON),
    ]
    clickhouse.write("journeys", frame("journey", *rows))
    assert ask(clickhouse, "funnel") == [
        (1, "booked", 5, 100.0, None, 1, 0, None),
        (2, "checked_in", 4, 80.0, 80.0, 1, 0, 15.0),  # after 10 and 20 days
        (3, "in_stay", 3, 60.0, 75.0, 0, 0, 1.0),  # whose end, years ago, the model assumes
        (4, "completed", 2, 40.0, 66.7, 0, 0, 2.0),  # after 3 days and 1 day
        (5, "post_travel", 1, 20.0, 50.0, 0, 0, None),
    ]
    assert ask(clickhouse, "funnel", since="2025-01-01") == []


def test_funnel_counts_nothing_after_an_ending(clickhouse: ClickHouse) -> None:
    """a was cancelled, and asked why: booked, lost. b was never heard of between booking and review: booked. c did
    not show up, and somebody checked it in a day later: booked. d cancelled, was confirmed again, and completed:
    completed. e has nothing but a review: not booked. f was confirmed again, by the partner, after it had checked in:
    two days, not minus three, to the arrival. g checked in before it was cancelled: checked_in, lost there."""
    clickhouse.migrated()
    heard = {"booked_at": NOON, "post_travel_interactions": 1}
    rows = [
        journey("a", "B1", NOON, NOON, **heard, cancelled_at=NOON + DAY, status="cancelled"),
        journey("b", "B1", NOON, NOON, **heard, status="booked"),
        journey("c", "B1", NOON, NOON, **heard, no_show_at=NOON + DAY, checked_in_at=NOON + 2 * DAY,
                status="checked_in"),
        journey("d", "B1", NOON, NOON, **{**heard, "booked_at": NOON + 2 * DAY}, cancelled_at=NOON + DAY,
                checked_out_at=NOON + 9 * DAY, status="completed"),
        journey("e", "B1", NOON, NOON, post_travel_interactions=1, status="exploring"),
        journey("f", "B1", NOON, NOON, booked_at=NOON + 8 * DAY, checked_in_at=NOON + 5 * DAY,
                arrived_at=NOON + 7 * DAY, status="booked"),
        journey("g", "B1", NOON, NOON, **heard, checked_in_at=NOON + DAY, cancelled_at=NOON + 2 * DAY,
                status="cancelled"),
    ]  # fmt: skip
    clickhouse.write("journeys", frame("journey", *rows))
    assert ask(clickhouse, "funnel") == [
        (1, "booked", 6, 100.0, None, 1, 0, None),
        (2, "checked_in", 3, 50.0, 50.0, 1, 0, 1.0),
        (3, "in_stay", 2, 33.3, 66.7, 0, 0, 2.0),
        (4, "completed", 1, 16.7, 50.0, 0, 0, None),
        (5, "post_travel", 1, 16.7, 100.0, 0, 0, None),
    ]


def test_pain_points(clickhouse: ClickHouse) -> None:
    """payment_failed: 4 times in 3 journeys, scores -1, -1, -1, +1: 3/4 negative; lost after it: one of 3
    (cancelled), and one that booked nothing, whose last interaction it was: 2/3; pain 4 x 0.75 x 0.6667 = 2.
    breakfast: never negative, no pain. Searched, 31 days later, was the last of an open booking, which is not lost.
    What was answered in a survey, and that one ends a journey, is not where it hurts."""
    clickhouse.migrated()
    failed = "booking.payment_failed"
    rows = [
        interaction("customer:a", NOON, booking_ref="B1", touchpoint=failed, score=-1.0),
        interaction("customer:a", NOON + 1, booking_ref="B1", touchpoint=failed, score=-1.0),
        interaction("customer:b", NOON, booking_ref="B1", touchpoint=failed, score=-1.0),
        interaction("customer:c", NOON, booking_ref="B1", touchpoint=failed, score=1.0),
        interaction("customer:c", NOON + 2, booking_ref="B1", touchpoint="stay.breakfast_served", score=0.5),
        interaction("customer:c", NOON + 3, booking_ref="B1", touchpoint="stay.checked_out"),
        interaction("customer:z", NOON, touchpoint="booking.searched"),
        interaction("customer:d", NOON + 31 * DAY, booking_ref="B1", touchpoint="booking.searched", score=-1.0),
        interaction("customer:a", NOON + 5, booking_ref="B1", touchpoint="post_travel.nps_answered", score=-1.0),
    ]
    clickhouse.write("interactions", frame("interaction", *rows))
    clickhouse.write(
        "journeys",
        frame(
            "journey",
            journey("a", "B1", NOON, NOON + 5, status="cancelled", cancelled_at=NOON + 5),
            journey("b", "B1", NOON, NOON, status="exploring", booking_interactions=1),
            journey("c", "B1", NOON, NOON + 3, status="completed", checked_out_at=NOON + 3),
            journey("d", "B1", NOON, NOON + 31 * DAY, status="booked", booked_at=NOON, booking_interactions=1),
        ),
    )
    assert ask(clickhouse, "pain_points") == [
        (failed, 4, 0.75, 0.6667, 2.0, -0.5, 3),
        ("booking.searched", 2, 1.0, 0.0, 0.0, -1.0, 1),
        ("stay.breakfast_served", 1, 0.0, 0.0, 0.0, 0.5, 1),
        ("stay.checked_out", 1, 0.0, 0.0, 0.0, None, 1),
    ]
    assert len(ask(clickhouse, "pain_points", limit="2")) == 2


def test_profiles(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    customers = [
        {
            "customer_id": "a",
            "profile": "negative",
            "sentiment_30d": -0.5,
            "evidence": 2.0,
            "interactions": 3,
            "open_cases": 1,
        },
        {"customer_id": "b", "profile": "negative", "sentiment_30d": -0.3, "evidence": 1.0, "interactions": 1},
        {"customer_id": "c", "profile": "advocate", "sentiment_30d": 0.5, "evidence": 4.0, "interactions": 5},
        {"customer_id": "d", "profile": "non_committal", "interactions": 1},
    ]
    clickhouse.write("customers", frame("customer", *customers))
    euros, riyals = {"currency": "EUR", "amount_minor": 1000}, {"currency": "SAR", "amount_minor": 500}
    clickhouse.write(
        "journeys",
        frame(
            "journey",
            journey("a", "B1", NOON, NOON, spend=[euros, riyals]),
            journey("a", "B2", NOON, NOON, spend=[euros]),
            journey("b", "B1", NOON, NOON, spend=[riyals]),
        ),
    )
    assert ask(clickhouse, "profiles") == [
        ("negative", 2, 50.0, -0.4, 1.5, 4, 1, {"EUR": 20, "SAR": 10}),
        ("non_committal", 1, 25.0, None, 0.0, 1, 0, {}),
        ("advocate", 1, 25.0, 0.5, 4.0, 5, 0, {}),
    ]


def test_channels(clickhouse: ClickHouse) -> None:
    """Scores 0.5, -0.5 (booking), -0.75 (stay): the mean of all is -0.25."""
    clickhouse.migrated()
    rows = [
        interaction("customer:a", NOON, channel="booking", medium="web", score=0.5),
        interaction("customer:b", NOON, channel="booking", medium="app", score=-0.5),
        interaction("customer:b", NOON, channel="stay", medium="app", score=-0.75, wait_seconds=60),
        interaction("customer:b", NOON, channel="stay", medium="app", wait_seconds=180),
        interaction("customer:b", NOON, channel="stay", medium="app", survey={"instrument": "ces", "score": 2.0}),
    ]
    clickhouse.write("interactions", frame("interaction", *rows))
    assert ask(clickhouse, "channels") == [
        ("booking", "all", 2, 2, 0.0, 0.25, 0.5, None, None),
        ("stay", "all", 3, 1, -0.75, -0.5, 1.0, 2.0, 120.0),
    ]
    assert ask(clickhouse, "channels", by="medium")[:2] == [
        ("booking", "app", 1, 1, -0.5, -0.25, 1.0, None, None),
        ("booking", "web", 1, 1, 0.5, 0.75, 0.0, None, None),
    ]


def test_journeys(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    rows = [
        journey(
            "a", "B1", NOON, NOON + 1, status="booked", interactions=4, score_sum=-1.0, score_count=2, cases_opened=1
        ),
        journey("b", "B1", NOON, NOON + 2, status="completed", interactions=2, nps=9.0),
    ]
    clickhouse.write("journeys", frame("journey", *rows))
    assert [row[0] for row in ask(clickhouse, "journeys")] == ["b/B1", "a/B1"]
    assert [row[0] for row in ask(clickhouse, "journeys", status="booked")] == ["a/B1"]
    assert [row[:4] for row in ask(clickhouse, "journeys", now="lapsed")] == [("a/B1", "a", "booked", "lapsed")]
    assert ask(clickhouse, "journeys", customer="a")[0][6:] == (4, -0.5, None, None, None, 1)
    assert ask(clickhouse, "journeys", customer="b")[0][6:] == (2, None, None, None, 9.0, 0)
    assert len(ask(clickhouse, "journeys", limit="1")) == 1


def test_dead_letters(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    letters = [
        {"topic": "cx.stay", "offset": at, "reason": "bad_time", "detail": f"row {at}", "failed_at": NOON + at}
        for at in range(3)
    ]
    clickhouse.write("dead-letters", frame("dead_letter", *letters, {"topic": "cx.booking", "failed_at": NOON}))
    first, second = ask(clickhouse, "dead_letters")
    assert (first[:3], first[5]) == (("cx.stay", "bad_time", 3), "row 2")
    assert second[:3] == ("cx.booking", "undecodable", 1)
    assert len(ask(clickhouse, "dead_letters", since="2024-01-01 12:00:00.001")) == 1
