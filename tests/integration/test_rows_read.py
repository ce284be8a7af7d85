"""How many rows questions read on the real engine, which does not depend on the machine: by one, what is asked for and
not what is stored; counts, the one table that they count."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sinks.clickhouse.client import connect
from sinks.clickhouse.named import load
from streams.embedded.clickhouse.access import OWNER
from streams.embedded.clickhouse.engine import Engine
from streams.embedded.clickhouse.http_interface import Served
from tests.support.clickhouse import ClickHouse, url_as

GRANULE = 8192
"""Rows that are read at once, at least: ClickHouse's index_granularity."""
CUSTOMERS, INTERACTIONS = 60_000, 180_000
ONE = "C030000"
_WHO = "concat('C', leftPad(toString(intDiv(number, {each})), 6, '0'))"
_AT = "toDateTime64('2026-01-01', 3, 'UTC') + toIntervalMinute(number)"
ROWS = {
    "interactions_store (subject, event_id, occurred_at, channel, touchpoint, medium, epoch)": (
        f"concat('customer:', {_WHO.format(each=3)}), toString(generateUUIDv4(number)), {_AT}, 'stay', "
        "'stay.arrived', 'app', 0",
        INTERACTIONS,
    ),
    "identities_store (kind, value, root, customer_id, shared, version)": (
        f"if(number % 2, 'device', 'loyalty'), hex(sipHash64(number)), concat('customer:', {_WHO.format(each=2)}), "
        f"{_WHO.format(each=2)}, false, 1",
        2 * CUSTOMERS,
    ),
    "journeys_store (journey_id, customer_id, booking_ref, kind, status, started_at, last_event_at, span_start, "
    "span_end, version)": (
        f"concat({_WHO.format(each=2)}, '/R', toString(number)), {_WHO.format(each=2)}, concat('R', toString(number)), "
        f"'booking', 'completed', {_AT}, {_AT}, {_AT}, {_AT}, 1",
        2 * CUSTOMERS,
    ),
    "customers_store (customer_id, kind, value, profile, version)": (
        f"{_WHO.format(each=1)}, 'customer', {_WHO.format(each=1)}, 'advocate', 1",
        CUSTOMERS,
    ),
    "cases_store (case_id, customer_id, status, version)": (
        f"hex(sipHash64(number)), {_WHO.format(each=1)}, 'open', 1",
        CUSTOMERS,
    ),
    "moves_store (move_id, customer_id, occurred_at, version)": (
        f"hex(sipHash64(number)), {_WHO.format(each=1)}, {_AT}, 1",
        CUSTOMERS,
    ),
}


@pytest.fixture(scope="module")
def many(engine: Engine, served: Served) -> Iterator[ClickHouse]:
    """Many customers with three interactions, two journeys and two more identifiers each; tables in one part, as merges
    leave them."""
    name = "test_rows_read"
    engine.query(f"CREATE DATABASE {name}")
    url = url_as(OWNER, served.url)
    client = connect(url, name)
    made = ClickHouse(served.url, url, name, engine, client).migrated()
    for table, (columns, count) in ROWS.items():
        engine.query(f"INSERT INTO {name}.{table} SELECT {columns} FROM numbers({count})")
        engine.query(f"OPTIMIZE TABLE {name}.{table.partition(' ')[0]} FINAL")
    made.settle()
    for table in ("interactions_by_time_store", "interactions_resolved_store"):
        engine.query(f"OPTIMIZE TABLE {name}.{table} FINAL")
    yield made
    client.close()
    engine.query(f"DROP DATABASE {name}")


def read(many: ClickHouse, sql: str) -> tuple[int, int]:
    """Rows read, and rows returned."""
    result = many.engine.query(sql, "JSONCompactEachRow", database=many.database)
    return result.rows_read, len(result.data.splitlines())


SUBJECT = f"subject = 'customer:{ONE}'"
# Rows returned, and granules read: of each table those that hold what is asked for, and with FINAL their neighbours.
QUESTIONS = {
    f"SELECT * FROM contacts WHERE {SUBJECT}": (3, 4),
    f"SELECT * FROM contacts WHERE {SUBJECT} AND customer_id = '{ONE}'": (3, 4),
    f"SELECT * FROM interactions WHERE {SUBJECT} AND customer_id = '{ONE}'": (3, 8),
    f"SELECT * FROM journeys WHERE customer_id = '{ONE}'": (2, 4),
    f"SELECT * FROM journeys WHERE journey_id = '{ONE}/R60000'": (1, 2),
    "SELECT * FROM journeys WHERE booking_ref = 'R60001'": (1, 3),
    f"SELECT * FROM customers WHERE customer_id = '{ONE}'": (1, 8),
    f"SELECT * FROM cases WHERE customer_id = '{ONE}'": (1, 3),
    f"SELECT * FROM moves WHERE customer_id = '{ONE}'": (1, 3),
}


@pytest.mark.parametrize("sql", QUESTIONS)
def test_a_question_about_one_reads_what_is_asked_for(many: ClickHouse, sql: str) -> None:
    rows, granules = QUESTIONS[sql]
    before, found = read(many, sql)
    assert found == rows
    assert 0 < before <= granules * GRANULE


def test_the_spend_of_one_reads_nobody_elses_journeys(many: ClickHouse) -> None:
    """All interactions and identities, as the view interactions does, and a few of the 2 * CUSTOMERS journeys."""
    for what in (f"journey_spend WHERE customer_id = '{ONE}'", f"customer_spend WHERE customer_id IN (SELECT '{ONE}')"):
        before, found = read(many, f"SELECT * FROM {what}")
        assert (found, before < INTERACTIONS + 2 * CUSTOMERS + 12 * GRANULE) == (0, True)


def test_a_count_and_what_names_no_customer_read_one_table(many: ClickHouse) -> None:
    for sql in ("SELECT count() FROM contacts", "SELECT channel, avg(score) FROM contacts GROUP BY channel"):
        assert read(many, sql)[0] == INTERACTIONS


def test_seven_days_read_seven_days(many: ClickHouse) -> None:
    """Seven of the 125 days, rounded up to whole weeks: by a condition, wherever the days lie, and by a named query."""
    days = INTERACTIONS // 1440
    most = INTERACTIONS * 14 // days + 2 * 512
    assert most < 0.12 * INTERACTIONS
    for first in (0, 50, days - 7):
        since = f"toDateTime64('2026-01-01', 3, 'UTC') + INTERVAL {first} DAY"
        week = f"occurred_at >= {since} AND occurred_at < {since} + INTERVAL 7 DAY"
        before, found = read(many, f"SELECT event_id FROM contacts WHERE {week}")
        assert (found, before <= most) == (7 * 1440, True)
    query = load()["nps"]
    values = query.bind({"since": "2026-02-01 00:00:00", "until": "2026-02-08 00:00:00"})
    assert many.engine.query(query.text(values), database=many.database, params=values).rows_read <= most


def test_a_score_by_channel_reads_one_table(many: ClickHouse) -> None:
    query = load()["nps"]
    values = query.bind({"by": "channel", "country": "SA"})
    result = many.engine.query(query.text(values), database=many.database, params=values)
    assert result.rows_read == INTERACTIONS


@pytest.mark.parametrize(
    ("name", "passes", "given"),
    [
        ("places", 2, {}),
        ("staff", 2, {}),
        ("staff", 2, {"by": "unit"}),
        ("halal_readiness", 4, {}),
        ("readiness_evidence", 4, {"unit": "HOTEL"}),
        ("units_losing_advocates", 6, {}),
    ],
)
def test_a_question_about_units_reads_the_interactions_for_it_and_for_the_stays_and_not_once_a_branch(
    many: ClickHouse, name: str, passes: int, given: dict[str, str]
) -> None:
    """Alerts and moves that are attributed take two passes of their own, and what was spent one."""
    query = load()[name]
    values = query.bind(given)
    read = many.engine.query(query.text(values), database=many.database, params=values).rows_read
    others = 0 if passes == 2 else 8 * CUSTOMERS
    assert read is not None
    assert read <= passes * INTERACTIONS + others + GRANULE


def test_what_came_later_counts_though_the_filter_finds_an_older_row(many: ClickHouse) -> None:
    """The loyalty number passes from one customer to another: the row that the filter finds is no longer current."""
    mine = f"SELECT value FROM identities WHERE customer_id = '{ONE}' AND kind = 'loyalty' ORDER BY value"
    (value,) = (str(row[0]) for row in many.rows(mine))
    store = f"{many.database}.identities_store (kind, value, root, customer_id, shared, version)"
    many.engine.query(f"INSERT INTO {store} VALUES ('loyalty', '{value}', 'customer:C000007', 'C000007', false, 2)")
    assert many.rows(mine) == []
    assert (value,) in many.rows(mine.replace(ONE, "C000007"))
    assert many.rows(f"SELECT customer_id FROM identities WHERE value = '{value}'") == [("C000007",)]


def test_ten_million_replayed_letters_of_a_source_cost_whoever_asks_for_interactions_nothing(
    clickhouse: ClickHouse,
) -> None:
    """Of all replays only those of interactions that stitch could not process count, and no others are read."""
    clickhouse = clickhouse.migrated()
    letters, replays = 20_000, 400_000
    name = "topic, partition, offset, epoch, payload_hash"
    columns = "topic, partition, offset, epoch, key, payload, reason, detail, failed_at, attempts, version"
    at = "'', now64(3), 1, '0'"
    clickhouse.client.command(
        f"INSERT INTO dead_letters_store ({columns}) "
        f"SELECT 'cx.stay', 0, number, 0, NULL, '', 'undecodable', {at} FROM numbers({letters})"
    )
    clickhouse.client.command(
        f"INSERT INTO dead_letters_store ({columns}) "
        f"SELECT 'cx.interactions', 0, number, 0, 'customer:a', toString(number), 'unprocessable', {at} FROM numbers(2)"
    )
    clickhouse.client.command(
        f"INSERT INTO replays_store ({name}, replayed_at) "
        f"SELECT 'cx.stay', 0, number, 0, cityHash64(''), now64(3) FROM numbers({replays})"
    )
    clickhouse.client.command(
        f"INSERT INTO replays_store ({name}, replayed_at) SELECT {name}, now64(3) FROM dead_letters_store "
        "WHERE topic = 'cx.interactions' AND offset = 0"
    )
    assert read(clickhouse, "SELECT * FROM left_out")[1] == 1, "the other one was replayed"
    for view in ("left_out", "interactions", "journeys_now", "contacts"):
        assert read(clickhouse, f"SELECT * FROM {view}")[0] < 8 * letters < replays
