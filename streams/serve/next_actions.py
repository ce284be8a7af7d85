"""What to do for a customer next, from the view of the topics: as new as they are. Pure.

Of each identifier the view has the last contacts alone. So what older ones might say is not guessed at: who has more is
asked for no review, and is told of no improvement that was made before the oldest of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from streams.alerts.next_actions import (
    ANSWERING,
    SPEAKING,
    SURVEYS,
    TOLD,
    Action,
    Answer,
    Habit,
    Known,
    Matter,
    Open,
    Trip,
    next_actions,
)
from streams.model.company import Model
from streams.model.readers import Stage
from streams.model.vocabulary import DAY_MS

Row = Mapping[str, Any]
HALF_LIFE_DAYS = 30
FADED = 1000.0
"""Half-lives after which nothing is left."""
MOST_NIGHTS = 1000
YEARS = range(1930, 2200)
"""Years of a planned day; others are mistakes."""


def actions_of(
    model: Model,
    row: Row,
    journeys: Iterable[tuple[Row, Row]],
    cases: Iterable[Row],
    alerts: Iterable[Row],
    contacts: Sequence[Row],
    now: int,
) -> list[Action]:
    """What to do for a customer, the most urgent first.

    Args:
        model: what it says of actions and of stages.
        row: of cx.customers. journeys: rows of cx.journeys, each with its plan (field -> value).
        cases, alerts: rows of theirs; of alerts those that are open.
        contacts: rows of their interactions, as the view keeps them.
        now: epoch ms.
    """
    complete = len(contacts) >= row["interactions"]
    oldest = 0 if complete else min((one["occurred_at"] for one in contacts), default=now)
    spend: dict[str, int] = {}
    trips, completed = [], 0
    for journey, plan in journeys:
        for currency, minor in _spend(journey["spend"]):
            spend[currency] = spend.get(currency, 0) + minor
        status, arrives = status_now(journey, plan, model.stages, now), _date(plan.get("arrival_date"))
        completed += status == "completed"
        if status in ("booked", "checked_in") and journey["booked_at"] is not None and arrives is not None:
            trips.append(Trip(journey["journey_id"], arrives, journey["booked_at"]))
    sentiment, evidence = _felt(contacts, now)
    known = Known(
        row["last_event_at"],
        sentiment,
        evidence,
        [
            Open(*(one[name] for name in ("severity", "occurred_at", "rule", "unit", "reason", "alert_id")))
            for one in alerts
        ],
        [*_matters([*cases], contacts, oldest)],
        row["open_cases"],
        spend,
        _survey(contacts),
        max((one["occurred_at"] for one in contacts if _is_answer(one)), default=0),
        not complete or any(one["touchpoint"] in SPEAKING for one in contacts),
        completed,
        trips,
        [
            Habit(one["key"], one["value"], one.get("evidence", 1), one.get("last_at", now))
            for one in row["preferences"]
        ],
    )
    return next_actions(known, model.actions, now)


def status_now(journey: Row, plan: Row, stages: Mapping[str, Stage], now: int) -> str:
    """What a journey is assumed to be (docs/identity-and-journeys.md, what holds now); planned days are UTC's here."""
    status, booked = journey["status"], journey["booked_at"] or 0
    arrived, left = journey["arrived_at"] or 0, journey["checked_out_at"] or 0
    came = max(arrived, left)
    if status in ("cancelled", "no_show") and came and booked <= came:
        status = "completed" if status == "cancelled" or left >= arrived else "in_stay"
    stage = stages.get(status)
    if stage is None or stage.lasts is None or stage.then is None:
        return str(status)
    arrives, nights = _date(plan.get("arrival_date")), plan.get("nights")
    day = arrives if stage.plan == "arrival" else None
    if stage.plan == "departure" and arrives is not None and nights is not None and 0 <= nights <= MOST_NIGHTS:
        day = arrives + timedelta(days=nights)
    ends = journey["last_event_at"] + stage.lasts
    began = {"booked": "booked_at", "checked_in": "checked_in_at", "in_stay": "arrived_at"}.get(status)
    since = None if began is None else journey[began]
    if day is not None and since is not None:
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
        by_plan = int(midnight.timestamp() * 1000) + stage.grace
        ends = by_plan if by_plan > since else ends
    return stage.then if ends <= now else str(status)


def _matters(cases: Sequence[Row], contacts: Iterable[Row], oldest: int) -> Iterator[Matter]:
    """oldest: the time from which all contacts are known."""
    told: dict[str, int] = {}
    resolved = sorted(
        (one["resolved_at"], one["case_id"]) for one in cases if one["status"] == "resolved" and one["resolved_at"]
    )
    for one in contacts:
        if one["touchpoint"] != TOLD:
            continue
        at = one["occurred_at"]
        # One that names no case is about the one that was resolved last before it.
        about = one.get("case_id") or max((key for key in resolved if key[0] <= at), default=(0, ""))[1]
        told[about] = max(at, told.get(about, 0))
    for one in cases:
        since = max(one["opened_at"] or 0, one["reopened_at"] or 0)
        settled = one["resolved_at"] or 0
        was_told = told.get(one["case_id"], 0) if settled >= oldest else settled
        answered = one["first_response_at"] is not None
        yield Matter(one["case_id"], one["unit"], one["status"] == "open", since, answered, settled, was_told)


def _felt(contacts: Iterable[Row], now: int) -> tuple[float | None, float]:
    """The 30-day score now and its evidence: S / (W + 1) and W^2 / Q of weights that halve every thirty days."""
    weights = felt = squares = 0.0
    any_ = False
    for one in contacts:
        if "score" in one:
            halves = (one["occurred_at"] - now) / DAY_MS / HALF_LIFE_DAYS
            weight = one.get("score_weight", 0.0) * 2.0 ** min(max(halves, -FADED), 1.0)
            weights, felt, squares = weights + weight, felt + weight * one["score"], squares + weight * weight
            any_ = True
    return felt / (weights + 1.0) if any_ else None, weights * weights / squares if squares else 0.0


def _survey(contacts: Iterable[Row]) -> Answer | None:
    """The latest answer, by (occurred_at, event_id)."""
    said = [one for one in contacts if (one.get("survey") or {}).get("instrument") in SURVEYS]
    last = max(said, key=lambda one: (one["occurred_at"], one["event_id"]), default=None)
    if last is None:
        return None
    survey = last["survey"]
    return Answer(last["occurred_at"], survey["instrument"], survey["score"], last.get("unit"), last["event_id"])


def _is_answer(contact: Row) -> bool:
    is_survey = (contact.get("survey") or {}).get("instrument") is not None
    return not is_survey and ANSWERING.search(contact["touchpoint"]) is not None


def _spend(said: Any) -> Iterator[tuple[str, int]]:
    for one in said:
        yield one["currency"], one["amount_minor"]


def _date(text: Any) -> date | None:
    try:
        day = date.fromisoformat(text) if text else None
    except ValueError:
        return None
    return day if day is not None and day.year in YEARS else None
