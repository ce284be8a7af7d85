"""Asks ClickHouse what reports are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streams.report.content import Ask


def asking(client: Any) -> Ask:
    """Asks by named queries. client: of clickhouse-connect, on the database of the tables."""
    from sinks.clickhouse.named import load

    def ask(name: str, given: Mapping[str, str]) -> list[dict[str, Any]]:
        query = load()[name]
        values = query.bind(given)
        return list(client.query(query.text(values), parameters=values).named_results())

    return ask
