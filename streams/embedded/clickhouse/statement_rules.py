"""What a statement that came over HTTP may hold, judged by the tree that ClickHouse's own parser makes of it.

Grants (streams.embedded.clickhouse.access) are the engine's own lock. This is the one before it, for what grants do not
hold in chDB. It is a list of what is allowed: kinds of statements, table functions, engines, settings, system tables
and functions; what is not on it is refused, and so is a construction that the tree has no place for. Names that
ClickHouse knows nothing of (a lambda's, a misspelt one) pass: there is nothing to run behind them.

No regular expression reads a statement: comments, Unicode, quoting and second statements are the parser's affair.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from streams.embedded.clickhouse.access import Role
from streams.embedded.clickhouse.engine_error import EngineError, refusal
from streams.embedded.clickhouse.setting_rules import check_setting

Tree = Mapping[str, Any]

_ASKING = frozenset(
    ("SelectWithUnionQuery", "SelectQuery", "ShowTablesQuery", "ShowColumnsQuery", "ShowIndexesQuery", "ExplainQuery")
)
_WRITING = frozenset(
    (
        *("InsertQuery", "CreateQuery", "AlterQuery", "DropQuery", "RenameQuery", "DeleteQuery", "UpdateQuery"),
        *("OptimizeQuery", "CheckTableQuery", "KillQueryQuery", "SetQuery", "UseQuery"),
    )
)
_EXPLAINS = frozenset(
    f"EXPLAIN{kind}" for kind in ("", " AST", " SYNTAX", " QUERY TREE", " PLAN", " PIPELINE", " ESTIMATE")
)
_TABLE_FUNCTIONS = frozenset(
    (
        *("numbers", "numbers_mt", "zeros", "zeros_mt", "generateseries", "generate_series", "generaterandom"),
        *("values", "sqlstandardvalues", "view", "null"),
    )
)
_TABLE_ENGINES = frozenset(
    (
        *("MergeTree", "ReplacingMergeTree", "SummingMergeTree", "AggregatingMergeTree", "CollapsingMergeTree"),
        *("VersionedCollapsingMergeTree", "CoalescingMergeTree", "Memory", "Null", "Log", "TinyLog", "StripeLog"),
        *("Set", "Join", "View", "MaterializedView"),
    )
)
_DATABASE_ENGINES = frozenset(("Atomic", "Memory"))
_ALTERS = frozenset(
    (
        *("ADD_COLUMN", "DROP_COLUMN", "MODIFY_COLUMN", "COMMENT_COLUMN", "RENAME_COLUMN", "MATERIALIZE_COLUMN"),
        *("ADD_INDEX", "DROP_INDEX", "MATERIALIZE_INDEX", "ADD_CONSTRAINT", "DROP_CONSTRAINT", "MODIFY_COMMENT"),
        *("ADD_PROJECTION", "DROP_PROJECTION", "MATERIALIZE_PROJECTION", "MODIFY_ORDER_BY", "MODIFY_TTL", "REMOVE_TTL"),
        *("MATERIALIZE_TTL", "MODIFY_SETTING", "RESET_SETTING", "MODIFY_QUERY", "DROP_PARTITION", "DELETE", "UPDATE"),
        *("APPLY_DELETED_MASK", "MODIFY_DATABASE_COMMENT"),
    )
)
_SYSTEM_TABLES = frozenset(
    (
        *("one", "numbers", "numbers_mt", "zeros", "zeros_mt", "tables", "columns", "databases", "settings"),
        *("functions", "table_functions", "table_engines", "database_engines", "data_type_families", "formats"),
        *("keywords", "time_zones", "build_options", "contributors", "licenses", "collations", "dictionaries"),
        *("aggregate_function_combinators", "data_skipping_indices", "merge_tree_settings", "parts", "codecs"),
        *("metrics", "events", "current_roles", "enabled_roles", "completions", "projections", "statements"),
    )
)
"""What of `system` a reader sees. Not: what others ask at this moment, users, disks, logs, the machine's memory."""

# Statements that the parser makes no JSON of, by the name of their tree, and how they begin in its own spelling. They
# hold names, and nothing else but the clauses of an answer.
_BARE: Mapping[str, str] = {
    "ExistsTableQuery": "EXISTS ",
    "ExistsViewQuery": "EXISTS VIEW ",
    "ExistsDatabaseQuery": "EXISTS DATABASE ",
    "ExistsDictionaryQuery": "EXISTS DICTIONARY ",
    "ShowCreateTableQuery": "SHOW CREATE ",
    "ShowCreateViewQuery": "SHOW CREATE VIEW ",
    "ShowCreateDatabaseQuery": "SHOW CREATE DATABASE ",
    "ShowEngineQuery": "SHOW ENGINES",
    "ShowFunctions": "SHOW FUNCTIONS",
}
_BARE_OF_WRITERS: Mapping[str, str] = {"ShowProcesslistQuery": "SHOW PROCESSLIST", "ShowGrantsQuery": "SHOW GRANTS"}


@dataclass(frozen=True, slots=True)
class Known:
    """What the engine knows, in small letters: its functions, by whether they are safe, and its table functions."""

    functions: Mapping[str, bool]
    table_functions: frozenset[str]
    settings: frozenset[str]
    """As they are written: settings are case-sensitive."""


def check(tree: Tree, role: Role, known: Known, identifiers: Mapping[str, str], infile: str | None = None) -> None:
    """Raise EngineError (ACCESS_DENIED) where a statement is more than its role may do.

    tree: of `parseQueryToJSON`. identifiers: values of the statement's parameters, any of which may stand for a name.
    infile: the one file that an INSERT may read, our own spool of the request's body.
    """
    kind = str(tree.get("type"))
    if kind not in _ASKING and not (role.writes and kind in _WRITING):
        raise denied(role, f"{_words(kind)} statements")
    for node in _nodes(tree):
        _check_node(node, role, known, identifiers, infile)


def check_bare(name: str, text: str, role: Role) -> None:
    """The same for a statement that has no JSON. name: of its tree. text: in the parser's own spelling."""
    allowed = {**_BARE, **(_BARE_OF_WRITERS if role.writes else {})}
    kind = next((kind for kind in allowed if name == kind or name.startswith(f"{kind}_")), None)
    if kind is None or not text.startswith(allowed[kind]):
        raise denied(role, f"{_words(name.partition('_')[0])} statements")
    if {"OUTFILE", "SETTINGS"} & set(text.upper().split()):
        raise denied(role, "INTO OUTFILE, and SETTINGS here")


def denied(role: Role, what: str) -> EngineError:
    """The refusal, in ClickHouse's words."""
    return refusal(497, "ACCESS_DENIED", f"{role.name}: {what} are not allowed over HTTP")


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object of the tree, without recursion: the parser's depth is more than Python's."""
    open_ = [value]
    while open_:
        one = open_.pop()
        if isinstance(one, dict):
            yield one
            open_.extend(one.values())
        elif isinstance(one, list):
            open_.extend(one)


def _check_node(
    node: dict[str, Any], role: Role, known: Known, identifiers: Mapping[str, str], infile: str | None
) -> None:
    for key, value in node.items():
        if "file" in key and value and not (key == "infile" and infile is not None and _text(value) == infile):
            raise denied(role, "files (INTO OUTFILE, FROM INFILE)")
        if key in ("table_function", "as_table_function") and isinstance(value, dict):
            _check_table_function(str(value.get("name")), role)
        if key == "func_name":  # of SELECT * APPLY(name)
            _check_function(str(value), role, known)
    match node.get("type"):
        case "Function":
            _check_call(node, role, known)
        case "SetQuery":
            _check_settings(node, role, known)
        case "ExplainQuery":
            if node.get("kind") not in _EXPLAINS:
                raise denied(role, f"{node.get('kind')} statements")
            node.pop("settings", None)  # header = 1, actions = 1: of the explanation, not of the engine
        case "Storage":
            _check_table_settings(node.pop("settings", {}), role)
        case "AlterCommand":
            if node.get("command_type") not in _ALTERS:
                raise denied(role, f"ALTER ... {node.get('command_type')} statements")
            _check_table_settings(node.pop("settings_changes", {}), role)
        case "CreateQuery":
            if node.get("attach") or node.get("has_attach_from_path") or node.get("is_dictionary"):
                raise denied(role, "ATTACH and dictionaries")
        case "DropQuery":
            if node.get("kind") not in ("Drop", "Truncate"):
                raise denied(role, f"{node.get('kind')} statements")
        case "SQLSecurity":
            raise denied(role, "views with another's rights (SQL SECURITY)")
        case "Identifier" | "TableIdentifier":
            _check_name(node, role, identifiers)


def _check_call(node: dict[str, Any], role: Role, known: Known) -> None:
    name = str(node.get("name"))
    match node.get("kind"):
        case "TABLE_ENGINE":
            if name.removeprefix("Replicated") not in _TABLE_ENGINES:
                raise denied(role, f"tables of engine {name}")
        case "DATABASE_ENGINE":
            if name not in _DATABASE_ENGINES:
                raise denied(role, f"databases of engine {name}")
        case "BACKUP_NAME":
            raise denied(role, "backups")
        case _:
            _check_function(name, role, known)


def _check_function(name: str, role: Role, known: Known) -> None:
    small = name.lower()
    safe = known.functions.get(small)
    if safe is None and small in known.table_functions:  # x IN url(...)
        _check_table_function(name, role)
    elif safe is False:
        raise denied(role, f"calls of {name}()")


def _check_table_function(name: str, role: Role) -> None:
    if name.lower() not in _TABLE_FUNCTIONS:
        raise denied(role, f"table functions but {', '.join(sorted(_TABLE_FUNCTIONS))}: {name}()")


def _check_settings(node: dict[str, Any], role: Role, known: Known) -> None:
    for change in node.get("changes", ()):
        check_setting(str(change.get("name")), _text(change), role, known.settings)
    for name in node.get("default_settings", ()):
        check_setting(str(name), "0", role, known.settings)


def _check_table_settings(node: Any, role: Role) -> None:
    """Numbers only, also those between quotes (dbt's): texts and functions name disks, volumes or paths."""
    for change in node.get("changes", ()) if isinstance(node, dict) else ():
        value = change.get("value")
        kind = value.get("field_type") if isinstance(value, dict) else None
        quoted = kind == "String" and _text(value).isascii() and _text(value).isdecimal()
        if not quoted and kind not in ("UInt64", "Int64", "Float64", "Bool"):
            raise denied(role, f"settings of tables that are no numbers ({change.get('name')})")


def _check_name(node: dict[str, Any], role: Role, identifiers: Mapping[str, str]) -> None:
    """The name of a table or column: a reader sees little of the database `system`."""
    if role.writes:
        return
    parts = [str(part) for part in node.get("name_parts") or str(node.get("name", "")).split(".")]
    for child in node.get("children", ()):
        if isinstance(child, dict) and child.get("type") == "QueryParameter":
            value = identifiers.get(str(child.get("name")), "")
            parts = [part or value for part in parts] if len(parts) == 1 else [*parts, value]
    names = [part.strip('`"').lower() for whole in parts for part in whole.split(".") if part]
    if "system" in names and not (names[0] == "system" and len(names) > 1 and names[1] in _SYSTEM_TABLES):
        raise denied(role, "tables of `system` beyond those that describe tables")


def _text(node: Any) -> str:
    """The value of a literal, or of a setting; "" where it is neither text nor number."""
    value = node.get("value") if isinstance(node, dict) else node
    while isinstance(value, dict):
        value = value.get("value")
    return "" if value is None or isinstance(value, list) else str(value)


def _words(kind: str) -> str:
    """`SystemQuery`: `System`."""
    return kind.removesuffix("Query").removesuffix("Query")
