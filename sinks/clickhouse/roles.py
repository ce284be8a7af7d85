"""The roles of a database, and the views that two of them read: made from sinks.clickhouse.personal, and re-runnable.

    pipeline     what the sink and `rihla forget` need, no more
    analyst      the database {database}_analyst: the same views and columns, with pseudonyms and without texts
    manager      the database {database}_manager: rows of units, by row policy. One role `manager_NAME` for each manager of
                 the file of managers; `manager` alone sees no row
    operations   every customer, in clear, of all units; not who looked at whom, nor who asked to be forgotten
    engineer     the machinery: dead letters, what was replayed, system tables, and what an analyst sees; nobody in clear
                 but in dead letters

Views of {database} have ClickHouse's default security, the rights of who asks. Those of the two databases here are SQL
SECURITY NONE: who may read them needs no right on what is underneath, and has none. A server's roles are called
{database}_ROLE; the embedded engine's have the same grants (streams.embedded.clickhouse.access).

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

PIPELINE, ANALYST, MANAGER, OPERATIONS, ENGINEER = "pipeline", "analyst", "manager", "operations", "engineer"
ROLES = (PIPELINE, ANALYST, MANAGER, OPERATIONS, ENGINEER)

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
    """The roles cannot be made; the message says why, and what would do."""


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
                    [*(f"{one.stored.view}_store" for one in TOPICS if one.stored and one.record), "erasures_store"],
                ),
                *on("SELECT", [*(store.name for store in stores), *personal.INNER, "erasures"]),
                *on("ALTER DELETE", [store.name for store in stores if store.of_persons]),
            )
        case "analyst":
            return (f"SELECT ON {database}_analyst.*",)
        case "manager":
            return (f"SELECT ON {database}_manager.*",)
        case "operations":
            return on("SELECT", [*clear, *(store.name for store in stores if store.operations)])
        case "engineer":
            shown = [store.name for store in stores if store.engineer]
            views = ["dead_letters", *personal.INNER, "units", "unit_levels", "rates", "exchange", "currencies"]
            return (*on("SELECT", [*shown, *views]), f"SELECT ON {database}_analyst.*", "SELECT ON system.*")
    raise ValueError(f"no such role: {role}")


def row_policy(managers: Sequence[Manager], unit: str = "attributed_unit") -> str:
    """The condition on the rows that managers together may see."""
    units = sorted({one for manager in managers for one in manager.units})
    return f"{unit} IN ({', '.join(map(literal, units))})" if units else "0"


def unit_columns() -> dict[str, str]:
    """View that managers see in part: the column that says whose the row is."""
    names = [name for view in personal.ATTRIBUTED for name in (view, f"{view}_attributed")]
    return {**dict.fromkeys([*names, *personal.OF_JOURNEYS], "attributed_unit"), "deliveries": "unit"}


Columns = Mapping[str, list[tuple[str, str]]]
"""View: (column, type), in order."""


def views(database: str, columns: Columns) -> Iterator[tuple[str, str, str]]:
    """The views of analysts and managers: (database, name, SELECT). Raises RolesError."""
    for name in personal.ANALYSTS:
        try:
            rules = {column: personal.rule_of(name, column) for column, _ in columns[name]}
        except KeyError as error:
            raise RolesError(
                f"nobody has said whether {database}.{name} may be shown to analysts ({error.args[0]}): rihla migrate, if the "
                "database is of another version; else it belongs into sinks/clickhouse/personal.py"
            ) from error
        yield f"{database}_analyst", name, select(database, name, columns[name], rules)
    for name in personal.ATTRIBUTED:
        for shown in (name, f"{name}_attributed"):
            listed = _listed(columns[f"{name}_attributed"])
            yield f"{database}_manager", shown, f"SELECT {listed} FROM {database}.{name}_attributed"
    for name in personal.OF_JOURNEYS:
        yield (
            f"{database}_manager",
            name,
            f"SELECT {_listed(columns[name], 'v.')}, j.attributed_unit AS attributed_unit FROM {database}.{name} AS v "
            f"LEFT ANY JOIN (SELECT journey_id, attributed_unit FROM {database}.journeys_attributed) AS j "
            "ON j.journey_id = v.journey_id",
        )
    for name in ("deliveries", *personal.REFERENCE):
        yield f"{database}_manager", name, f"SELECT {_listed(columns[name])} FROM {database}.{name}"


def _listed(columns: Sequence[tuple[str, str]], of: str = "") -> str:
    return ", ".join(f"{of}{identifier(name)} AS {identifier(name)}" for name, _ in columns)


@dataclass(frozen=True, slots=True)
class Database:
    """What is needed of a ClickHouse. ask: the rows of a query. run: a statement. insert: a row, whose values are in no
    statement, since servers keep those."""

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


def make_views(to: Database, database: str, cluster: str | None = None) -> None:
    """Make the key of the pseudonyms, where there is none, and the views of analysts and managers, anew.

    The database must be of this version's schema. Raises RolesError.
    """
    on_cluster = fill("{on_cluster}", database, cluster)
    to.run(fill(_KEY, database, cluster))
    if not to.ask(f"SELECT 1 FROM {database}.{KEY} LIMIT 1"):
        to.insert(f"{database}.{KEY}", {"k0": secrets.randbits(64), "k1": secrets.randbits(64)})
    columns: dict[str, list[tuple[str, str]]] = {}
    for table, name, type_ in to.ask(
        f"SELECT table, name, type FROM system.columns WHERE database = {literal(database)} ORDER BY table, position"
    ):
        columns.setdefault(str(table), []).append((str(name), str(type_)))
    wanted = list(views(database, columns))
    for place in (f"{database}_analyst", f"{database}_manager"):
        to.run(f"CREATE DATABASE IF NOT EXISTS {place} {on_cluster}")
        names = {name for one, name, _ in wanted if one == place}
        for (name,) in to.ask(f"SELECT name FROM system.tables WHERE database = {literal(place)}"):
            if name not in names:
                to.run(f"DROP TABLE {place}.{identifier(str(name))} {on_cluster}")
    for place, name, query in wanted:
        to.run(f"CREATE OR REPLACE VIEW {place}.{identifier(name)} {on_cluster} SQL SECURITY NONE AS {query}")


def statements(database: str, managers: Sequence[Manager] | None = None, cluster: str | None = None) -> Iterator[str]:
    """The statements that make a server's roles, each harmless when repeated. managers: None leaves those that are.

    A role's rights are replaced in one statement, so nobody is refused meanwhile what stays allowed.
    """
    on_cluster = fill("{on_cluster}", database, cluster)
    # Without a policy of one's own, no row: whatever else grants the right to read these views.
    for view in unit_columns():
        yield f"CREATE ROW POLICY OR REPLACE {database}_nobody {on_cluster} ON {database}_manager.{view} USING 0 TO ALL"
    for role in ROLES:
        yield f"CREATE ROLE IF NOT EXISTS {database}_{role} {on_cluster}"
        yield f"GRANT {on_cluster} {', '.join(grants(role, database))} TO {database}_{role} WITH REPLACE OPTION"
    for manager in managers or ():
        name = f"{database}_{manager.role}"
        yield f"CREATE ROLE IF NOT EXISTS {name} {on_cluster}"
        yield f"GRANT {on_cluster} {', '.join(grants(MANAGER, database))} TO {name} WITH REPLACE OPTION"
        for view, unit in unit_columns().items():
            yield (
                f"CREATE ROW POLICY OR REPLACE {name} {on_cluster} ON {database}_manager.{view} "
                f"USING {row_policy([manager], unit)} TO {name}"
            )


def make_roles(
    to: Database, database: str, managers: Sequence[Manager] | None = None, cluster: str | None = None
) -> list[str]:
    """Make views and roles on a server; managers that are not in the list, where there is one, lose their role.

    Returns the names of the roles. Raises RolesError; clickhouse_connect's errors as they come.
    """
    make_views(to, database, cluster)
    for statement in statements(database, managers, cluster):
        to.run(statement)
    prefix, on_cluster = f"{database}_{MANAGER}_", fill("{on_cluster}", database, cluster)
    there = [str(row[0]) for row in to.ask("SELECT name FROM system.roles ORDER BY name")]
    kept = {f"{database}_{manager.role}" for manager in managers or ()}
    present = [name for name in there if name.startswith(prefix)]
    gone = [name for name in present if managers is not None and name not in kept]
    for name in gone:
        for view in unit_columns():
            to.run(f"DROP ROW POLICY IF EXISTS {name} {on_cluster} ON {database}_manager.{view}")
        to.run(f"DROP ROLE IF EXISTS {name} {on_cluster}")
    return [f"{database}_{role}" for role in ROLES] + [name for name in present if name not in gone]


def table() -> str:
    """The table of docs/security.md: what each role may do, of the database cx."""
    lines = ["| role | right | on |", "| --- | --- | --- |"]
    for role in ROLES:
        by_rights: dict[str, list[str]] = {}
        for grant in grants(role, "cx"):
            rights, _, place = grant.partition(" ON ")
            by_rights.setdefault(rights, []).append(f"`{place}`")
        lines += [f"| {role} | {rights} | {', '.join(places)} |" for rights, places in by_rights.items()]
    return "\n".join(lines)


def veil_table() -> str:
    """The other table there: what analysts see of the columns that are not shown as they are."""
    classes: dict[str, list[str]] = {}
    for name, rule in personal.COLUMNS.items():
        for field, what in ((name, rule),) if isinstance(rule, str) else ((f"{name}.{f}", r) for f, r in rule.items()):
            if what != personal.PLAIN:
                classes.setdefault(what, []).append(f"`{field}`")
    for (view, column), what in personal.EXCEPTIONS.items():
        classes.setdefault(str(what), []).append(f"`{view}.{column}`")
    shown = {personal.NAME: "a pseudonym behind the kind", personal.IDENTIFIER: "a pseudonym", personal.TEXT: "nothing"}
    lines = ["| column | an analyst sees |", "| --- | --- |"]
    return "\n".join([*lines, *(f"| {', '.join(sorted(names))} | {shown[what]} |" for what, names in classes.items())])


if __name__ == "__main__":
    print(table(), veil_table(), sep="\n\n")
