"""Roles on the real engine: what each may, and what it is refused; what analysts see holds nobody, and still counts."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from click.testing import CliRunner
from clickhouse_connect.driver.exceptions import DatabaseError

from sinks.clickhouse import models, personal, stored
from sinks.clickhouse.asking import Question
from sinks.clickhouse.client import connect
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.named import load
from sinks.clickhouse.roles import (
    KEY,
    ROLES,
    Manager,
    RolesError,
    grants,
    make_views,
    on_server,
    statements,
    unit_columns,
    views,
)
from sinks.clickhouse.tables import TABLES
from sinks.clickhouse.writer import Writer
from streams.cli.main import cli
from streams.embedded.clickhouse.access import OWNER, READER, Role, roles_of
from streams.embedded.clickhouse.database import of_engine
from streams.embedded.clickhouse.engine import Engine, EngineError
from streams.embedded.clickhouse.http_interface import Served
from streams.erasure.person import Person
from streams.erasure.store import Store
from streams.errors import RihlaError
from streams.model.company import built_in
from tests.support.clickhouse import MANAGERS, ClickHouse, url_as
from tests.support.sink_rows import DAY, NOON, frame, interaction, journey

KNOWN = roles_of(managers=MANAGERS)
EMAIL = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
SECRETS = (
    "C-4711",
    EMAIL,
    "UMR-77",
    "phone-7",
    "Aisha",
    "the bed was broken",
    "case-9",
    "room 12",
    "salted caramel",
    "R-512",
)


def _write(engine: Engine, address: str) -> None:
    ids = [{"kind": "customer", "value": "C-4711"}, {"kind": "email_sha256", "value": EMAIL}]
    here: dict[str, Any] = {"ids": ids, "booking_ref": "UMR-77", "agent_id": "Aisha"}
    rows = [
        interaction("customer:C-4711", NOON, **here, money={"amount_minor": 4200, "currency": "SAR"}),
        interaction(
            *("customer:C-4711", NOON + DAY), **here, touchpoint="stay.arrived", channel="stay", unit="MAKKAH-01",
            room="R-512", text="the bed was broken", language="en", score=-0.8, score_source="text", score_weight=0.6,
            survey={"instrument": "nps", "score": 2.0}, attributes=[{"key": "note", "value": "room 12"}],
        ),
        interaction(
            *("device:phone-7", NOON + DAY), ids=[{"kind": "device", "value": "phone-7"}], touchpoint="stay.feedback",
            channel="stay", unit="MADINAH-01", text="salted caramel", survey={"instrument": "nps", "score": 10.0},
        ),
        # A stranger's review and complaint, which name no unit: the care centre of the brand has to act.
        *(interaction(f"device:{who}", NOON + DAY, ids=[{"kind": "device", "value": who}], touchpoint=touchpoint,
                      channel="post_travel", text=f"said by {who}", case_id=case)
          for who, touchpoint, case in (("stranger", "post_travel.review_posted", None),
                                        ("caller", "post_travel.complaint_made", "case-10"),
                                        ("nobody", "post_travel.review_posted", None))),
    ]  # fmt: skip
    reviewed = rows[3]["event_id"]
    since = {"first_event_at": NOON, "last_event_at": NOON + DAY, "version": 1}
    likes = [{"key": "diet", "value": "salted caramel", "evidence": 1, "last_at": NOON}]
    customers = [
        {**since, "customer_id": "C-4711", "kind": "customer", "value": "C-4711", "preferences": likes},
        {**since, "customer_id": "device:phone-7", "kind": "device", "value": "phone-7", "interactions": 1},
    ]  # fmt: skip
    alert: dict[str, Any] = {"rule": "low_score", "occurred_at": NOON, "raised_at": NOON, "version": 1}
    written = {
        "interactions": frame("interaction", *rows),
        "identities": frame("identity", *(
            {"kind": kind, "value": value, "root": "customer:C-4711", "customer_id": "C-4711", "version": 1}
            for kind, value in (("customer", "C-4711"), ("email_sha256", EMAIL))
        )),
        "journeys": frame("journey", journey("C-4711", "UMR-77", NOON, NOON + DAY, status="in_stay")),
        "customers": frame("customer", *customers),
        "cases": frame("case", {"case_id": "case-9", "customer_id": "C-4711", "status": "open", "opened_at": NOON,
                                "unit": "MAKKAH-01", "version": 1},
                               {"case_id": "case-10", "customer_id": "device:caller", "status": "open",
                                "opened_at": NOON, "unit_basis": "none", "owner": "CARE-NOOR", "version": 1}),
        "moves": frame("move", {"move_id": "m1", "customer_id": "device:stranger", "from_profile": "non_committal",
                                "to_profile": "negative", "event_id": reviewed, "unit_basis": "none",
                                "owner": "CARE-NOOR", "occurred_at": NOON, "version": 1}),
        "alerts": frame("alert",
            {**alert, "alert_id": "a1", "customer_id": "C-4711", "unit": "MAKKAH-01",
             "reason": "case-9: the bed was broken"},
            {**alert, "alert_id": "a2", "customer_id": "device:phone-7", "unit": "MADINAH-01",
             "reason": "said: salted caramel"},
            {**alert, "alert_id": "a3", "customer_id": "device:stranger", "event_id": reviewed, "unit_basis": "none",
             "owner": "CARE-NOOR", "reason": "said by a stranger"}),
        "dead-letters": frame("dead_letter", {"topic": "cx.stay", "payload": b"C-4711 room 12", "detail": "C-4711?"}),
        "lookups": frame("lookup", {"lookup_id": "l1", "customer_id": "C-4711", "bearer": "Aisha"}),
    }  # fmt: skip
    for topic, rows_ in written.items():
        writer = Writer(lambda: connect(url_as(KNOWN["pipeline"], address), "cx"), TABLES[topic])
        try:
            asyncio.run(writer.write(rows_, 0))
        finally:
            writer.close()
    with closing(connect(url_as(KNOWN["pipeline"], address), "cx")) as client:
        assert models.record(client, built_in(), 1, 0)


@pytest.fixture(scope="module")
def address(engine: Engine, served: Served) -> Iterator[str]:
    """The interface of an engine with the database `cx`, written by the role of the pipeline, and its roles' views."""
    with closing(connect(url_as(OWNER, served.url), None)) as client:
        migrate(client, "cx")
    _write(engine, served.url)
    make_views(of_engine(engine), "cx", MANAGERS)
    yield served.url
    for name in ("cx_analyst", *(f"cx_{manager.role}" for manager in MANAGERS), "cx"):
        engine.query(f"DROP DATABASE {name}")


def rows(address: str, role: Role, sql: str, database: str = "cx", **parameters: str) -> list[tuple[object, ...]]:
    with closing(connect(url_as(role, address), database)) as client:
        return [tuple(row) for row in client.query(sql, parameters=parameters).result_rows]


def refused(address: str, role: Role, sql: str, database: str = "cx") -> None:
    with pytest.raises(DatabaseError, match=r"ACCESS_DENIED|READONLY"):
        rows(address, role, sql, database)


def columns_of(engine: Engine, database: str) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for table, name, type_ in of_engine(engine).ask(
        f"SELECT table, name, type FROM system.columns WHERE database = '{database}' ORDER BY table, position"
    ):
        found.setdefault(str(table), []).append((str(name), str(type_)))
    return found


def dump(address: str, role: Role, database: str, view: str) -> str:
    with closing(connect(url_as(role, address), database)) as client:
        return str(client.raw_query(f"SELECT * FROM {view}", fmt="JSONEachRow"), "utf-8")


def test_every_table_view_and_column_is_declared(address: str, engine: Engine) -> None:
    """Whoever adds one says in sinks/clickhouse/personal.py who may see it."""
    asked = "SELECT name, engine FROM system.tables WHERE database = 'cx'"
    engines = {str(name): kind for name, kind in of_engine(engine).ask(asked)}
    declared = {*personal.ANALYSTS, *personal.OWNERS, *personal.INNER}
    assert {name for name, kind in engines.items() if kind == "View"} == declared
    assert {name for name, kind in engines.items() if kind == "MaterializedView"} == {*personal.FILLED}
    stored = {name for name, kind in engines.items() if kind not in ("View", "MaterializedView")}
    assert stored == {*(one.name for one in personal.STORES), KEY}
    columns = columns_of(engine, "cx")
    used: set[str | tuple[str, str]] = set()
    for view in personal.ANALYSTS:
        for column, _ in columns[view]:
            assert personal.rule_of(view, column), (view, column)
            used |= {column, (view, column)}
    assert {*personal.COLUMNS, *personal.EXCEPTIONS} <= used, "declared, but of no view"
    assert {one.name for one in personal.STORES if one.of_persons} == {
        table for table in engines if table.endswith("_store")
        and {name for name, _ in columns[table]} & {"subject", "identifier", "root", "customer_id", "payload", "owner"}
    }  # fmt: skip


def test_a_column_that_nobody_has_classified_is_refused(engine: Engine, address: str) -> None:
    columns = columns_of(engine, "cx")
    columns["moves"] = [*columns["moves"], ("nickname", "String")]
    with pytest.raises(RolesError, match=r"cx\.moves may be shown to analysts \(nickname"):
        list(views("cx", columns))


def test_analysts_have_the_same_views_columns_and_types(address: str, engine: Engine) -> None:
    whole = columns_of(engine, "cx")
    assert columns_of(engine, "cx_analyst") == {view: whole[view] for view in personal.ANALYSTS}


@pytest.mark.parametrize("view", personal.ANALYSTS)
def test_analysts_see_nobody(address: str, view: str) -> None:
    shown = dump(address, KNOWN["analyst"], "cx_analyst", view)
    assert [secret for secret in SECRETS if secret in shown] == []
    assert len(shown.splitlines()) == len(dump(address, OWNER, "cx", view).splitlines())


def test_what_is_hidden_is_there_for_others(address: str) -> None:
    """Else the test above would find nothing in any case."""
    shown = "".join(dump(address, KNOWN["operations"], "cx", view) for view in personal.ANALYSTS)
    assert [secret for secret in SECRETS if secret not in shown] == []


@pytest.mark.parametrize("name", list(load()))
def test_every_named_query_runs_for_analysts(address: str, name: str) -> None:
    """With as many rows; by a pseudonym, too."""
    query = load()[name]
    given = {"id": "C-4711"} if name == "customer" else {}
    values = query.bind(given)
    known = rows(address, OWNER, query.text(values), **values)
    if name == "customer":
        found = rows(address, OWNER, "SELECT customer_id FROM customers WHERE kind = 'customer'", "cx_analyst")
        given = {"id": str(found[0][0])}
    values = query.bind(given)
    seen = rows(address, KNOWN["analyst"], query.text(values), "cx_analyst", **values)
    assert len(seen) == len(known)
    if name in ("nps", "profiles", "channels", "sentiment", "units", "pain_points", "language_coverage"):
        assert seen == known
    if name == "customer":
        alerts, contacts = (seen[0][[c for c, _ in query.columns].index(c)] for c in ("open_alerts", "last_contacts"))
        assert [one[2] for one in alerts] == ["[hidden]"]  # type: ignore[attr-defined]
        assert [one[4] for one in contacts] == ["[hidden]", ""]  # type: ignore[attr-defined]


def test_the_people_behind_a_row_are_pseudonyms_for_analysts(address: str) -> None:
    asked = Question("nps", people={"segment": "all"}).statement()
    known = rows(address, OWNER, asked.sql, **asked.parameters)
    seen = rows(address, KNOWN["analyst"], asked.sql, "cx_analyst", **asked.parameters)
    assert [row[1:] for row in seen] == [row[1:] for row in known] != []
    assert not {row[0] for row in seen} & {row[0] for row in known}


def test_pseudonyms_join_and_are_kept(address: str, engine: Engine) -> None:
    joined = (
        "SELECT count() FROM interactions AS i INNER JOIN customers AS c ON c.customer_id = i.customer_id "
        "INNER JOIN identities AS n ON n.customer_id = c.customer_id AND n.value = i.ids[2].value"
    )
    assert rows(address, KNOWN["analyst"], joined, "cx_analyst") == rows(address, OWNER, joined) == [(2,)]
    phone = "SELECT customer_id, concat(kind, ':', value) FROM customers WHERE kind = 'device'"
    [(customer, name)] = rows(address, KNOWN["analyst"], phone, "cx_analyst")
    assert customer == name
    assert re.fullmatch("device:[0-9a-f]{32}", str(customer))
    make_views(of_engine(engine), "cx")  # again: the key stays
    assert rows(address, KNOWN["analyst"], phone, "cx_analyst") == [(customer, name)]


@pytest.mark.parametrize(
    "explain", ["", "actions = 1", "actions = 1, header = 1, indexes = 1", "json = 1, actions = 1"]
)
def test_the_key_of_pseudonyms_is_shown_by_no_explanation(address: str, engine: Engine, explain: str) -> None:
    [halves] = of_engine(engine).ask(f"SELECT toString(k0), toString(k1) FROM cx.{KEY}")
    key = [str(half) for half in halves]
    for kind in ("PLAN", "QUERY TREE", "SYNTAX", "PIPELINE"):
        options = explain if kind == "PLAN" else ""
        told = engine.query(
            f"EXPLAIN {kind} {options} SELECT * FROM customers WHERE customer_id = 'x'", database="cx_analyst",
            role=KNOWN["analyst"],
        ).data.decode()  # fmt: skip
        assert told
        assert not [half for half in key if half in told]
    shown = rows(address, KNOWN["analyst"], "SHOW CREATE VIEW customers", "cx_analyst")
    assert KEY in str(shown)
    assert not [half for half in key if half in str(shown)]


@pytest.mark.parametrize("sql", [
    *(f"SELECT count() FROM cx.{name}" for name in ("customers", "interactions_store", "units", KEY)),
    "SELECT text FROM cx.interactions", "SELECT count() FROM cx_manager_makkah.cases",
    "INSERT INTO cx_analyst.customers SELECT * FROM cx_analyst.customers",
    "SELECT count() FROM customers AS c LEFT JOIN cx.customers AS d ON true",
    "SELECT dictGet('cx.x', 'k0', 1), * FROM cx.customers", "DROP VIEW cx_analyst.customers",
    "CREATE VIEW cx_analyst.x AS SELECT 1", "SELECT * FROM system.query_log",
])  # fmt: skip
def test_analysts_are_refused_what_is_underneath(address: str, sql: str) -> None:
    refused(address, KNOWN["analyst"], sql, "cx_analyst")


def test_analysts_do_not_even_know_what_is_underneath(address: str) -> None:
    asked = "SELECT DISTINCT database FROM system.tables WHERE database LIKE 'cx%'"
    assert rows(address, KNOWN["analyst"], asked, "cx_analyst") == [("cx_analyst",)]
    with pytest.raises(DatabaseError):
        rows(address, KNOWN["analyst"], "SELECT * FROM merge('cx', 'store$')", "cx_analyst")


def test_managers_see_rows_of_their_units_alone(address: str) -> None:
    for manager in MANAGERS:
        role, place = KNOWN[manager.role], f"cx_{manager.role}"
        if manager.name == "care":
            continue  # below
        for view, column in unit_columns().items() if len(manager.units) == 1 else ():
            seen = rows(address, role, f"SELECT DISTINCT toString({column}) FROM {view}", place)
            assert {unit for (unit,) in seen} <= set(manager.units), (role, view)
        for view in ("interactions", "alerts", "interactions_attributed"):
            seen = rows(address, role, f"SELECT DISTINCT attributed_unit FROM {view} ORDER BY 1", place)
            assert seen == [(unit,) for unit in sorted(manager.units)], (role, view)
        assert rows(address, role, "SELECT count() FROM hijri", place) != [(0,)]
        for sql in ("SELECT count() FROM cx.cases", "SELECT count() FROM cx_analyst.cases", f"SELECT * FROM cx.{KEY}"):
            refused(address, role, sql, place)
        with pytest.raises(DatabaseError, match="UNKNOWN_TABLE"):
            rows(address, role, "SELECT count() FROM customers", place)
    refused(address, KNOWN["manager_makkah"], "SELECT count() FROM cx_manager_both.cases", "cx_manager_makkah")
    own = "SELECT text FROM interactions WHERE unit = 'MAKKAH-01'"
    assert rows(address, KNOWN["manager_makkah"], own, "cx_manager_makkah") == [("the bed was broken",)]


def test_a_care_centre_sees_what_it_has_to_act_on_and_no_more(address: str) -> None:
    care, place = KNOWN["manager_care"], "cx_manager_care"
    for view in ("alerts", "cases", "moves"):
        for name in (view, f"{view}_attributed"):
            owners = rows(address, care, f"SELECT owner, attributed_unit, count() FROM {name} GROUP BY ALL", place)
            assert owners == [("CARE-NOOR", None, 1)], name
    for name in ("interactions", "interactions_attributed", "contacts"):
        seen = rows(address, care, f"SELECT text FROM {name} ORDER BY text", place)
        assert seen == [("said by caller",), ("said by stranger",)], name
    makkah = rows(address, KNOWN["manager_makkah"], "SELECT DISTINCT owner FROM alerts", "cx_manager_makkah")
    assert makkah == [("MAKKAH-01",)]
    guess = "SELECT count() FROM interactions WHERE throwIf(ifNull(text, '') = 'the bed was broken') = 0"
    assert rows(address, care, guess, place) == [(2,)]


@pytest.mark.parametrize("settings", ["", "SETTINGS short_circuit_function_evaluation = 'disable'"])
def test_a_managers_conditions_are_not_tried_on_rows_of_others(address: str, settings: str) -> None:
    """What raises on a row tells that the row is there: so it must not be looked at."""
    text = "SELECT count() FROM interactions WHERE throwIf(ifNull(text, '') = '{}') = 0"
    other, own = text.format("salted caramel"), text.format("the bed was broken")
    makkah = KNOWN["manager_makkah"]
    assert rows(address, makkah, f"{other} {settings}", "cx_manager_makkah") != [(0,)]
    with pytest.raises(DatabaseError, match="throwIf"):
        rows(address, makkah, f"{own} {settings}", "cx_manager_makkah")
    with pytest.raises(DatabaseError, match="throwIf"):
        rows(address, KNOWN["manager_both"], f"{other} {settings}", "cx_manager_both")


def test_the_pipeline_may_what_sink_recall_and_forget_need(address: str) -> None:
    with closing(connect(url_as(KNOWN["pipeline"], address), "cx")) as client:
        assert [client.command(f"EXISTS {table.store}") for table in TABLES.values()] == [1] * len(TABLES)
        assert stored.interactions_of(client, ["customer:C-4711"]).height == 2
        forgetting = Store(client)
        assert set(forgetting._columns) == {one.name for one in personal.STORES}
        somebody = Person(frozenset({"customer:gone"}))
        with closing(connect(url_as(KNOWN["pipeline"], address), "cx")) as other:
            writer = Writer(lambda: other, TABLES["customers"])
            row = {"customer_id": "gone", "value": "gone", "version": 1}
            asyncio.run(writer.write(frame("customer", row), 0))
            writer.close()
        assert forgetting.search(somebody) == {"customers_store": 1}
        assert forgetting.erase(somebody) == {"customers_store": 1}
        assert forgetting.search(somebody) == {}


@pytest.mark.parametrize("sql", [
    "TRUNCATE TABLE journeys_store", "DROP TABLE journeys_store", "DROP VIEW journeys", f"SELECT * FROM {KEY}",
    "CREATE TABLE x (a Int8) ENGINE = Memory", "ALTER TABLE journeys_store ADD COLUMN x Int8",
    "ALTER TABLE units_store DELETE WHERE true", "INSERT INTO schema_migrations (name, checksum) SELECT 'a', 'b'",
    "ALTER TABLE journeys_store UPDATE kind = 'x' WHERE true", "SELECT count() FROM cx_analyst.customers",
    "SELECT count() FROM customers", "OPTIMIZE TABLE journeys_store", "CREATE DATABASE x",
])  # fmt: skip
def test_the_pipeline_may_no_more(address: str, sql: str) -> None:
    refused(address, KNOWN["pipeline"], sql)


@pytest.mark.parametrize("view", personal.ANALYSTS)
def test_operations_read_what_is_of_customers(address: str, view: str) -> None:
    rows(address, KNOWN["operations"], f"SELECT * FROM {view}")


@pytest.mark.parametrize("sql", [
    *(f"SELECT * FROM {name}" for name in (*personal.OWNERS, "lookups_store", "erasures_store", KEY)),
    "INSERT INTO cases_store (case_id) SELECT 'x'", "SELECT * FROM system.query_log",
    "SELECT * FROM cx_manager_makkah.cases",
])  # fmt: skip
def test_operations_are_refused_the_rest(address: str, sql: str) -> None:
    refused(address, KNOWN["operations"], sql)


def test_engineers_see_the_machinery(address: str) -> None:
    for sql in ("dead_letters", "schema_migrations", "system.parts", "units", "left_out", "cx_analyst.interactions"):
        assert rows(address, KNOWN["engineer"], f"SELECT count() FROM {sql}")


@pytest.mark.parametrize(
    "name", ["interactions", "customers", "identities", "alerts", "lookups", "journeys_store", KEY]
)
def test_engineers_see_no_customer(address: str, name: str) -> None:
    refused(address, KNOWN["engineer"], f"SELECT * FROM {name}")


@pytest.mark.parametrize("cluster", [None, "all"])
def test_a_servers_statements_are_sql_and_grant_the_same(engine: Engine, cluster: str | None) -> None:
    """chDB makes no roles, so that a server does is not seen here; its parser is the server's, and the grants in its
    users.xml are the same."""
    made = list(statements("cx", [Manager("a", ("it's",))], cluster))
    for statement in made:
        engine.query(f"EXPLAIN AST {statement}")
        assert ("ON CLUSTER" in statement) is (cluster is not None)
    for role in ROLES:
        clause = "ON CLUSTER 'all' " if cluster else ""
        assert any(" ".join(one.split()).startswith(f"GRANT {clause}{grants(role, 'cx')[0]}") and one.endswith(
            f"TO cx_{role} WITH REPLACE OPTION") for one in made)  # fmt: skip
        assert KNOWN[role].grants == grants(role, "cx")
    clause = "ON CLUSTER 'all' " if cluster else ""
    granted = f"GRANT {clause}SELECT ON cx_manager_a.* TO cx_manager_a WITH REPLACE OPTION"
    assert granted in {" ".join(one.split()) for one in made}
    with pytest.raises(EngineError, match="Syntax error"):
        engine.query("EXPLAIN AST GRANT SELECT cx TO")


def test_a_server_is_asked_and_told_by_its_client(clickhouse: ClickHouse) -> None:
    server, table = on_server(clickhouse.client), f"{clickhouse.database}.{KEY}"
    server.run(f"CREATE TABLE {table} (k0 UInt64, k1 UInt64) ORDER BY k0")
    server.insert(table, {"k0": 2**64 - 1, "k1": 0})
    assert [tuple(row) for row in server.ask(f"SELECT * FROM {table}")] == [(2**64 - 1, 0)]


def test_who_may_not_make_roles_is_told(clickhouse: ClickHouse) -> None:
    """The embedded engine's owner may not: it has the roles from its start."""
    given = ["migrate", "--clickhouse", clickhouse.url, "--database", clickhouse.database, "--roles"]
    told = CliRunner().invoke(cli, given)
    assert told.exit_code == 1
    assert isinstance(told.exception, RihlaError)
    assert "this user may not make roles" in str(told.exception)


def test_the_reader_is_as_before(address: str) -> None:
    assert rows(address, READER, "SELECT count() FROM customers") != [(0,)]
    for sql in (f"SELECT * FROM cx.{KEY}", f"SELECT * FROM merge('cx', '^{KEY}$')", f"SELECT (SELECT k0 FROM {KEY})"):
        refused(address, READER, sql)
