"""Creates the roles of a database and the views of analysts and managers, from sinks.clickhouse.personal. Repeatable.

    pipeline      what the sink and `rihla forget` need, no more
    analyst       the database {database}_analyst: the same views and columns, with pseudonyms and without texts
    manager_NAME  for each manager in the file of managers, the database {database}_manager_NAME: rows of their
                  units
    operations    every customer, in clear, of all units; but not who looked at whom or who asked to be forgotten
    engineer      the machinery: dead letters, what was replayed, system tables, and what an analyst sees; nobody in
                  clear but in dead letters

Views of {database} have ClickHouse's default security: the caller's rights. Those of the other databases are SQL
SECURITY NONE: their readers need no rights on the tables underneath, and have none. ClickHouse's row policies would
not keep managers apart: on a view, the caller's condition is evaluated on rows that the policy then hides, and an error
that it raises reveals them. So each manager's views hold the condition, and a LIMIT through which no condition is
pushed down.

A server's roles are called {database}_ROLE; the embedded engine's have the same grants
(streams.embedded.clickhouse.access).

`python -m sinks.clickhouse.roles` prints the table of docs/security.md.
"""

from __future__ import annotations

import secrets
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clickhouse_connect.driver.client import Client

from sinks.clickhouse import personal
from sinks.clickhouse.migrate import fill
from sinks.clickhouse.quoting import identifier, literal
from sinks.clickhouse.veil import select
from streams.topology import TOPICS

PIPELINE, ANALYST, OPERATIONS, ENGINEER = "pipeline", "analyst", "operations", "engineer"
ROLES = (PIPELINE, ANALYST, OPERATIONS, ENGINEER)
MANAGER = "manager"
"""Begins the name of a manager's role, and ends with NAME."""
_BARRIER = f"LIMIT {2**63 - 1}"
"""Keeps conditions of the caller's query from being evaluated on rows of other units."""

KEY = "pseudonym_key"
"""The table of the key of pseudonyms, which no role reads. A new key makes new pseudonyms."""
_KEY = """
CREATE TABLE IF NOT EXISTS {database}.pseudonym_key {on_cluster}
(
    k0 UInt64 COMMENT 'First half of the key',
    k1 UInt64 COMMENT 'Second half of the key',
    made_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was made: the first one counts'
)
ENGINE = {replicated}MergeTree
ORDER BY made_at
COMMENT 'Key of the pseudonyms that analysts see: no role may read it'
"""


class RolesError(RuntimeError):
    """The roles cannot be made; the message says why, and the hint what to do."""


@dataclass(frozen=True, slots=True)
class Manager:
    """A manager of units. name: letters, digits and underscores; the role is `manager_` and the name."""

    name: str
    units: tuple[str, ...]

    @property
    def role(self) -> str:
        """The role, without the name of the database."""
        return f"{MANAGER}_{self.name}"


def load_managers(path: Path) -> tuple[Manager, ...]:
    """The managers of a TOML file, `[managers]` with a line `NAME = ["UNIT", ...]` each. Raises RolesError."""
    try:
        given = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise RolesError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise RolesError(f"{path} is no TOML: {error}") from error
    table = given.get("managers")
    if set(given) != {"managers"} or not isinstance(table, dict):
        raise RolesError(f'{path} must hold one table, [managers], with lines like makkah = ["MAKKAH-01"]')
    found = []
    for name, units in table.items():
        if not name.isascii() or not name.replace("_", "a").isalnum():
            raise RolesError(f"{path}: {name!r} is no name of a manager: letters, digits and underscores")
        if not isinstance(units, list) or not units or not all(isinstance(one, str) and one for one in units):
            raise RolesError(f'{path}: the units of {name} must be a list of ids, like ["MAKKAH-01"]')
        found.append(Manager(name, tuple(units)))
    return tuple(found)


def grants(role: str, database: str) -> tuple[str, ...]:
    """What a role may do, each as `RIGHTS ON PLACE`. role: one of ROLES."""

    def on(rights: str, names: Sequence[str]) -> tuple[str, ...]:
        return tuple(f"{rights} ON {database}.{name}" for name in names)

    stores = personal.STORES
    clear = personal.ANALYSTS + personal.INNER
    match role:
        case "pipeline":
            return (
                *on(
                    "INSERT",
                    [
                        *(f"{one.stored.view}_store" for one in TOPICS if one.stored and one.record),
                        *("erasures_store", "models_store", "stages_store", "sla_targets_store", "prayer_times_store"),
                        *("actions_known_store", "targets_store"),
                        *("interactions_resolved_store", "unresolved_store", "resolving_store", "resolution_store"),
                    ],
                ),
                *on("SELECT", [*(store.name for store in stores), *personal.INNER, "erasures", "unit_levels", "hijri"]),
                *on("ALTER DELETE", [store.name for store in stores if store.of_persons]),
            )
        case "analyst":
            return (f"SELECT ON {database}_analyst.*",)
        case "operations":
            return on("SELECT", [*clear, *(store.name for store in stores if store.operations)])
        case "engineer":
            shown = [store.name for store in stores if store.engineer]
            views = ["dead_letters", *personal.INNER, "units", "unit_levels", "rates", "exchange", "currencies"]
            return (*on("SELECT", [*shown, *views]), f"SELECT ON {database}_analyst.*", "SELECT ON system.*")
    raise ValueError(f"no such role: {role}")


def grants_of_manager(manager: Manager, database: str) -> tuple[str, ...]:
    """What a manager's role may do."""
    return (f"SELECT ON {database}_{manager.role}.*",)


def unit_columns() -> dict[str, str]:
    """Views of which managers see a part: the column that says which unit a row belongs to."""
    names = {name: view for view in personal.ATTRIBUTED for name in (view, f"{view}_attributed")}
    return {
        **dict.fromkeys([*personal.OF_JOURNEYS, *personal.OF_UNITS], "attributed_unit"),
        **{name: "owner" if view in personal.OWNED else "attributed_unit" for name, view in names.items()},
        "deliveries": "unit",
    }


Columns = Mapping[str, list[tuple[str, str]]]
"""View: (column, type), in order."""


def views(database: str, columns: Columns) -> Iterator[tuple[str, str]]:
    """The views of analysts: name, SELECT. Raises RolesError."""
    for name in personal.ANALYSTS:
        said = {column: personal.rule_of(name, column) for column, _ in columns[name]}
        rules = {column: rule for column, rule in said.items() if rule is not None}
        if unsaid := sorted(said.keys() - rules.keys()):
            raise RolesError(
                f"nobody has said whether {database}.{name} may be shown to analysts ({', '.join(unsaid)}): "
                "rihla migrate, if the database is of another version; else say it in sinks/clickhouse/personal.py"
            )
        yield name, select(database, name, columns[name], rules)


def views_of_manager(manager: Manager, database: str, columns: Columns) -> Iterator[tuple[str, str]]:
    """The views of a manager: name, SELECT."""
    units = ", ".join(literal(unit) for unit in sorted(set(manager.units)))
    for name in personal.ATTRIBUTED:
        source = f"{name}_attributed"
        own = _own(name, database, units)
        query = f"SELECT {_listed(columns[source])} FROM {database}.{source} AS v {own} {_BARRIER}"
        yield from ((name, query), (source, query))
    own = _own("interactions", database, units)
    query = f"SELECT {_listed(columns['contacts'])} FROM {database}.interactions_attributed AS v {own} {_BARRIER}"
    yield "contacts", query
    for name in personal.OF_JOURNEYS:
        yield (
            name,
            f"SELECT {_listed(columns[name])}, j.attributed_unit AS attributed_unit FROM {database}.{name} AS v "
            f"INNER JOIN (SELECT journey_id, attributed_unit FROM {database}.journeys_attributed "
            f"WHERE attributed_unit IN ({units})) AS j ON j.journey_id = v.journey_id {_BARRIER}",
        )
    for name in personal.OF_UNITS:
        yield (
            name,
            f"SELECT {_listed(columns[name])} FROM {database}.{name} AS v "
            f"WHERE v.attributed_unit IN ({units}) {_BARRIER}",
        )
    query = (
        f"SELECT {_listed(columns['deliveries'])} FROM {database}.deliveries AS v WHERE v.unit IN ({units}) {_BARRIER}"
    )
    yield "deliveries", query
    for name in personal.REFERENCE:
        yield name, f"SELECT {_listed(columns[name])} FROM {database}.{name} AS v"


def _own(name: str, database: str, units: str) -> str:
    """The condition of a view of ATTRIBUTED. units: literals.

    What is nobody's but that of a care centre has no unit: its people see what they have to act on by `owner`, and of
    interactions and journeys without a unit those that caused it.
    """
    if name in personal.OWNED:
        return f"WHERE v.owner IN ({units})"
    key = {"interactions": "event_id", "journeys": "journey_id"}[name]
    caused = " UNION ALL ".join(
        f"SELECT assumeNotNull({key}) FROM {database}.{view}_attributed "
        f"WHERE owner IN ({units}) AND attributed_unit IS NULL AND {key} IS NOT NULL"
        for view in personal.OWNED
        if not (view == "cases" and key == "event_id")
    )
    where = f"v.attributed_unit IN ({units}) OR (v.attributed_unit IS NULL AND v.{key} IN ({caused}))"
    if key == "event_id":
        cases = f"FROM {database}.cases_attributed WHERE owner IN ({units}) AND attributed_unit IS NULL"
        named = "(v.customer_id, assumeNotNull(v.case_id))"
        theirs = f"v.case_id IS NOT NULL AND {named} IN (SELECT customer_id, case_id {cases})"
        where += f" OR (v.attributed_unit IS NULL AND {theirs})"
    return f"WHERE {where}"


def _listed(columns: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"v.{identifier(name)} AS {identifier(name)}" for name, _ in columns)


@dataclass(frozen=True, slots=True)
class Database:
    """The operations that this module needs. ask: the rows of a query. run: a statement. insert: a row, whose values
    are not part of a statement because servers log statements."""

    ask: Callable[[str], Sequence[Sequence[object]]]
    run: Callable[[str], object]
    insert: Callable[[str, Mapping[str, int]], object]


def on_server(client: Client) -> Database:
    """A server, by a clickhouse-connect client whose database need not exist yet."""
    return Database(
        lambda sql: client.query(sql).result_rows,
        lambda sql: client.command(sql, use_database=False),
        lambda table, row: client.insert(table, [list(row.values())], column_names=list(row)),
    )


def make_views(to: Database, database: str, managers: Sequence[Manager] = (), cluster: str | None = None) -> None:
    """Make the key of the pseudonyms, where there is none, and the views of analysts and of managers, anew.

    The database must be of this version's schema. Raises RolesError.
    """
    to.run(fill(_KEY, database, cluster))
    if not to.ask(f"SELECT 1 FROM {database}.{KEY} LIMIT 1"):
        to.insert(f"{database}.{KEY}", {"k0": secrets.randbits(64), "k1": secrets.randbits(64)})
    columns: dict[str, list[tuple[str, str]]] = {}
    for table, name, type_ in to.ask(
        f"SELECT table, name, type FROM system.columns WHERE database = {literal(database)} ORDER BY table, position"
    ):
        columns.setdefault(str(table), []).append((str(name), str(type_)))
    _make(to, f"{database}_{ANALYST}", dict(views(database, columns)), fill("{on_cluster}", database, cluster))
    for manager in managers:
        wanted = dict(views_of_manager(manager, database, columns))
        _make(to, f"{database}_{manager.role}", wanted, fill("{on_cluster}", database, cluster))


def _make(to: Database, place: str, wanted: Mapping[str, str], on_cluster: str) -> None:
    """Make a database of exactly these views."""
    to.run(f"CREATE DATABASE IF NOT EXISTS {place} {on_cluster}")
    for (name,) in to.ask(f"SELECT name FROM system.tables WHERE database = {literal(place)}"):
        if name not in wanted:
            to.run(f"DROP TABLE {place}.{identifier(str(name))} {on_cluster}")
    for name, query in wanted.items():
        to.run(f"CREATE OR REPLACE VIEW {place}.{identifier(name)} {on_cluster} SQL SECURITY NONE AS {query}")


def statements(database: str, managers: Sequence[Manager] = (), cluster: str | None = None) -> Iterator[str]:
    """The statements that make a server's roles, each harmless when repeated.

    A role's rights are replaced in one statement, so nobody is refused meanwhile what stays allowed.
    """
    on_cluster = fill("{on_cluster}", database, cluster)
    wanted = {role: grants(role, database) for role in ROLES}
    for role, rights in (wanted | {one.role: grants_of_manager(one, database) for one in managers}).items():
        yield f"CREATE ROLE IF NOT EXISTS {database}_{role} {on_cluster}"
        yield f"GRANT {on_cluster} {', '.join(rights)} TO {database}_{role} WITH REPLACE OPTION"


def make_roles(
    to: Database, database: str, managers: Sequence[Manager] | None = None, cluster: str | None = None
) -> list[str]:
    """Make views and roles on a server; managers who are not in the list lose role and views. None: no change.

    Returns the names of the roles made. Raises RolesError; clickhouse_connect's errors as they come.
    """
    make_views(to, database, managers or (), cluster)
    for statement in statements(database, managers or (), cluster):
        to.run(statement)
    kept = [f"{database}_{manager.role}" for manager in managers or ()]
    on_cluster = fill("{on_cluster}", database, cluster)
    for (name,) in to.ask("SELECT name FROM system.roles ORDER BY name") if managers is not None else ():
        if str(name).startswith(f"{database}_{MANAGER}_") and name not in kept:
            to.run(f"DROP ROLE IF EXISTS {name} {on_cluster}")
            to.run(f"DROP DATABASE IF EXISTS {name} {on_cluster}")
    return [*(f"{database}_{role}" for role in ROLES), *kept]


def table() -> str:
    """The table of docs/security.md: what each role may do, of the database cx."""
    lines = ["| role | right | on |", "| --- | --- | --- |"]
    somebody = Manager("NAME", ())
    for role, rights_of in (
        *((role, grants(role, "cx")) for role in ROLES),
        (somebody.role, grants_of_manager(somebody, "cx")),
    ):
        by_rights: dict[str, list[str]] = {}
        for grant in rights_of:
            rights, _, place = grant.partition(" ON ")
            by_rights.setdefault(rights, []).append(f"`{place}`")
        lines += [f"| {role} | {rights} | {', '.join(places)} |" for rights, places in by_rights.items()]
    return "\n".join(lines)


def veil_table() -> str:
    """The other table there: what analysts see of the columns that are not shown as they are."""
    classes: dict[str, list[str]] = {}
    named = {**personal.COLUMNS, **{f"{view}.{column}": rule for (view, column), rule in personal.EXCEPTIONS.items()}}
    for name, rule in named.items():
        of_fields = {name: rule} if isinstance(rule, str) else {f"{name}.{one}": of for one, of in rule.items()}
        for field, what in of_fields.items():
            if what != personal.PLAIN:
                classes.setdefault(what, []).append(f"`{field}`")
    shown = {
        personal.NAME: "a pseudonym behind the kind",
        personal.IDENTIFIER: "a pseudonym",
        personal.TEXT: "`[hidden]` where there is a text; of attributes, nothing",
    }
    lines = ["| column | an analyst sees |", "| --- | --- |"]
    return "\n".join([*lines, *(f"| {', '.join(sorted(names))} | {shown[what]} |" for what, names in classes.items())])


if __name__ == "__main__":
    print(table(), veil_table(), sep="\n\n")
