"""Names and strings as they stand in SQL."""

from __future__ import annotations


def identifier(name: str) -> str:
    """A name quoted for SQL."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def literal(text: str) -> str:
    """A string quoted for SQL. ClickHouse converts it where a setting is a number."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
