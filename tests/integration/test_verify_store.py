"""rihla verify on a real engine: silent about what the workers publish, exact about everything else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import polars as pl
import pytest

from schemas.encode import BatchEncoder
from schemas.records import polars_schema, schema
from schemas.registry import LocalRegistry, UnknownSchemaError
from sinks.clickhouse.client import connect
from sinks.clickhouse.migrate import migrations
from sinks.clickhouse.named import load
from sinks.clickhouse.resolved import Resolver
from sinks.clickhouse.tables import TABLES
from streams.cli import main
from streams.embedded.clickhouse.access import OWNER
from streams.embedded.clickhouse.engine import Engine
from streams.embedded.clickhouse.http_interface import Served
from streams.verify import store
from streams.verify.verify import KEYS, verify
from tests.support.clickhouse import ClickHouse, url_as
from tests.support.plain_workers import DAY_MS, RECORDS, START_MS, Workers, interaction, log_of

ONE, TWO = ("customer", "1"), ("customer", "2")
MAIL, DEVICE = ("email_sha256", "e"), ("device", "d")
EVENTS = [
    interaction(1, ids=[ONE], booking_ref="R1", touchpoint="booking.confirmed", money=(1250, "SAR")),
    interaction(2, ids=[ONE, MAIL], booking_ref="R1", touchpoint="stay.arrived", channel="stay", after=10 * DAY_MS),
    interaction(3, ids=[MAIL], touchpoint="stay.complaint_made", channel="stay", unit="HTL-1", case_id="c1", score=-0.8,
                score_weight=0.3, locale="ar", after=11 * DAY_MS),
    interaction(4, booking_ref="R1", touchpoint="stay.checked_out", channel="stay", after=12 * DAY_MS),
    interaction(5, ids=[TWO], after=3 * DAY_MS),
    interaction(6, ids=[DEVICE], after=5 * DAY_MS, score=0.6, score_weight=1.0),
]  # fmt: skip
BOOKING = '{"kind":"booking_ref","value":"R1"}'
VISIT_2, VISIT_D = "2/visit/20231117T221320.000Z-00000005", "device:d/visit/20231119T221320.000Z-00000006"


def fill(clickhouse: ClickHouse, log: pl.DataFrame) -> None:
    """Store a log, and what the workers make of it."""
    workers = Workers()
    workers.work(log, Random(1))
    clickhouse.write("interactions", log)
    for table in (*RECORDS, "identities"):
        clickhouse.write(table.replace("_", "-"), workers.records(table))


@pytest.fixture(scope="module")
def tables(engine: Engine, served: Served) -> Iterator[ClickHouse]:
    """A migrated database for all tests of this module: the schema takes longer than any of them."""
    engine.query("CREATE DATABASE test_verify_store")
    url = url_as(OWNER, served.url)
    client = connect(url, "test_verify_store")
    yield ClickHouse(served.url, url, "test_verify_store", engine, client).migrated()
    client.close()
    engine.query("DROP DATABASE test_verify_store")


@pytest.fixture
def empty(tables: ClickHouse) -> ClickHouse:
    """The database, with nothing in it."""
    for table in TABLES.values():
        tables.client.command(f"TRUNCATE TABLE {table.store}")
    tables.without_interactions()
    return tables


@pytest.fixture
def stored(empty: ClickHouse) -> ClickHouse:
    """The database with EVENTS and what the workers make of them."""
    fill(empty, log_of(EVENTS))
    return empty


def changed(table: str, where: str, **columns: str) -> str:
    """SQL that stores a newer version of a row, with other values (SQL expressions)."""
    replaced = ", ".join(f"{value} AS {name}" for name, value in {"version": "version + 1", **columns}.items())
    row = f"SELECT * FROM {table}_store FINAL WHERE {where}"  # apart, so that names there are the stored values
    return f"INSERT INTO {table}_store SELECT * REPLACE ({replaced}) FROM ({row})"


def copied(where: str, **columns: str) -> str:
    """SQL that stores a copy of an interaction with other values (SQL expressions)."""
    replaced = ", ".join(f"{value} AS {name}" for name, value in columns.items())
    return (
        f"INSERT INTO interactions_store SELECT * REPLACE ({replaced}) FROM "
        f"(SELECT * FROM interactions_store WHERE {where})"
    )


def found(report: Any) -> list[tuple[Any, ...]]:
    return sorted(report.differences.rows(), key=str)


def test_what_the_workers_publish_has_no_differences(stored: ClickHouse) -> None:
    report = verify(stored.client)
    assert found(report) == []
    assert report.events == 6
    assert report.rows == {
        "interactions": 6,
        "journeys": 3,
        "customers": 3,
        "cases": 1,
        "identities": 5,
        "contacts": 6,
        "interactions by time": 6,
        "interactions resolved": 6,
        "interactions_attributed": 6,
        "journeys_attributed": 3,
        "cases_attributed": 1,
        "journey_spend": 1,
        "journeys_now": 3,
        "unit_levels": 0,
        "deliveries": 0,
        "answers": 0,
        "alert_sla": 0,
        "consents": 0,
        "guests": 0,
        "calls": 0,
        "group_cells": 0,
        "memberships": 0,
        "segments": 0,
        "targets": 0,
        "alerts": 0,
        "next_actions": 1,
        "cases (owner)": 1,
        "moves (owner)": 0,
        "drivers": 0,
        "action_effects": 0,
        "anomalies": 0,
    }
    assert report.differing_rows == dict.fromkeys(report.rows, 0)
    assert (report.looks, report.source) == (1, "table")


def test_what_differs_in_the_order_of_time_is_told(stored: ClickHouse) -> None:
    """A row that is not there, one that should not be, and one of another content."""
    order = "interactions_by_time_store"
    columns = "* REPLACE ({}) FROM (SELECT * FROM {} FINAL WHERE {})"
    one, two, three = (str(row[0]) for row in stored.rows("SELECT event_id FROM interactions ORDER BY 1 LIMIT 3"))
    for changed_row in (
        columns.format("rank + 1 AS rank, 1 AS gone", order, f"event_id = '{one}'"),
        columns.format("concat(event_id, '-') AS event_id", order, f"event_id = '{two}'"),
        columns.format("'nothing' AS touchpoint, rank + 2 AS rank", order, f"event_id = '{three}'"),
    ):
        stored.client.command(f"INSERT INTO {order} SELECT {changed_row}")
    told = [row for row in found(verify(stored.client)) if row[0] == "interactions by time"]
    assert sorted((key.split()[1], column) for _, key, column, *_ in told) == sorted(
        [(one, "(row)"), (f"{two}-", "(row)"), (three, "content"), (three, "version")]
    )


def consent(number: int, what: str, **said: Any) -> dict[str, Any]:
    """An event of consent. said: `ids`, `after`, and attributes."""
    about = {name: said.pop(name) for name in ("ids", "after") if name in said}
    attributes = [{"key": key, "value": value} for key, value in said.items()]
    return interaction(number, touchpoint=f"stay.consent_{what}", channel="stay", attributes=attributes, **about)


def test_consent(empty: ClickHouse) -> None:
    """The latest holds, of all that are one person; what the views show beside it is found."""
    fill(
        empty,
        log_of(
            [
                *EVENTS,
                consent(7, "given", ids=[MAIL], after=2, purpose="survey", channel=" Email", source="form"),
                consent(8, "withdrawn", ids=[ONE], after=3, purpose="SURVEY", channel="email"),
                consent(9, "given", ids=[ONE], after=1, purpose="survey", channel="email"),
                consent(10, "withdrawn", ids=[TWO], purpose="*"),
            ]
        ),
    )
    assert found(verify(empty.client)) == []
    asked = "SELECT customer_id, purpose, channel, state FROM consents ORDER BY customer_id"
    assert empty.client.query(asked).result_rows == [
        ("1", "survey", "email", "withdrawn"),
        ("2", "any", "any", "withdrawn"),
    ]
    kept = "SELECT customer_id, consents FROM customers WHERE notEmpty(consents) ORDER BY customer_id"
    (one, held), (two, of_all) = empty.client.query(kept).result_rows
    assert [(one, *map(tuple_of, held)), (two, *map(tuple_of, of_all))] == [
        ("1", ("survey", "email", False, "", START_MS + 3)),
        ("2", ("any", "any", False, "", START_MS)),
    ]
    query = load()["consent"]
    (row,) = empty.client.query(query.sql, parameters=query.bind({"id": "email_sha256:e"})).result_rows
    assert (*row[:4], row[5]) == ("1", "survey", "email", "withdrawn", None)
    assert [(state, source) for _, state, source in row[6]] == [("withdrawn", ""), ("given", "form"), ("given", "")]
    empty.client.command(
        "CREATE OR REPLACE VIEW consents AS SELECT customer_id, purpose, channel, 'given' AS state, "
        "max(occurred_at) AS since FROM consent_history GROUP BY 1, 2, 3"
    )
    try:
        assert [(table, key) for table, key, *_ in found(verify(empty.client))] == [
            ("consents", "1 survey email"),
            ("consents", "2 any any"),
        ]
    finally:
        apply_again(empty, "0047_consents")
    for wrong in (
        "consents = arrayMap(one -> (one.1, one.2, true, one.4, one.5), consents)",
        "consents = arrayMap(one -> (one.1, one.2, one.3, 'desk', one.5), consents)",
        "consents = []",
    ):
        name, _, value = wrong.partition(" = ")
        empty.client.command(changed("customers", "customer_id = '2'", **{name: value}))
        assert [row[:3] for row in found(verify(empty.client))] == [("customers", "2", "consents")]
    right = f"[('any', 'any', false, CAST(NULL, 'Nullable(String)'), toDateTime64({START_MS / 1000}, 3, 'UTC'))]"
    empty.client.command(changed("customers", "customer_id = '2'", consents=right))
    assert found(verify(empty.client)) == [], "an earlier version did not keep the source"


def tuple_of(held: dict[str, Any]) -> tuple[Any, ...]:
    """An element of customers.consents, times as epoch ms."""
    *first, since = held.values()
    return (*first, round(since.timestamp() * 1000))


def apply_again(clickhouse: ClickHouse, name: str) -> None:
    """Make the views of a migration what they were."""
    (migration,) = [one for one in migrations() if one.name == name]
    for statement in migration.statements(clickhouse.database):
        clickhouse.client.command(statement)


def test_an_empty_database_has_no_differences(empty: ClickHouse) -> None:
    report = verify(empty.client)
    assert (report.events, found(report)) == (0, [])


def test_many_events_of_few_people_have_no_differences(empty: ClickHouse) -> None:
    rng = Random(7)
    touchpoints = [
        "booking.confirmed",
        "booking.cancelled",
        "stay.arrived",
        "stay.checked_out",
        "stay.complaint_made",
    ]
    people = [[ONE], [TWO], [MAIL], [DEVICE], [ONE, MAIL], [TWO, DEVICE], [("customer", 'it\'s ü, \\ and "more"')]]
    log = log_of(
        [
            interaction(
                number,
                ids=rng.choice(people),
                booking_ref=rng.choice([None, "R1", "R 2", "ü/'3"]),
                touchpoint=rng.choice(touchpoints),
                after=rng.randrange(200) * DAY_MS // 2,
                score=rng.choice([None, -1.0, 0.333333, 0.5]),
                score_weight=rng.choice([0.3, 1.0]),
                survey=rng.choice([None, ("nps", 9.0), ("csat", 2.0)]),
                money=rng.choice([None, (100, "SAR"), (-5, "IDR")]),
                locale=rng.choice([None, "id-ID", "tr"]),
                meal_plan=rng.choice([None, "HB"]),
                case_id=rng.choice([None, "c1", "c2"]),
            )
            for number in range(1, 400)
        ]
    )
    fill(empty, log)
    report = verify(empty.client)
    assert found(report) == []
    assert report.events == 399
    assert report.rows["cases"] > 5


WRONG: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
    "a status": (
        changed("journeys", "journey_id = '1/R1'", status="'cancelled'"),
        [("journeys", "1/R1", "status", "completed", "cancelled")],
    ),
    "a time": (
        changed("journeys", "journey_id = '1/R1'", arrived_at="arrived_at + INTERVAL 1 MILLISECOND"),
        [("journeys", "1/R1", "arrived_at", "2023-11-24T22:13:20.000Z", "2023-11-24T22:13:20.001Z")],
    ),
    "a figure": (
        changed("customers", "customer_id = '1'", sentiment_30d="sentiment_30d + 0.00001"),
        [("customers", "1", "sentiment_30d", "-0.181355", "-0.181345")],
    ),
    "a sum of money": (
        changed("journeys", "journey_id = '1/R1'", spend="map('SAR', 1251)"),
        [("journeys", "1/R1", "spend", '{"currency":"SAR","amount_minor":1250}',
          '{"currency":"SAR","amount_minor":1251}')],
    ),
    "a value where there is none": (
        changed("journeys", f"journey_id = '{VISIT_2}'", nps="9"),
        [("journeys", VISIT_2, "nps", None, "9.0")],
    ),
    "a journey missing": (
        changed("journeys", f"journey_id = '{VISIT_2}'", withdrawn="1"),
        [
            ("interactions", "customer:2 00000005-0000-4000-8000-000000000023", "journey_id", VISIT_2, None),
            ("journeys", VISIT_2, "(row)", "a row", None),
        ],
    ),
    "a journey too many": (
        changed("journeys", "journey_id = '1/R1'", journey_id="'9/R1'", customer_id="'9'"),
        [("journeys", "9/R1", "(row)", None, "a row")],
    ),
    "a customer missing": (
        changed("customers", "customer_id = '1'", withdrawn="1"),
        [("customers", "1", "(row)", "a row", None)],
    ),
    "a customer too many": (
        changed("customers", "customer_id = '2'", customer_id="'3'", value="'3'"),
        [("customers", "3", "(row)", None, "a row"), ("identities", "customer 3", "(row)", None, "a row")],
    ),
    "a case of somebody else": (
        changed("cases", "case_id = 'c1'", customer_id="'2'"),
        [("cases", "c1 2", "(row)", None, "a row")],
    ),
    "nothing to do": (
        changed("next_actions", "customer_id = '1'", actions="[]"),
        [("next_actions", "1 call_about_case case c1", "(row)", "a row", None)],
    ),
    "an identifier of somebody else": (
        changed("identities", "identifier = 'email_sha256:e'", root="'customer:2'", customer_id="'2'"),
        [
            ("customers", "1", "identifiers",
             f'{BOOKING}, {{"kind":"customer","value":"1"}}, {{"kind":"email_sha256","value":"e"}}',
             f'{BOOKING}, {{"kind":"customer","value":"1"}}'),
            ("customers", "2", "identifiers", '{"kind":"customer","value":"2"}',
             '{"kind":"customer","value":"2"}, {"kind":"email_sha256","value":"e"}'),
            ("identities", "email_sha256 e", "customer_id", "1", "2"),
            ("interactions", "email_sha256:e 00000003-0000-4000-8000-000000000015", "customer_id", "1", "2"),
            ("interactions", "email_sha256:e 00000003-0000-4000-8000-000000000015", "journey_id", "1/R1", None),
        ],
    ),
    "an event that no worker has seen": (
        copied("subject = 'device:d'", event_id="'00000009-0000-4000-8000-000000000000'"),
        [
            ("customers", "device:d", "evidence", "2.0", "1.0"),
            ("customers", "device:d", "interactions", "2", "1"),
            ("customers", "device:d", "sentiment_30d", "0.4", "0.3"),
            ("customers", "device:d", "sentiment_7d", "0.4", "0.3"),
            ("customers", "device:d", "sentiment_90d", "0.4", "0.3"),
            ("journeys", VISIT_D, "booking_interactions", "2", "1"),
            ("journeys", VISIT_D, "interactions", "2", "1"),
            ("journeys", VISIT_D, "score_count", "2", "1"),
            ("journeys", VISIT_D, "score_sum", "1.2", "0.6"),
        ],
    ),
    "an event under a subject that is not its own": (
        copied("subject = 'customer:2'", subject="'customer:7'"),
        [("interactions", "customer:7 00000005-0000-4000-8000-000000000023", "(row)", None, "a row")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_exactly_what_is_wrong_is_told(stored: ClickHouse, what: str) -> None:
    sql, expected = WRONG[what]
    stored.client.command(sql)
    stored.settle()
    assert found(verify(stored.client)) == expected


def test_every_row_that_differs_is_counted_once(stored: ClickHouse) -> None:
    stored.client.command(changed("journeys", "1", status="'no_show'", score_count="score_count + 1"))
    report = verify(stored.client)
    assert report.differences.height == 6
    assert report.differing_rows == {**dict.fromkeys(report.rows, 0), "journeys": 3}


def test_every_column_that_analysts_see_is_compared(stored: ClickHouse) -> None:
    for table, key in KEYS.items():
        shown = {str(row[0]) for row in stored.rows(f"DESCRIBE {table}")}
        if table == "interactions":  # the rest is what was stored, unchanged
            shown &= {"subject", "event_id", "customer_id", "journey_id"}
        if table == "segments":  # when it showed depends on what had come by then
            shown -= {"occurred_at"}
        if table == "cases":  # streams.verify.owners compares who has to act
            shown -= {*store.SAID}
        assert shown == store.VIEWS[table].keys()
        assert {*key} <= shown


# --- data in motion -------------------------------------------------------------------------------------------------


def when_looked_at_again(*actions: Callable[[], Any]) -> Callable[[str], None]:
    """A `say` that does one thing after another: each time that differences are about to be looked at again."""
    todo = iter(actions)

    def say(text: str) -> None:
        if "looked at again" in text:
            next(todo, lambda: None)()

    return say


def test_what_was_under_way_is_no_difference(stored: ClickHouse) -> None:
    journey = "journey_id = '1/R1'"
    stored.client.command(changed("journeys", journey, interactions="3"))
    arrives = when_looked_at_again(lambda: stored.client.command(changed("journeys", journey, interactions="4")))
    report = verify(stored.client, settle=60, say=arrives)
    assert (found(report), report.moving.height, report.looks) == ([], 0, 2)


def test_what_lasts_is_a_difference_and_what_moves_is_not_judged(stored: ClickHouse) -> None:
    def move() -> None:
        stored.client.command(changed("customers", "customer_id = '1'", interactions="interactions - 1"))

    stored.client.command(changed("journeys", f"journey_id = '{VISIT_2}'", status="'booked'"))
    move()
    report = verify(stored.client, settle=0.01, say=when_looked_at_again(*[move] * 20))
    assert found(report) == [("journeys", VISIT_2, "status", "exploring", "booked")]
    assert report.moving.rows() == [("customers", "1", "interactions", "4", str(4 - report.looks))]
    assert report.looks > 1


def test_a_row_whose_inputs_change_is_not_judged(stored: ClickHouse) -> None:
    numbers = iter(range(16, 32))

    def more() -> None:
        stored.client.command(
            copied(
                f"event_id = '{EVENTS[4]['event_id']}'", event_id=f"'{next(numbers):08x}-0000-4000-8000-000000000000'"
            )
        )
        Resolver(stored.client, stored.database).settle()  # as a sink does

    more()
    report = verify(stored.client, settle=0.01, say=when_looked_at_again(*[more] * 8))
    assert found(report) == []
    assert ("customers", "2", "interactions", str(1 + report.looks), "1") in report.moving.rows()


# --- the command ----------------------------------------------------------------------------------------------------


def command(stored: ClickHouse, *arguments: str) -> int:
    return main.main(["verify", "--clickhouse", stored.url, "--database", stored.database, "--settle", "0", *arguments])


def test_the_command_tells_people(stored: ClickHouse, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(stored) == 0
    assert "No differences." in capsys.readouterr().out
    stored.client.command(changed("journeys", "journey_id = '1/R1'", status="'cancelled'", nps="9", csat="1"))
    assert command(stored, "--limit", "2") == 1
    out = capsys.readouterr().out
    assert "journeys 1/R1: csat: expected nothing, found 1.0" in out
    assert "journeys 1/R1: status" not in out
    assert "and 1 more" in out


def test_the_command_tells_machines(stored: ClickHouse, capsys: pytest.CaptureFixture[str]) -> None:
    stored.client.command(changed("journeys", "journey_id = '1/R1'", status="'cancelled'"))
    assert command(stored, "--format", "json") == 1
    said = json.loads(capsys.readouterr().out)
    assert said["interactions"] == 6
    assert said["tables"]["journeys"] == {"rows": 3, "rows_that_differ": 1}
    assert said["shown"] == [
        {"table": "journeys", "key": "1/R1", "column": "status", "expected": "completed", "found": "cancelled"}
    ]


def test_a_database_without_tables_is_told_as_such(clickhouse: ClickHouse, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(clickhouse) == 1
    err = capsys.readouterr().err
    assert f"there is no {clickhouse.database}.answers" in err
    assert "rihla migrate" in err


def test_wrong_usage_has_an_exit_status_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["verify", "--source", "memory"]) == 2


def letter(topic: str, key: str, payload: bytes) -> pl.DataFrame:
    """A dead letter of a record at which a worker's code raised."""
    row: dict[str, Any] = {"topic": topic, "partition": 0, "offset": 7, "key": key.encode(), "payload": payload}
    row |= {"reason": "unprocessable", "detail": "", "failed_at": 0, "attempts": 1, "version": "0"}
    return pl.DataFrame([row], schema=polars_schema("dead_letter"))


@pytest.mark.parametrize(("topic", "name"), [("cx.identities", "email_sha256:e"), ("cx.parts", "customer:1")])
def test_customers_of_whom_stitch_has_not_heard_all_are_told_and_not_judged(
    stored: ClickHouse, topic: str, name: str
) -> None:
    for table, where in (("journeys", "journey_id = '1/R1'"), ("customers", "customer_id = '1'")):
        stored.client.command(changed(table, where, interactions="99"))
    assert len(found(verify(stored.client))) == 2
    stored.write("dead-letters", letter(topic, name, b"poison"))
    report = verify(stored.client)
    assert (found(report), report.unheard) == ([], 2)
    stored.client.command(changed("customers", "customer_id = '2'", interactions="99"))
    report = verify(stored.client)
    assert [row[1] for row in found(report)] == ["2"], "of others everything is judged"
    assert report.unheard == 2


def test_letters_of_records_behind_a_registry_are_read_with_it(stored: ClickHouse) -> None:
    class Registry(LocalRegistry):
        def writer_schema(self, header: Any) -> Any:
            if (header.wire, header.id) != ("confluent", 70_000):
                raise UnknownSchemaError(f"{header} is unknown")
            return schema("interaction")

    more = log_of([interaction(7, ids=[TWO], after=4 * DAY_MS)])
    (value,) = BatchEncoder("interaction", LocalRegistry()).encode(more)
    stored.write("dead-letters", letter("cx.interactions", "x", b"\0" + (70_000).to_bytes(4, "big") + value[10:]))
    said: list[str] = []
    verify(stored.client, say=said.append)
    assert any("1 dead letters of interactions cannot be read: " in line for line in said)
    said.clear()
    verify(stored.client, registry=Registry(), say=said.append)
    assert any("1 interactions could not be stored" in line for line in said)
