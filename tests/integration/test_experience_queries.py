"""The named queries of experience management on small sets of data, with answers worked out by hand."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sinks.clickhouse.segments import SEGMENTS
from tests.integration.test_clickhouse_queries import answers, ask
from tests.support.clickhouse import ClickHouse
from tests.support.sink_rows import DAY, NOON, frame, interaction, journey

HOUR = DAY // 24


def scored(customer: str, at: int, score: float | None, **given: Any) -> dict[str, Any]:
    """An interaction of customer:NAME with a score of weight 1, unless another is given."""
    return interaction(f"customer:{customer}", at, **{"score": score, "score_weight": 1.0, **given})


def write(clickhouse: ClickHouse, topic: str, *rows: dict[str, Any]) -> None:
    clickhouse.write(topic, frame({"interactions": "interaction"}.get(topic, topic.removesuffix("s")), *rows))


def test_everything_can_be_grouped_by(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    row = answers("nps", 1, score=-1.0, score_weight=1.0, aspects=[{"aspect": "price", "score": -1.0}], booking_ref="B")
    write(clickhouse, "interactions", *row)
    for query in ("nps", "sentiment", "aspects", "defects"):
        for by in SEGMENTS:
            assert len(ask(clickhouse, query, by=by)) == 1, (query, by)


def test_dimensions_of_an_answer(clickhouse: ClickHouse) -> None:
    """Answers before the booking, at it, on Friday 2024-03-15 (5 Ramadan 1445, in the stay), and after check-out."""
    clickhouse.migrated()
    friday = NOON + 74 * DAY
    write(
        clickhouse,
        "interactions",
        *(
            interaction(
                "customer:a", at, booking_ref="B1", country="SA", survey={"instrument": "ces", "score": score}, **given
            )
            for at, score, given in (
                (NOON, 1.0, {}),
                (NOON + DAY, 2.0, {"agent_id": "ali"}),
                (friday, 3.0, {}),
                (friday + DAY, 4.0, {}),
            )
        ),
        interaction("customer:b", NOON - 9000 * DAY, survey={"instrument": "ces", "score": 7.0}),
    )
    trip = journey("a", "B1", NOON, friday + DAY, booked_at=NOON + DAY, arrived_at=friday, checked_out_at=friday + 1)
    write(clickhouse, "journeys", trip)

    def ces(by: str) -> dict[object, object]:
        return {row[0]: row[2] for row in ask(clickhouse, "ces", by=by)}

    assert ces("stage") == {"": 7.0, "exploring": 1.0, "booked": 2.0, "in_stay": 3.0, "completed": 4.0}
    assert ces("season") == {"": 7.0, "none": 1.5, "ramadan": 3.5}
    assert ces("hijri_month") == {"": 7.0, "1445-06": 1.5, "1445-09": 3.5}
    assert ces("weekend") == {"": 7.0, "weekday": 1.5, "weekend": 3.5}
    assert ces("agent") == {"": 3.75, "ali": 2.0}


def test_sentiment(clickhouse: ClickHouse) -> None:
    """At the latest moment: 1 (weight 0.5) now, -1 (weight 1) a half-life ago, so a = 0.5 and 0.5: S = 0, W = 1,
    evidence 1 / 0.5 = 2, margin 1.96 sqrt(0.25 + 0.25) = 1.386. Two half-lives of 15 days: a = 0.5 and 0.25: S = 0.25,
    sentiment 0.25 / 1.75, mean 1/3, evidence 0.5625 / 0.3125 = 1.8, margin 1.96 sqrt(0.25 (2/3)^2 + 0.0625 (4/3)^2) /
    0.75 = 1.232. A moment before the second, the first alone: a = 0.5, sentiment -0.5 / 1.5."""
    clickhouse.migrated()
    later = NOON + 30 * DAY
    write(
        clickhouse,
        "interactions",
        scored("a", NOON, -1.0, unit="hotel"),
        scored("b", later, 1.0, score_weight=0.5, unit="hotel"),
        scored("b", later + 30 * DAY, None, score_weight=None, unit="hotel"),
    )
    at = dt.datetime.fromtimestamp(later / 1000, dt.UTC).replace(tzinfo=None)
    assert ask(clickhouse, "sentiment", by="unit") == [("hotel", 2, 0.0, 2.0, 0.0, 1.386, at)]
    assert ask(clickhouse, "sentiment", by="unit", half_life_days="15")[0][2:6] == (0.143, 1.8, 0.333, 1.232)
    month_later = {"at": "2024-03-01T12:00:00Z"}
    assert ask(clickhouse, "sentiment", **month_later)[0][:5] == ("booking.confirmed", 2, 0.0, 2.0, 0.0)
    before = {"at": "2024-01-31 11:59:59"}
    assert ask(clickhouse, "sentiment", by="all", **before)[0][1:] == (
        1,
        -0.333,
        1.0,
        -1.0,
        None,
        dt.datetime(2024, 1, 1, 12),
    )
    assert ask(clickhouse, "sentiment", minimum="3") == []


def test_aspects(clickhouse: ClickHouse) -> None:
    """room: -0.5, 0.5, and once without a score: s = 0.7071, margin 1.96 x 0.7071 / sqrt(2) = 0.98."""
    clickhouse.migrated()
    room = [{"aspect": "room", "score": score} for score in (-0.5, 0.5, None)]
    write(
        clickhouse,
        "interactions",
        interaction("customer:a", NOON, aspects=[room[0], {"aspect": "wifi", "score": -1.0}], unit="h1"),
        interaction("customer:a", NOON, aspects=[room[1]], unit="h2"),
        interaction("customer:b", NOON, aspects=[room[2]], unit="h2"),
        interaction("customer:c", NOON),
    )
    assert ask(clickhouse, "aspects") == [
        ("room", "all", 3, 2, 2, 0.0, 0.98, 0.5),
        ("wifi", "all", 1, 1, 1, -1.0, None, 1.0),
    ]
    assert ask(clickhouse, "aspects", by="unit", minimum="2") == [("room", "h2", 2, 2, 1, 0.5, None, 0.0)]


def test_defects(clickhouse: ClickHouse) -> None:
    """Four journeys, of which one was bad in its room, twice; Wilson for 1 of 4: 45.6 to 699.4 (z = 1.96)."""
    clickhouse.migrated()
    bad, good = (
        [{"aspect": "room", "score": -0.5}],
        [{"aspect": "room", "score": 0.5}, {"aspect": "price", "score": None}],
    )
    write(
        clickhouse,
        "interactions",
        interaction("customer:a", NOON, booking_ref="B1", aspects=bad, unit="h1"),
        interaction("customer:a", NOON + 1, booking_ref="B1", aspects=bad, unit="h1"),
        interaction("customer:b", NOON, booking_ref="B2", aspects=good, unit="h1"),
        interaction("customer:c", NOON, booking_ref="B3", unit="h2"),
        interaction("customer:d", NOON, booking_ref="B4", unit="h2", aspects=good),
        interaction("customer:e", NOON, aspects=bad, unit="h1"),  # no journey yet
    )
    assert ask(clickhouse, "defects") == [("room", "all", 4, 1, 250.0, 45.6, 699.4)]
    assert [row[:5] for row in ask(clickhouse, "defects", by="unit")] == [("room", "h1", 2, 1, 500.0)]
    assert ask(clickhouse, "defects", by="unit", minimum="3") == []


def test_channel_gaps(clickhouse: ClickHouse) -> None:
    """Journey 1: booking 0.5 and -0.5 (mean 0), stay 1: gap 1. Journey 2: booking 1, stay 0.5: gap -0.5. Mean 0.25,
    s = 1.0607, margin 1.47. Effort in journey 1 only: 3 and 5. Waits in journey 2 only: 60 and 30 seconds. Cases of
    journey 1, answered after 10 minutes (booking) and 40 (stay). Journey 3 is on one channel only."""
    clickhouse.migrated()

    def met(ref: str, channel: str, **given: Any) -> dict[str, Any]:
        return interaction("customer:a", NOON, booking_ref=ref, channel=channel, medium="web", **given)

    write(
        clickhouse,
        "interactions",
        met("B1", "booking", score=0.5, survey={"instrument": "ces", "score": 3.0}),
        met("B1", "booking", score=-0.5),
        met("B1", "stay", score=1.0, survey={"instrument": "ces", "score": 5.0}),
        met("B2", "booking", score=1.0, wait_seconds=60),
        met("B2", "stay", score=0.5, wait_seconds=30),
        met("B3", "booking", score=-1.0),
    )
    write(
        clickhouse,
        "cases",
        *(
            {
                "case_id": f"K{minutes}",
                "customer_id": "a",
                "journey_id": "a/B1",
                "touchpoint": touchpoint,
                "opened_at": NOON,
                "first_response_at": NOON + minutes * 60_000,
            }
            for minutes, touchpoint in ((10, "booking.refund_requested"), (40, "stay.complaint_made"))
        ),
    )
    assert ask(clickhouse, "channel_gaps") == [
        ("booking", "stay", 2, 0.25, 2, 1.47, 2.0, 1, None, -30.0, 1, 30.0, 1),
    ]
    assert ask(clickhouse, "channel_gaps", by="medium") == []  # all of it was on the web


def test_paths(clickhouse: ClickHouse) -> None:
    """searched is followed by confirmed twice (after 1 and 3 hours) and by nothing once, and that journey was lost:
    it has been quiet for 31 days. So has B4, which is booked: it is open, not lost. B5 was cancelled, and then asked
    about it: the cancellation is followed by the survey, which ends the journey and is no drop-off. B6, which
    searched at last, is too young to be lost."""
    clickhouse.migrated()
    searched, confirmed, cancelled = "booking.searched", "booking.confirmed", "booking.cancelled"
    survey = "post_travel.nps_answered"
    write(
        clickhouse,
        "interactions",
        *(
            interaction(f"customer:{ref}", NOON + hours * HOUR, booking_ref=ref, touchpoint=touchpoint)
            for ref, hours, touchpoint in (
                ("B1", 1, confirmed),
                ("B1", 0, searched),
                ("B2", 0, searched),
                ("B2", 3, confirmed),
                ("B3", 0, searched),
                ("B4", 2, confirmed),
                ("B5", 0, cancelled),
                ("B5", 24, survey),
                ("B6", 31 * 24, searched),
            )
        ),
    )
    write(
        clickhouse,
        "journeys",
        *(
            journey(f"B{n}", f"B{n}", NOON, NOON + hours * HOUR, status=status, booking_interactions=1)
            for n, (status, hours) in enumerate(
                (("completed", 1), ("completed", 3), ("exploring", 0), ("booked", 2), ("cancelled", 24),
                 ("exploring", 31 * 24)), 1)
        ),
    )  # fmt: skip
    assert ask(clickhouse, "paths") == [
        (searched, "(end)", 2, 0.5, None, 0.25),
        (searched, confirmed, 2, 0.5, 2.0, 0.25),
        (confirmed, "(end)", 3, 1.0, None, 0.0),
        (cancelled, survey, 1, 1.0, 24.0, 0.0),
        (survey, "(end)", 1, 1.0, None, 0.0),
    ]
    assert ask(clickhouse, "paths", touchpoint=searched, next="1") == [(searched, "(end)", 2, 0.5, None, 0.25)]


def test_paths_are_not_cut_at_the_edge_of_the_window(clickhouse: ClickHouse) -> None:
    """Of a journey that searched at noon and confirmed at one, the first half hour holds the search: what came next is
    known all the same, and the confirmation is not counted itself."""
    clickhouse.migrated()
    write(
        clickhouse,
        "interactions",
        interaction("customer:a", NOON, booking_ref="B1", touchpoint="booking.searched"),
        interaction("customer:a", NOON + HOUR, booking_ref="B1", touchpoint="booking.confirmed"),
    )
    write(clickhouse, "journeys", journey("a", "B1", NOON, NOON + HOUR, status="booked", booking_interactions=2))
    window = {"since": "2024-01-01 12:00:00", "until": "2024-01-01 12:30:00"}
    assert ask(clickhouse, "paths", **window) == [("booking.searched", "booking.confirmed", 1, 1.0, 1.0, 0.0)]
    later = {"since": "2024-01-01 12:30:00"}
    assert ask(clickhouse, "paths", **later) == [("booking.confirmed", "(end)", 1, 1.0, None, 0.0)]


def test_time_between_stages(clickhouse: ClickHouse) -> None:
    """Booked to checked in: 10, 20, 30 days; median 20, p90 28. One was booked again after its cancellation."""
    clickhouse.migrated()
    rows = [
        journey(name, "B1", NOON, NOON, booked_at=NOON, checked_in_at=NOON + days * DAY)
        for name, days in (("a", 10), ("b", 20), ("c", 30))
    ]
    rows.append(journey("d", "B1", NOON, NOON, booked_at=NOON + DAY, cancelled_at=NOON))
    write(clickhouse, "journeys", *rows)
    assert ask(clickhouse, "time_between_stages") == [
        ("booked", "cancelled", 0, None, None, 1),
        ("booked", "checked_in", 3, 20.0, 28.0, 0),
    ]


def test_repeat(clickhouse: ClickHouse) -> None:
    """Judged after 180 days: a came back after 100 days, b did not, c after 190 days (10 days before the time was over,
    since the first journey lasted 20), d's time is not over, e only visited. Two of three: 196 sqrt(2/9/3) = 53.3."""
    clickhouse.migrated()
    rows = [
        journey("a", "B1", NOON, NOON, booked_at=NOON),
        journey("a", "B2", NOON + 100 * DAY, NOON + 100 * DAY, booked_at=NOON + 100 * DAY),
        journey("b", "B1", NOON, NOON, booked_at=NOON),
        journey("c", "B1", NOON, NOON + 20 * DAY, booked_at=NOON),
        journey("c", "B2", NOON + 190 * DAY, NOON + 210 * DAY, booked_at=NOON + 190 * DAY),
        journey("d", "B1", NOON + 150 * DAY, NOON + 150 * DAY, booked_at=NOON + 150 * DAY),
        journey("e", "visit/1", NOON, NOON),
    ]
    write(clickhouse, "journeys", *rows)
    assert ask(clickhouse, "repeat") == [("all", 4, 6, 3, 2, 66.7, 53.3, 145.0)]
    assert ask(clickhouse, "repeat", by="month") == [
        ("2024-01", 3, 5, 3, 2, 66.7, 53.3, 145.0),
        ("2024-05", 1, 1, 0, 0, None, None, None),
    ]
    assert ask(clickhouse, "repeat", within_days="99")[0][3:6] == (3, 0, 0.0)


def test_repeat_is_not_who_cancels_and_books_again(clickhouse: ClickHouse) -> None:
    """a cancelled and booked again ten minutes later, and b first booked anew, then cancelled: one booking each. c
    booked two rooms within the hour: one. d cancelled all: none. e came back after 100 days: two, with a cancelled
    one between. All but d are mature, of whom e repeated: 1 of 4, margin 196 sqrt(0.25 x 0.75 / 4) = 42.4."""
    clickhouse.migrated()
    minute = HOUR // 60

    def booked(name: str, ref: str, at: int, **given: Any) -> dict[str, Any]:
        return journey(name, ref, at, at, **{"booked_at": at, "status": "booked", **given})

    gone = {"status": "cancelled"}
    write(
        clickhouse,
        "journeys",
        booked("a", "B1", NOON, cancelled_at=NOON + minute, **gone),
        booked("a", "B2", NOON + 10 * minute),
        booked("b", "B1", NOON, cancelled_at=NOON + 20 * minute, **gone),
        booked("b", "B2", NOON + 10 * minute),
        booked("c", "B1", NOON),
        booked("c", "B2", NOON + HOUR),
        booked("d", "B1", NOON, **gone),
        booked("d", "B2", NOON + 100 * DAY, **gone),
        booked("e", "B1", NOON),
        booked("e", "B2", NOON + 50 * DAY, **gone),
        booked("e", "B3", NOON + 100 * DAY),
        booked("e", "B4", NOON + 181 * DAY, **gone),
    )
    assert ask(clickhouse, "repeat") == [("all", 4, 5, 4, 1, 25.0, 42.4, 100.0)]
    assert ask(clickhouse, "repeat", apart_hours="1")[0][2] == 6  # c's rooms are an hour apart


def test_referral(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    write(
        clickhouse,
        "customers",
        {"customer_id": "a", "profile": "advocate"},
        {"customer_id": "b", "profile": "advocate"},
        {"customer_id": "c", "profile": "negative"},
    )
    referral = "post_travel.referral_made"
    write(clickhouse, "interactions", *(interaction("customer:a", NOON + n, touchpoint=referral) for n in range(2)))
    write(clickhouse, "journeys", *(journey(name, "B1", NOON, NOON, status="completed") for name in "ab"))
    assert ask(clickhouse, "referral") == [
        ("negative", 1, 0, 0, 0.0, None, 0),
        ("advocate", 2, 1, 2, 50.0, 69.3, 1),
    ]


def test_staff(clickhouse: ClickHouse) -> None:
    """ali: 1, 0.5; zain: -1, -1; omar: no score, of everybody the mean is -0.125. With a prior of 2: ali
    (1.5 - 0.25) / 4 = 0.3125, margin 1.96 x 0.35355 / sqrt(2) = 0.49: 0.75 - 0.49 > -0.125; zain (-2 - 0.25) / 4."""
    clickhouse.migrated()
    rows = [
        scored("a", NOON, 1.0, agent_id="ali"),
        scored("b", NOON, 0.5, agent_id="ali", touchpoint="stay.compliment_made"),
        scored("a", NOON, -1.0, agent_id="zain", touchpoint="stay.complaint_made"),
        scored("a", NOON, -1.0, agent_id="zain"),
        scored("a", NOON, None, agent_id="omar"),
        scored("a", NOON, -1.0),
    ]
    write(clickhouse, "interactions", *rows)
    assert ask(clickhouse, "staff", prior="2", minimum="2") == [
        ("ali", 2, 2, 2, 0.75, 0.49, 0.312, 0.0, 1, 0, "recognise"),
        ("omar", 1, 1, 0, None, None, -0.125, None, 0, 0, "too_few"),
        ("zain", 2, 1, 2, -1.0, None, -0.562, 1.0, 0, 1, "train"),
    ]
    assert {row[-1] for row in ask(clickhouse, "staff")} == {"too_few"}
    assert ask(clickhouse, "staff", by="unit") == []


def test_language_coverage(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    rows = [
        interaction("customer:a", NOON, text="good", language="en", score=0.5, score_source="text"),
        interaction("customer:a", NOON, text="it is", language="en", locale="en-GB"),
        interaction(
            "customer:a", NOON, text="late", language="en", locale="en-GB", score=-0.3, score_source="implicit"
        ),
        interaction("customer:a", NOON, text="9", language="en", survey={"instrument": "nps", "score": 9.0}, score=0.5),
        interaction("customer:a", NOON, text="bra", locale="sv-SE"),
        interaction("customer:a", NOON),
    ]
    write(clickhouse, "interactions", *rows)
    assert ask(clickhouse, "language_coverage") == [
        ("en", 4, 1, 1, 2, 0.6667, ["en-GB"]),
        ("", 1, 0, 0, 1, 1.0, ["sv-SE"]),
    ]


def test_seasons(clickhouse: ClickHouse) -> None:
    """2024-03-11 is 1 Ramadan 1445; 2025-03-01 is 1 Ramadan 1446; 2024-01-01 is in no season."""
    clickhouse.migrated()
    ramadan, next_ramadan = NOON + 70 * DAY, NOON + 425 * DAY
    rows = [
        *answers("nps", 10, 0, score=-0.5),
        scored("a", ramadan, -1.0, touchpoint="stay.complaint_made"),
        scored("a", ramadan + DAY, 0.0, survey={"instrument": "csat", "score": 4.0}),
        scored("b", next_ramadan, 1.0, survey={"instrument": "ces", "score": 6.0}),
        scored("b", next_ramadan, None),
    ]
    write(clickhouse, "interactions", *rows)
    assert ask(clickhouse, "seasons") == [
        ("ramadan", 3, 4, 2, 3, 0.0, 0.3333, None, 0, 100.0, 1, 6.0, 1, 1, 250.0),
        ("none", 1, 2, 2, 2, -0.5, 1.0, 0.0, 2, None, 0, None, 0, 0, 0.0),
    ]
    assert [row[:4] for row in ask(clickhouse, "seasons", year="1446")] == [("ramadan", 1, 2, 1)]


def test_sentiment_trend(clickhouse: ClickHouse) -> None:
    """worse: 1, 0.5, 0, -0.5, -1 at days -40 to 0: -0.05 a day, -1.5 in 30 days; then -0.6, 0.6 below the mean.
    steady: up and down. few: two scores. Without a weight a score does not count."""
    clickhouse.migrated()
    rows = [scored("worse", NOON - (40 - 10 * n) * DAY, 1 - 0.5 * n) for n in range(5)]
    rows.append(scored("worse", NOON + DAY, -0.6))
    rows += [scored("steady", NOON - 10 * n * DAY, 0.5 if n % 2 else -0.5) for n in range(6)]
    rows += [scored("few", NOON - n * DAY, 1.0) for n in range(2)]
    rows.append(scored("few", NOON, -1.0, score_weight=0.0))
    write(clickhouse, "interactions", *rows)
    at = {"at": "2024-01-01T12:00:00Z", "days": "90"}
    found = ask(clickhouse, "sentiment_trend", **at)
    assert found[0] == ("declining", "declining", 1, 5, 0.0, -1.5, 1, -0.6, None)
    assert [row[:5] for row in found[1:]] == [("steady", "steady", 1, 6, 0.0), ("too_few", "too_few", 1, 2, 1.0)]
    assert [row[:2] for row in ask(clickhouse, "sentiment_trend", by="customer", **at)] == [
        ("worse", "declining"),
        ("steady", "steady"),
        ("few", "too_few"),
    ]
    assert ask(clickhouse, "sentiment_trend", minimum="6", **at)[0][:3] == ("steady", "steady", 1)
