"""A day at two hotels, as rows of the topics, and what ClickHouse and the brokers would say of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from aiokafka import TopicPartition

from tests.support.serving import alert, case, customer, identity, interaction, journey

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
TOWERS, CORNICHE = "Makkah Towers", "Jeddah Corniche"
HALAL = "stay.complaint_made: what was promised halal, or the way to pray, was not there"
STALLED = "booking.payment_failed, and nothing has come of the booking within 6h"
SCORES: dict[str, list[tuple[str, int, float, float | None]]] = {
    "nps": [("all", 412, 31.8, 6.9)],
    "nps by unit": [(TOWERS, 231, 12.6, 9.4), (CORNICHE, 178, 56.2, 8.8), ("Madinah Garden", 3, 100.0, None)],
    "csat": [("all", 386, 81.3, 3.9)],
    "csat by unit": [(TOWERS, 210, 74.8, 5.9), (CORNICHE, 176, 89.2, 4.6)],
    "ces": [("all", 97, 5.4, 0.3)],
}
ASPECTS = (
    ("prayer", TOWERS, 61, -0.42, 0.11),
    ("cleanliness", TOWERS, 48, -0.21, 0.14),
    ("halal_food", CORNICHE, 33, 0.38, 0.12),
    ("staff", CORNICHE, 88, 0.55, 0.07),
)
CHANGES = (
    ("all", "new", "negative", 14), ("all", "new", "non_committal", 120), ("all", "new", "advocate", 66),
    ("all", "negative", "negative", 31), ("all", "negative", "non_committal", 12), ("all", "negative", "advocate", 7),
    ("all", "non_committal", "negative", 16), ("all", "non_committal", "non_committal", 241),
    ("all", "non_committal", "advocate", 58), ("all", "advocate", "negative", 9),
    ("all", "advocate", "non_committal", 29), ("all", "advocate", "advocate", 147),
)  # fmt: skip
MAP_COLUMNS = (
    *("segment", "medium", "volume", "customers", "journeys", "scored", "sentiment", "margin", "negative_share"),
    *("drop_off", "pain"),
)
MAP = (
    ("exploring", "web", 2210, 960, 980, 310, 0.04, 0.05, 0.31, 0.42, 287.7),
    ("exploring", "call_centre", 180, 160, 165, 90, -0.22, 0.11, 0.55, 0.35, 34.7),
    ("booked", "web", 940, 880, 890, 120, 0.21, 0.08, 0.18, 0.07, 11.8),
    ("booked", "app", 610, 420, 430, 150, 0.12, 0.07, 0.25, 0.08, 12.2),
    ("booked", "email", 520, 410, 415, 60, 0.05, 0.1, 0.3, 0.06, 9.4),
    ("checked_in", "in_person", 871, 850, 860, 400, -0.18, 0.05, 0.52, 0.03, 13.6),
    ("checked_in", "kiosk", 130, 128, 129, 3, 0.5, None, 0.0, 0.0, 0.0),
    ("in_stay", "in_person", 1710, 866, 866, 1200, 0.33, 0.03, 0.22, 0.01, 3.8),
    ("in_stay", "app", 640, 300, 310, 420, -0.31, 0.06, 0.61, 0.02, 7.8),
    ("completed", "social", 210, 190, 195, 205, 0.18, 0.09, 0.33, 0.0, 0.0),
)
PLACE_COLUMNS = (
    *("unit", "name", "brand", "latitude", "longitude", "interactions", "customers", "scored", "sentiment", "margin"),
    "negative_share",
)
PLACES = (
    (TOWERS, TOWERS, "noor", 21.42, 39.83, 2400, 700, 900, -0.16, 0.05, 0.5),
    (CORNICHE, CORNICHE, "noor", 21.6, 39.1, 1800, 610, 700, 0.34, 0.05, 0.2),
    ("Madinah Garden", "Madinah Garden", "noor", 24.47, 39.61, 240, 80, 40, 0.02, 0.2, 0.4),
    ("SV104", "SV104", "", None, None, 300, 290, 100, -0.1, 0.1, 0.4),
)
TARGET_COLUMNS = (
    *("metric", "unit", "period", "starts", "ends", "target", "actual", "low", "high", "n", "minimum", "status"),
    *("certain", "running"),
)
_MONTH, _NEXT = date(2026, 11, 1), date(2026, 12, 1)
TARGETS = (
    ("csat", TOWERS, "month", _MONTH, _NEXT, 85.0, 74.8, 68.6, 80.2, 210, 30, "missed", 1, 1),
    ("nps", "", "month", _MONTH, _NEXT, 30.0, 31.8, 24.5, 38.1, 412, 30, "met", 0, 1),
    ("nps", CORNICHE, "month", _MONTH, _NEXT, 40.0, 50.0, -20.0, 80.0, 8, 30, "not enough answers", 0, 1),
)
EFFECT_COLUMNS = (
    *("action", "acted_on", "units", "metric", "verdict", "effect", "low", "high", "days", "n_before", "n_after"),
    *("comparable", "n_comparable", "p", "placebos", "covered", "computed_at"),
)
EFFECTS = (
    ("mended bus 12", date(2026, 5, 3), [TOWERS], "nps", "better", 14.2, 3.1, 25.3, 28, 61, 58, 9, 840, 0.1, 6, 6,
     datetime(2026, 6, 1)),
    ("new mattresses", date(2026, 9, 1), [TOWERS], "csat", "untrusted", 8.0, 1.0, 15.0, 28, 40, 41, 9, 700, 0.2, 6, 3,
     datetime(2026, 10, 1)),
)  # fmt: skip
ANOMALY_COLUMNS = (
    *("day", "unit", "metric", "actual", "expected", "low", "high", "n", "alarm", "tested_days", "tested_alarms"),
    "within",
)
ANOMALIES = (
    (date(2026, 11, 20), TOWERS, "csat", 31.2, 76.0, 52.0, 100.0, 16, 1, 301, 1, 0.957),
    (date(2026, 11, 19), TOWERS, "csat", 74.0, 76.0, 52.0, 100.0, 14, 0, 301, 1, 0.957),
)
BREAKFAST = "الفطور كان لذيذًا والموظفون ودودون."
PRAYER_ROOM = "نماز کا کمرہ بند تھا اور کسی نے راستہ نہیں بتایا۔ بہت افسوس ہوا۔"
SAID: tuple[tuple[int, str, str, str, dict[str, Any]], ...] = (
    (60 * DAY, "post_travel", "post_travel.nps_answered", "email",
     {"score": 0.7, "score_source": "survey", "score_weight": 1.0, "survey": {"instrument": "nps", "score": 9.0}}),
    (40 * DAY, "booking", "booking.page_viewed", "web", {}),
    (8 * DAY, "booking", "booking.payment_failed", "app",
     {"score": -0.5, "score_source": "implicit", "score_weight": 0.3}),
    (2 * DAY, "check_in", "check_in.completed", "in_person", {}),
    (30 * HOUR, "stay", "stay.breakfast_served", "in_person",
     {"score": 0.35, "score_source": "text", "score_weight": 0.54, "language": "ar", "text": BREAKFAST}),
    (5 * HOUR, "stay", "stay.wifi_failed", "app", {"score": -0.4, "score_source": "implicit", "score_weight": 0.3}),
    (22 * MINUTE, "stay", "stay.complaint_made", "in_person",
     {"score": -0.8, "score_source": "text", "score_weight": 0.54, "language": "ur", "text": PRAYER_ROOM,
      "case_id": "K-1042"}),
)  # fmt: skip
"""Of one guest: how long ago, channel, touchpoint, medium, and what is known of it."""


def said_id(number: int) -> str:
    """The event id of what SAID has at an index; -1: the last."""
    return f"5a1d0000-0000-4000-8000-{number % len(SAID):012d}"


def figures(sql: str, parameters: Mapping[str, str]) -> list[dict[str, Any]]:
    """Rows of the named queries, as a hotel of some months has them."""
    if "AS importance" in sql:
        return readiness()
    if "AS prayer_window" in sql and "AS well" in sql:
        return evidence()
    if "AS fajr" in sql:
        times = {"fajr": "05:26", "dhuhr": "12:09", "asr": "15:17", "maghrib": "17:38", "isha": "19:08"}
        return [{"date": date(2026, 11, 27), "ramadan": 0, **times, "timezone": "Asia/Riyadh"}]
    by_unit = " by unit" if parameters.get("by") == "unit" else ""
    if "AS filter" in sql:
        at = datetime.now(UTC).replace(tzinfo=None) - timedelta(minutes=22)
        known = (("all", ""), ("unit", TOWERS), ("unit", CORNICHE), ("brand", "noor"), ("country", "PK"))
        return [{"filter": name, "value": value, "interactions": 40, "last_at": at} for name, value in known]
    if "FROM anomalies" in sql:
        return [dict(zip(ANOMALY_COLUMNS, one, strict=True)) for one in ANOMALIES]
    if "FROM action_effects" in sql:
        return [dict(zip(EFFECT_COLUMNS, one, strict=True)) for one in EFFECTS]
    if "FROM drivers" in sql:
        return drivers()
    if "FROM targets" in sql:
        return [dict(zip(TARGET_COLUMNS, one, strict=True)) for one in TARGETS]
    if "AS from_profile" in sql:
        if parameters["by"] == "customer":
            return [{"segment": "C0000002", "from_profile": "advocate", "to_profile": "negative", "customers": 1}]
        return [dict(zip(("segment", "from_profile", "to_profile", "customers"), one, strict=True)) for one in CHANGES]
    if "AS drop_off" in sql and "AS medium" in sql:
        return [dict(zip(MAP_COLUMNS, one, strict=True)) for one in MAP]
    if "AS latitude" in sql:
        return [dict(zip(PLACE_COLUMNS, one, strict=True)) for one in PLACES]
    if "AS answer" in sql and "AS last_at" in sql:
        at = datetime.now(UTC).replace(tzinfo=None) - timedelta(minutes=22)
        known = {"interactions": 2, "score": -0.8, "answer": None, "last_at": at, "profile": "negative"}
        return [{"customer_id": name, **known} for name in ("C0000002", "C0000003")]
    for name in ("nps", "csat", "ces"):
        if f"'{name}'" in sql:
            return [
                {"segment": segment, "n": n, name: score, "margin": margin}
                for segment, n, score, margin in SCORES[name + by_unit]
            ]
    if "mention" in sql:
        return [
            {
                "aspect": aspect,
                "segment": unit,
                "volume": volume,
                "scored": volume,
                "score": score,
                "margin": margin,
                "negative_share": (1 - score) / 2,
            }
            for aspect, unit, volume, score, margin in ASPECTS
        ]
    if "dead_letters" in sql:
        at = datetime.now(UTC).replace(tzinfo=None) - timedelta(hours=3)
        return [{"topic": "cx.stay", "reason": "bad_survey", "letters": 4, "last_failed_at": at, "example": "9 of 5"}]
    if "deliveries" in sql:
        return [{"target": "duty-manager", "status": "delivered", "deliveries": 18, "attempts": 19, "p99_s": 0.8}]
    if "stage" in sql:
        steps = (("booked", 940), ("checked_in", 871), ("in_stay", 866), ("completed", 702), ("post_travel", 388))
        return [{"stage": stage, "journeys": n, "of_booked": round(n / 9.4, 1)} for stage, n in steps]
    raise AssertionError(f"nobody has said what is answered to {sql[:200]}")


def drivers() -> list[dict[str, Any]]:
    """Of NPS, as rihla drivers would have stored them."""
    at = datetime(2026, 11, 1)
    run = {
        **dict.fromkeys(("until", "fitted_at"), at),
        **dict(zip(("metric", "unit", "n", "tested", "useful"), ("nps", "", 412, 103, 1), strict=True)),
        **dict(zip(("r2", "r2_controls", "tested_r2", "tested_r2_controls"), (0.21, 0.03, 0.17, 0.02), strict=True)),
        "since": at - timedelta(days=365),
    }
    names = ("driver", "share", "low", "high", "effect", "effect_low", "effect_high")
    rows = (
        ("aspect prayer", 0.094, 0.051, 0.139, 31.2, 20.4, 42.7),
        ("wait", 0.061, 0.022, 0.101, -9.4, -14.1, -4.8),
        ("unit", 0.025, -0.006, 0.06, None, None, None),
    )
    return [{**run, **dict(zip(names, row, strict=True))} for row in rows]


NEEDS = (
    ("halal_food", "need", 31.2, 44, 39, 6, 0.81, 0.7, 0.92), ("prayer", "need", 22.8, 61, 52, 38, 0.29, 0.14, 0.44),
    ("no_islamophobia", "need", 180.4, 231, 231, 1, 0.99, 0.98, 1.0),
    ("washrooms", "good", 3.1, 5, 5, 1, 0.68, 0.34, 1.0), ("ramadan", "good", 12.0, 48, 40, 3, 0.87, 0.73, 1.0),
    ("social_causes", "good", 0.0, 0, 0, 0, None, None, None),
    ("local_experiences", "good", 8.4, 12, 12, 2, 0.76, 0.56, 0.96),
    ("no_non_halal", "nice", 0.0, 0, 0, 0, None, None, None),
    ("privacy", "nice", 180.4, 231, 231, 4, 0.97, 0.95, 0.99),
)  # fmt: skip
NEED_COLUMNS = ("need", "importance", "evidence", "experiences", "guests", "against", "share", "low", "high")


def readiness() -> list[dict[str, Any]]:
    """What `halal_readiness` has of a hotel whose prayer room is often shut."""
    at = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=1)
    rows = [dict(zip(NEED_COLUMNS, one, strict=True)) for one in NEEDS]
    return [{"unit": TOWERS, **one, "last_at": None if one["share"] is None else at} for one in rows]


def evidence() -> list[dict[str, Any]]:
    """The pieces behind it."""
    now = datetime.now(UTC).replace(tzinfo=None)
    pieces = (
        ("prayer", 1, "dhuhr", "stay.complaint_made", 0.1, "ur", PRAYER_ROOM),
        ("halal_food", 9, "maghrib", "stay.halal_meal_missing", 0.15, "en", "No halal meal was left at eight."),
        ("ramadan", 200, "fajr", "stay.suhoor_served", 0.0, None, None),
        ("halal_food", 2, "none", "stay.breakfast_served", 0.9, "ar", BREAKFAST),
    )
    return [
        {
            "need": need,
            "at": now - timedelta(days=days),
            "local_time": "2026-11-28 12:20:00",
            "prayer_window": window,
            "touchpoint": touchpoint,
            "well": well,
            "weight": round(2 ** (-days / 180), 3),
            "language": language,
            "text": text,
        }
        for need, days, window, touchpoint, well, language, text in pieces
    ]


async def ends() -> Any:
    """What the brokers would answer: where topics end, and where workers stand."""
    interactions, cases = TopicPartition("cx.interactions", 0), TopicPartition("cx.cases", 0)
    written = {interactions: 48_210, cases: 312}
    return written, {"stitch": {interactions: 48_170}, "sink": written}


def rows(now: int) -> list[tuple[str, dict[str, Any]]]:
    """Rows of the topics: record and row. now: epoch milliseconds."""
    today = datetime.fromtimestamp(now / 1000, UTC).date()
    made: list[tuple[str, dict[str, Any]]] = []

    def guest(number: int, unit: str, arrival: date, nights: int, status: str, score: float | None = None) -> str:
        name, booking = f"C{number:07d}", f"RH{number:05d}"
        mood = "non_committal" if score is None else "negative" if score < -0.25 else "advocate"
        felt = {"sentiment_7d": score, "sentiment_30d": score, "sentiment_90d": score, "profile": mood}
        seen = {"first_event_at": now - 200 * DAY, "last_event_at": now - HOUR, "interactions": 12, "evidence": 4.6}
        made.append(("customer", customer(name, **seen, **felt)))
        when = {"started_at": now - 9 * DAY, "last_event_at": now - HOUR}
        made.append(("journey", journey(name, booking, status=status, **when)))
        plan = {"unit": unit, "arrival_date": arrival.isoformat(), "nights": nights, "room": str(400 + number)}
        booked = {"channel": "booking", "touchpoint": "booking.confirmed", "medium": "web", "booking_ref": booking}
        party = {"party_size": 1 + number % 4}
        at = now - 9 * DAY
        made.append(("interaction", interaction(f"customer:{name}", f"{number:04d}", at, **booked, **plan, **party)))
        return name

    def raised(name: str, alert_id: str, ago: int, rule: str, reason: str, **said: Any) -> None:
        at = {"raised_at": now - ago, "occurred_at": now - ago}
        made.append(("alert", alert(name, alert_id, rule=rule, reason=reason, **{"unit": TOWERS, **at, **said})))

    amina = guest(2, TOWERS, today - timedelta(days=2), 5, "in_stay", -0.41)
    likes = [
        {"key": "diet", "value": "halal", "evidence": 6, "last_at": now - 2 * DAY},
        {"key": "room_floor", "value": "low", "evidence": 2, "last_at": now - 90 * DAY},
    ]
    falling = {"profile": "negative", "sentiment_7d": -0.62, "sentiment_30d": -0.41, "sentiment_90d": -0.08}
    seen = {"first_event_at": now - 200 * DAY, "last_event_at": now - 22 * MINUTE, "interactions": 12, "evidence": 4.6}
    agreed = {"purpose": "survey", "channel": "email", "given": True, "source": "form", "since": now - 400 * DAY}
    refused = {"purpose": "marketing", "channel": "any", "given": False, "source": "", "since": now - 9 * DAY}
    said = {"preferences": likes, "consents": [agreed, refused]}
    made.append(("customer", customer(amina, 2, **said, **falling, **seen)))
    for at, name in enumerate(("loyalty:RH-GOLD-8812", "phone_sha256:" + "5e88" * 16), 1):
        made.append(("identity", identity(name, amina, at)))
    for number, (ago, channel, touchpoint, medium, known) in enumerate(SAID):
        what = {"channel": channel, "touchpoint": touchpoint, "medium": medium, "booking_ref": "RH00002", **known}
        made.append(("interaction", interaction(f"customer:{amina}", said_id(number), now - ago, unit=TOWERS, **what)))
    said = {"channel": "booking", "medium": "web"}
    for number, (what, pairs, ids) in enumerate(
        (("group_joined", (("bus", "12"), ("guide", "Salim")), ({"kind": "group", "value": "UMRAH-7"},)),)
    ):
        told = {"attributes": [{"key": key, "value": value} for key, value in pairs], "ids": list(ids), **said}
        at = now - 9 * DAY - number * HOUR
        made.append(("interaction", interaction(f"customer:{amina}", what, at, touchpoint=f"booking.{what}", **told)))
    of_case = {"case_id": "K-1042", "touchpoint": "stay.complaint_made"}
    raised(amina, "prayer", 20 * MINUTE, "halal_breach", HALAL, severity="critical", **of_case)
    opened = {"touchpoint": "stay.complaint_made", "unit": TOWERS, "contacts": 2}
    made.append(("case", case(amina, "K-1042", opened_at=now - 22 * MINUTE, **opened)))

    yusuf = guest(3, TOWERS, today, 3, "booked", -0.3)
    answered = {"acknowledged_at": now - HOUR, "handler": "Layla"}
    raised(yusuf, "nps", 2 * HOUR, "detractor", "answered 3 of 10 to whether they would recommend us", **answered)
    siti = guest(4, TOWERS, today, 7, "booked", 0.55)
    refund = {"touchpoint": "booking.refund_requested", "unit": TOWERS}
    made.append(("case", case(siti, "K-0993", opened_at=now - 30 * HOUR, **refund)))
    guest(5, TOWERS, today - timedelta(days=4), 4, "in_stay", 0.4)
    guest(6, TOWERS, today - timedelta(days=1), 6, "in_stay")
    fatma = guest(7, CORNICHE, today, 2, "booked")
    raised(fatma, "stalled", 3 * HOUR, "journey_stalled", STALLED, severity="medium", unit=CORNICHE)
    for number in range(20, 26):
        name = guest(number, TOWERS, today - timedelta(days=1), 9, "in_stay")
        raised(name, f"bus-{number}", 50 * MINUTE + number, "negative_review", "a review that reaches 240 people")
    return made
