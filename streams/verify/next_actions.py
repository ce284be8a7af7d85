"""What may be done for customers, computed in a plain way: each rule of docs/recovery.md is one query over columns.

No clock is asked: a row says from when until when it holds. Open alerts are observations: `compared` takes them as they
are stored, and does not judge what the state of a customer may have forgotten of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any

import polars as pl

from streams.model import zones
from streams.model.currencies import digits
from streams.model.guests import Guests
from streams.verify.compare import Comparison, compare

TABLE = "next_actions"
KEY = ("customer_id", "action", "evidence")
SCHEMA = {**dict.fromkeys(("customer_id", "action", "reason", "evidence"), pl.String()),
          **dict.fromkeys(("begins_at", "ends_at"), pl.Int64())}  # fmt: skip
DAY_MS, MINUTE_MS = 86_400_000, 60_000
KEPT_DAYS, MOST = 89, 64
"""Alerts that a state surely remembers: not so much older than the newest event, and not more of a customer."""
_ANSWERING = r"_(answered|resolved|paid|given|told|done|delivered|traced|returned)$"
_SPEAKING = ("post_travel.referral_made", "post_travel.review_posted", "post_travel.review_requested")
_SURVEYS = {"nps": 6, "csat": 2, "stars": 2}
"""Survey: up to which answer it is a bad one."""
_UNUSED = ("language", "meal_plan", "room_type", "messages")
_DAY = r"^(?:19[3-9]\d|20\d\d|21\d\d)-\d\d-\d\d$"
_RATE = math.log(2) / (30 * DAY_MS)
_ALERTS = """
SELECT a.customer_id, a.alert_id, toString(a.rule), a.unit, toUnixTimestamp64Milli(a.occurred_at), a.reason,
    toString(a.severity)
FROM alerts AS a WHERE a.closed_at IS NULL
"""
Row = tuple[str, str, str, str, int | None, int | None]


def next_actions(
    lived: pl.DataFrame,
    own: pl.DataFrame,
    customers: pl.DataFrame,
    journeys: pl.DataFrame,
    cases: pl.DataFrame,
    guests: Guests,
) -> pl.DataFrame:
    """One row an action that may be done for a customer, but those that answer alerts; columns as in SCHEMA.

    lived: events with `customer_id`, in order of (occurred_at, event_id). own: those of them that no group shares with
    its members. customers, journeys, cases: the tables. guests: of the model: the days of its zones count.
    """
    last = customers.select("customer_id", last="last_event_at")
    is_answer = pl.col("survey").struct.field("instrument").is_not_null()
    answered = (
        own.filter(pl.col("touchpoint").str.contains(_ANSWERING), ~is_answer)
        .group_by("customer_id")
        .agg(answered=pl.col("occurred_at").max())
    )
    rows: list[Row] = [
        *_cases(own, last, cases, guests),
        *_opinions(lived, own, customers, journeys),
        *_answers(own, last, answered, guests),
        *_stays(own, last, customers, journeys, guests),
    ]
    return pl.DataFrame(rows, SCHEMA, orient="row")


def _cases(own: pl.DataFrame, last: pl.DataFrame, cases: pl.DataFrame, guests: Guests) -> Iterator[Row]:
    is_open = pl.col("status") == "open"
    since = pl.max_horizontal("opened_at", "reopened_at")
    overdue = cases.filter(is_open).with_columns(since=since).drop_nulls("since")
    for customer, case, unit, at, response in overdue.select(
        "customer_id", "case_id", "unit", "since", "first_response_at"
    ).iter_rows():
        how, days = ("without any answer", 2) if response is None else ("answered but not resolved", 5)
        of = f" of {unit}" if unit else ""
        reason = f"Case {case}{of} is open since {_day(at, guests, unit)}, {how}"
        yield customer, "call_about_case", reason, f"case {case}", at + days * DAY_MS, None
    told = own.filter(pl.col("touchpoint") == "post_travel.improvement_told").select(
        "customer_id", case=pl.col("case_id").fill_null(""), at="occurred_at"
    )
    whole = told.filter(pl.col("case") == "").group_by("customer_id").agg(of_all=pl.col("at").max())
    each = told.group_by("customer_id", case_id="case").agg(of_it=pl.col("at").max())
    done = (
        cases.filter(~is_open)
        .join(last, on="customer_id")
        .join(whole, on="customer_id", how="left")
        .join(each, on=["customer_id", "case_id"], how="left")
        .filter(
            pl.max_horizontal("of_all", "of_it").fill_null(0) < pl.col("resolved_at"),
            pl.col("last") < pl.col("resolved_at") + 90 * DAY_MS,
        )
    )
    for customer, case, unit, at in done.select("customer_id", "case_id", "unit", "resolved_at").iter_rows():
        reason = (
            f"Case {case} was resolved on {_day(at, guests, unit)}, and the customer was not told what was improved"
        )
        yield customer, "tell_improvement", reason, f"case {case}", None, at + 90 * DAY_MS


def _opinions(lived: pl.DataFrame, own: pl.DataFrame, customers: pl.DataFrame, journeys: pl.DataFrame) -> Iterator[Row]:
    at, score = pl.col("occurred_at"), pl.col("score")
    weight = pl.col("score_weight") * ((at - at.max()) * _RATE).exp()
    felt = (
        lived.filter(score.is_not_null())
        .group_by("customer_id")
        .agg(opinion=at.max(), weight=weight.sum(), total=(weight * score).sum())
    )
    bound = pl.when(pl.col("profile") == "negative").then(-0.25).otherwise(0.25)
    left = pl.col("bound") / (pl.col("total") - pl.col("bound") * pl.col("weight"))
    fades = pl.col("opinion") - left.log() / _RATE
    strong = (
        customers.filter(pl.col("profile") != "non_committal")
        .join(felt, on="customer_id")
        .with_columns(bound=bound)
        .with_columns(left=left)
        .filter(pl.col("left").is_between(0.0, 1 - 1e-6, closed="none"))
        .with_columns(ends=((fades / MINUTE_MS).round() * MINUTE_MS).cast(pl.Int64))
        .filter(pl.col("ends") > pl.col("last_event_at"))
    )
    money = pl.col("money").struct
    spent: dict[str, list[tuple[str, int]]] = {}
    sums = (
        own.filter(pl.col("money").is_not_null())
        .group_by("customer_id", currency=money.field("currency"))
        .agg(minor=money.field("amount_minor").cast(pl.Int128).sum())
        .filter(pl.col("minor") > 0)
        .sort("currency")
    )
    for customer, currency, minor in sums.iter_rows():
        spent.setdefault(customer, []).append((currency, minor))
    came = set(journeys.filter(pl.col("status") == "completed")["customer_id"])
    unasked = pl.col("survey").struct.field("instrument").is_null()
    spoke = set(own.filter(pl.col("touchpoint").is_in(_SPEAKING), unasked)["customer_id"])
    for one in strong.iter_rows(named=True):
        customer, ends = one["customer_id"], one["ends"]
        felt_then = f"30-day sentiment {_number(one['sentiment_30d'], 2)} at the last event"
        about = f"profile {one['profile']}, evidence {_number(one['evidence'], 1)}"
        if one["profile"] == "negative" and customer in spent:
            said = ", ".join(f"{_major(currency, minor)} {currency}" for currency, minor in spent[customer])
            reason = f"Feels badly about us ({felt_then}) and has spent {said}"
            yield customer, "manager_call", reason, about, None, ends
        silent = any(known["key"] == "messages" and known["value"] == "no" for known in one["preferences"])
        well = not one["open_cases"] and not silent and customer in came and customer not in spoke
        if one["profile"] == "advocate" and well:
            reason = f"An advocate ({felt_then}) with a completed journey who has not recommended or reviewed us yet"
            yield customer, "ask_for_review", reason, about, None, min(ends, one["last_event_at"] + 90 * DAY_MS)


def _answers(own: pl.DataFrame, last: pl.DataFrame, answered: pl.DataFrame, guests: Guests) -> Iterator[Row]:
    survey = pl.col("survey").struct
    latest = (
        own.filter(survey.field("instrument").is_in(list(_SURVEYS)))
        .select("customer_id", "occurred_at", "event_id", answer=survey.field("score"), name=survey.field("instrument"))
        .sort("occurred_at", "event_id", "answer", "name")
        .group_by("customer_id", maintain_order=True)
        .last()
        .join(last, on="customer_id")
        .join(answered, on="customer_id", how="left")
        .filter(
            pl.col("answer") <= pl.col("name").replace_strict(_SURVEYS),
            pl.col("answered").fill_null(0) < pl.col("occurred_at"),
            pl.col("last") < pl.col("occurred_at") + 30 * DAY_MS,
        )
    )
    for customer, at, event, answer, name in latest.select(
        "customer_id", "occurred_at", "event_id", "answer", "name"
    ).iter_rows():
        reason = f"Answered {name} with {_number(answer, 6)} on {_day(at, guests)}, and nobody has answered since"
        yield customer, "follow_up_detractor", reason, f"event {event}", None, at + 30 * DAY_MS


def _stays(
    own: pl.DataFrame, last: pl.DataFrame, customers: pl.DataFrame, journeys: pl.DataFrame, guests: Guests
) -> Iterator[Row]:
    arrival = pl.col("arrival_date")
    day = pl.when(arrival.str.contains(_DAY)).then(arrival).str.to_date("%Y-%m-%d", strict=False)
    planned = (
        own.filter(pl.col("booking_ref").is_not_null())
        .with_columns(day=day)
        .drop_nulls("day")
        .group_by("customer_id", "booking_ref", maintain_order=True)
        .agg(pl.col("day").last())
    )
    going = (
        journeys.filter(pl.col("status").is_in(["booked", "checked_in"]), pl.col("booked_at").is_not_null())
        .join(planned, on=["customer_id", "booking_ref"])
        .join(customers.select("customer_id", "preferences", last="last_event_at"), on="customer_id")
    )
    for one in going.iter_rows(named=True):
        wanted = [
            f"{known['key']}{'' if known['value'] == 'yes' else ' ' + known['value']} "
            f"({known['evidence']}x, last {_day(known['last_at'], guests)})"
            for known in sorted(one["preferences"], key=lambda each: each["key"])
            if known["last_at"] < one["booked_at"] and known["value"] != "no" and known["key"] not in _UNUSED
        ]
        begins, ends = (_begins(one["day"] + timedelta(days=more), guests) for more in (0, 1))
        if wanted and one["last"] < ends:
            reason = f"Arrives on {one['day']} and has asked for or used before: {', '.join(wanted)}"
            journey = f"journey {one['journey_id']}"
            yield one["customer_id"], "prepare_stay", reason, journey, begins - 60 * DAY_MS, ends


def compared(
    client: Any, expected: pl.DataFrame, customers: pl.DataFrame, guests: Guests, unheard: Iterable[str] = ()
) -> Comparison:
    """The view next_actions against what is expected and against the open alerts.

    client: of clickhouse-connect, on the database of the tables. expected: what `next_actions` gives. customers: the
    table. guests: of the model. unheard: customers that are not judged (streams.verify.unheard).
    """
    times = [f"toUnixTimestamp64Milli({name})" for name in ("begins_at", "ends_at")]
    rows = client.query(
        f"SELECT customer_id, action, reason, evidence, {', '.join(times)} FROM next_actions"
    ).result_rows
    found = pl.DataFrame([tuple(row) for row in rows], SCHEMA, orient="row")
    alerts = client.query(_ALERTS).result_rows
    return judged(expected, found, [tuple(row) for row in alerts], customers, guests, unheard)


def judged(
    expected: pl.DataFrame,
    found: pl.DataFrame,
    alerts: Iterable[tuple[Any, ...]],
    customers: pl.DataFrame,
    guests: Guests,
    unheard: Iterable[str] = (),
) -> Comparison:
    """As `compared`. alerts: (customer_id, alert_id, rule, unit, occurred_at, reason, severity) of the open ones."""
    newest = dict(customers.select("customer_id", "last_event_at").iter_rows())
    by_customer: dict[str, list[tuple[Any, ...]]] = {}
    for one in alerts:
        by_customer.setdefault(one[0], []).append(one)
    answers: list[Row] = []
    doubtful = set(unheard)
    for customer, some in by_customer.items():
        old = any(newest.get(customer, 0) - one[4] > KEPT_DAYS * DAY_MS for one in some)
        if old or len(some) >= MOST or customer not in newest:
            doubtful.add(customer)
        for _, alert_id, rule, unit, at, reason, severity in some:
            if severity == "critical":
                about = f"{rule}, {unit}" if unit else rule
                text = f"A critical alert ({about}) is open since {_day(at, guests, unit)}: {reason}"
                answers.append((customer, "answer_alert", text, f"alert {alert_id}", None, None))
    busy = (pl.col("action") == "ask_for_review") & pl.col("customer_id").is_in(list(by_customer))
    wanted = pl.concat([expected.filter(~busy), pl.DataFrame(answers, SCHEMA, orient="row")])
    sure = ~pl.col("customer_id").is_in(list(doubtful))
    wanted, found = wanted.filter(sure), found.filter(sure)
    # To the minute: a moment computed from sums of floating-point numbers may fall to either side of half of one.
    near = wanted.join(found.select(*KEY, shown="ends_at"), on=list(KEY), how="left")
    close = (pl.col("shown") - pl.col("ends_at")).abs() <= MINUTE_MS
    wanted = near.with_columns(ends_at=pl.when(close).then("shown").otherwise("ends_at")).drop("shown")
    return compare(TABLE, wanted, found, KEY)


def _zone(guests: Guests, unit: str | None) -> zones.ZoneInfo:
    """Whose clock says which day something of a unit was: that of its first pattern, else the company's."""
    fitting = [name for pattern, name in guests.zones if fnmatchcase(unit or "", pattern)]
    return zones.zone(fitting[0] if fitting else guests.zone)


def _begins(day: date, guests: Guests) -> int:
    return round(datetime.combine(day, datetime.min.time(), _zone(guests, None)).timestamp()) * 1000


def _day(at: int, guests: Guests, unit: str | None = None) -> str:
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)
        return moment.astimezone(_zone(guests, unit)).strftime("%Y-%m-%d")
    except OverflowError:
        return "an unknown day"


def _major(currency: str, minor: int) -> Decimal:
    return Decimal(minor).scaleb(-digits().get(currency, 2))


def _number(value: float, digits: int) -> str:
    rounded = round(round(value, 6), digits)
    return str(int(rounded)) if rounded == int(rounded) else repr(rounded)
