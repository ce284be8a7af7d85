"""Ten questions asked of our tables and of PostHog's ClickHouse schema, on the same interactions, in the same engine.

Their tables are as PostHog has them (models/event/sql.py and models/person/sql.py of its repository, 2025), less what
Kafka's engine adds: `sharded_events` keeps what an event says as JSON and the person known when it came in;
`person_distinct_id_overrides` who that turned out to be since. Theirs is asked as PostHog asks: no FINAL (a copy counts
twice until a merge), the person by a join with the overrides. One identifier in ten was linked after its events
(overridden); the others are as if squashed already, to their advantage. What a property is, they take from JSON.

Each answer is compared with ours: a question that both answer differently is said to.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from streams.embedded.clickhouse.access import DATABASE
from streams.embedded.clickhouse.engine import Engine

THEIRS = "posthog"
"""The database of their tables."""

_PERSON = "reinterpretAsUUID(sipHash128({}))"
_LATE = "sipHash64(subject) % 10 = 0 AND NOT startsWith(subject, 'customer:')"
"""Whose customer was known only after the event had come in."""

TABLES = (
    f"""CREATE TABLE IF NOT EXISTS {THEIRS}.sharded_events
(
    uuid UUID,
    event VARCHAR,
    properties VARCHAR CODEC(ZSTD(3)),
    timestamp DateTime64(6, 'UTC'),
    team_id Int64,
    distinct_id VARCHAR,
    elements_chain VARCHAR,
    created_at DateTime64(6, 'UTC'),
    person_id UUID,
    person_created_at DateTime64,
    person_properties VARCHAR CODEC(ZSTD(3)),
    person_mode Enum8('full' = 0, 'propertyless' = 1, 'force_upgrade' = 2),
    _timestamp DateTime
)
ENGINE = ReplacingMergeTree(_timestamp)
PARTITION BY toYYYYMM(timestamp)
ORDER BY (team_id, toDate(timestamp), event, cityHash64(distinct_id), cityHash64(uuid))
SAMPLE BY cityHash64(distinct_id)""",
    f"""CREATE TABLE IF NOT EXISTS {THEIRS}.person_distinct_id_overrides
(
    team_id Int64,
    distinct_id VARCHAR,
    person_id UUID,
    is_deleted Int8,
    version Int64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (team_id, distinct_id)
SETTINGS index_granularity = 512""",
)

_PROPERTIES = (
    *("booking_ref", "channel", "medium", "unit", "agent_id", "locale", "country", "text", "case_id", "language"),
    *("score", "score_source", "party_size", "nights", "lead_days", "arrival_date", "package", "meal_plan"),
    *("room_type", "wait_seconds", "delay_minutes", "seat", "room", "facility", "service", "platform"),
)
"""What is put into an event's JSON under its own name; surveys and money field by field besides."""

FILLED = (
    f"""INSERT INTO {THEIRS}.sharded_events
SELECT
    toUUID(event_id), touchpoint,
    toJSONString(map({", ".join(f"'{name}', ifNull(toString({name}), '')" for name in _PROPERTIES)},
        'survey', ifNull(toString(survey.instrument), ''), 'survey_score', ifNull(toString(survey.score), ''),
        'amount_minor', ifNull(toString(money.amount_minor), ''), 'currency', ifNull(toString(money.currency), ''))),
    occurred_at, 1, subject, '', occurred_at,
    if({_LATE}, {_PERSON.format("concat(subject, ' ')")}, {_PERSON.format("customer_id")}),
    occurred_at, '', 'full', now()
FROM {DATABASE}.contacts
SETTINGS max_threads = 1, max_insert_threads = 1, max_block_size = 8192, min_insert_block_size_rows = 100000,
    max_partitions_per_insert_block = 0, max_memory_usage = 6000000000""",
    f"""INSERT INTO {THEIRS}.person_distinct_id_overrides
SELECT DISTINCT 1, subject, {_PERSON.format("customer_id")}, 0, 1 FROM {DATABASE}.contacts WHERE {_LATE}
SETTINGS max_memory_usage = 6000000000""",
)

_WHO = """LEFT JOIN
(
    SELECT distinct_id, argMax(person_id, version) AS person_id FROM person_distinct_id_overrides
    WHERE team_id = 1 GROUP BY distinct_id HAVING argMax(is_deleted, version) = 0
) AS o ON o.distinct_id = e.distinct_id"""
_THEM = "if(notEmpty(o.distinct_id), o.person_id, e.person_id)"


def _said(name: str) -> str:
    return f"JSONExtractString(properties, '{name}')"


@dataclass(frozen=True)
class Pair:
    """A question, in our SQL and in theirs: the same columns in the same order."""

    title: str
    ours: str
    theirs: str


def pairs(engine: Engine) -> list[Pair]:
    """The ten questions. Times are those of the last event stored."""
    asked = f"SELECT toUnixTimestamp(max(occurred_at)) FROM {DATABASE}.interactions_store"
    last = datetime.fromtimestamp(int(engine.query(asked).data), UTC)
    one, subject = _somebody(engine)

    def since(days: int) -> str:
        return f"toDateTime64('{last - timedelta(days=days):%Y-%m-%d} 00:00:00', 3, 'UTC')"

    def ours(what: str, where: str, then: str = "") -> str:
        return f"SELECT {what} FROM contacts WHERE {where} {then}"

    def theirs(what: str, where: str, then: str = "", who: str = "") -> str:
        return f"SELECT {what} FROM sharded_events AS e {who} WHERE team_id = 1 AND {where} {then}"

    week, month = since(7), since(30)
    nps = "{0} AS unit, count() AS n, round(100 * (countIf({1} >= 9) - countIf({1} <= 6)) / n, 1)"
    stages = ("booking.confirmed", "check_in.completed", "stay.arrived", "stay.checked_out")
    reached = ", ".join(f"countIf(s{at})" for at in range(len(stages)))
    trips = ", ".join(f"max({{0}} = '{stage}') AS s{at}" for at, stage in enumerate(stages))
    listed = ", ".join(f"'{stage}'" for stage in stages)
    following = (
        "SELECT next, count() AS times FROM (SELECT {0} AS touched, leadInFrame(toString({0})) OVER (PARTITION BY {1} "
        "ORDER BY {2}, {3} ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING) AS next FROM {4}) "
        "WHERE touched = 'check_in.completed' GROUP BY next ORDER BY times DESC, next LIMIT 10"
    )
    came = (
        "SELECT week, count() FROM (SELECT DISTINCT {0} AS who, intDiv(dateDiff('day', {1}, {2}), 7) AS week FROM {3}) "
    )
    back = f"WHERE week > 0 AND who IN (SELECT {{0}} FROM {{1}} AND {{2}} < {since(28)}) GROUP BY week ORDER BY week"
    ours_since = f"contacts WHERE occurred_at >= {since(35)}"
    theirs_since = f"sharded_events AS e {_WHO} WHERE team_id = 1 AND timestamp >= {since(35)}"
    return [
        Pair("how many events", ours("count()", "1"), theirs("count()", "1")),
        Pair(
            "events a day, seven days",
            ours("toDate(occurred_at) AS day, count()", f"occurred_at >= {week}", "GROUP BY day ORDER BY day"),
            theirs("toDate(timestamp) AS day, count()", f"timestamp >= {week}", "GROUP BY day ORDER BY day"),
        ),
        Pair(
            "NPS by unit, seven days",
            ours(
                nps.format("ifNull(toString(unit), '')", "survey.score"),
                f"occurred_at >= {week} AND survey.instrument = 'nps'",
                "GROUP BY unit ORDER BY unit",
            ),
            theirs(
                nps.format(_said("unit"), f"toFloat64({_said('survey_score')})"),
                f"timestamp >= {week} AND {_said('survey')} = 'nps'",
                "GROUP BY unit ORDER BY unit",
            ),
        ),
        Pair(
            "mean score by touchpoint, all time",
            ours("toString(touchpoint) AS t, round(avg(score), 6)", "score IS NOT NULL", "GROUP BY t ORDER BY t"),
            theirs(
                f"event AS t, round(avg(toFloat64({_said('score')})), 6)",
                f"{_said('score')} != ''",
                "GROUP BY t ORDER BY t",
            ),
        ),
        Pair(
            "customers, seven days",
            ours("uniqExact(customer_id)", f"occurred_at >= {week}"),
            theirs(f"uniqExact({_THEM})", f"timestamp >= {week}", who=_WHO),
        ),
        Pair(
            "funnel of trips, thirty days",
            f"SELECT {reached} FROM (SELECT {trips.format('touchpoint')} FROM contacts WHERE occurred_at >= {month} "
            f"AND touchpoint IN ({listed}) AND booking_ref IS NOT NULL GROUP BY customer_id, booking_ref)",
            f"SELECT {reached} FROM (SELECT {trips.format('event')} FROM sharded_events AS e {_WHO} WHERE team_id = 1 "
            f"AND timestamp >= {month} AND event IN ({listed}) AND {_said('booking_ref')} != '' "
            f"GROUP BY {_THEM}, {_said('booking_ref')})",
        ),
        Pair(
            "paths: what follows a check-in, thirty days",
            following.format(
                *("touchpoint", "customer_id", "occurred_at", "event_id"), f"contacts WHERE occurred_at >= {month}"
            ),
            following.format(
                *("event", _THEM, "timestamp", "toString(uuid)"),
                f"sharded_events AS e {_WHO} WHERE team_id = 1 AND timestamp >= {month}",
            ),
        ),
        Pair(
            "retention: who came back, by week",
            came.format("customer_id", since(35), "occurred_at", ours_since)
            + back.format("customer_id", ours_since, "occurred_at"),
            came.format(_THEM, since(35), "timestamp", theirs_since) + back.format(_THEM, theirs_since, "timestamp"),
        ),
        Pair(
            "one customer's events",
            ours(
                "toString(touchpoint), occurred_at",
                f"customer_id = '{one}' AND subject = '{subject}'",
                "ORDER BY occurred_at, event_id",
            ),
            theirs(
                "event, toDateTime64(timestamp, 3, 'UTC')",
                f"distinct_id = '{subject}'",
                "ORDER BY timestamp, toString(uuid)",
            ),
        ),
        Pair(
            "money by currency, thirty days",
            ours(
                "toString(money.currency) AS currency, sum(money.amount_minor)",
                f"occurred_at >= {month} AND money.currency IS NOT NULL",
                "GROUP BY currency ORDER BY currency",
            ),
            theirs(
                f"{_said('currency')} AS currency, sum(toInt64({_said('amount_minor')}))",
                f"timestamp >= {month} AND {_said('currency')} != ''",
                "GROUP BY currency ORDER BY currency",
            ),
        ),
    ]


def _somebody(engine: Engine) -> tuple[str, str]:
    """A customer that is named as one, with the median number of interactions, and the subject of their events."""
    found = engine.query(
        f"SELECT customer_id FROM {DATABASE}.customers WHERE kind = 'customer' ORDER BY abs(interactions - "
        f"(SELECT median(interactions) FROM {DATABASE}.customers WHERE journeys > 0)), customer_id LIMIT 1"
    )
    one = found.data.decode().strip()
    return one, f"customer:{one}"


def make(engine: Engine) -> None:
    """Their tables, with our interactions in them; nothing where they are there already."""
    engine.query(f"CREATE DATABASE IF NOT EXISTS {THEIRS}")
    for table in TABLES:
        engine.query(table)
    if int(engine.query(f"SELECT count() FROM {THEIRS}.sharded_events").data) == 0:
        for statement in FILLED:
            engine.query(statement)
