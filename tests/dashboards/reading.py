"""What a dashboard's JSON says, as Grafana reads it: panels, their queries and how their values are shown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "deploy/grafana/dashboards"
NAMES = ("rihla-pipeline", "rihla-experience")
TYPES = ("row", "stat", "timeseries", "table", "barchart", "text")
"""Kinds of panels that are drawn. Another one is an error: nobody would have looked at it."""


@dataclass(frozen=True)
class Panel:
    """A panel."""

    said: Mapping[str, Any]

    @property
    def type(self) -> str:
        """Its kind: one of TYPES."""
        return str(self.said["type"])

    @property
    def title(self) -> str:
        """Its title."""
        return str(self.said["title"])

    @property
    def place(self) -> tuple[int, int, int, int]:
        """x, y, width and height in cells: of 24 columns, and rows of 30 px."""
        at = self.said["gridPos"]
        return at["x"], at["y"], at["w"], at["h"]

    @property
    def targets(self) -> Sequence[Mapping[str, Any]]:
        """Its queries."""
        return self.said.get("targets", [])

    def defaults(self, name: str) -> dict[str, Any]:
        """How the values of a series or column are shown: the defaults, with the overrides that match its name."""
        config = self.said.get("fieldConfig", {})
        found = dict(config.get("defaults", {}))
        for override in config.get("overrides", ()):
            matcher = override["matcher"]
            matches = (
                matcher["options"] == name
                if matcher["id"] == "byName"
                else re.search(matcher["options"].strip("/"), name) is not None
            )
            if matches:
                found |= {one["id"]: one["value"] for one in override["properties"]}
        return found


def read(name: str) -> dict[str, Any]:
    """A dashboard, by the name of its file."""
    said: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return said


def panels(dashboard: Mapping[str, Any]) -> Iterator[Panel]:
    """The panels, rows included. Raises ValueError for a kind that is not drawn, and for transformations."""
    for said in dashboard["panels"]:
        panel = Panel(said)
        if panel.type not in TYPES:
            raise ValueError(f"{panel.title}: a panel of type {panel.type} is not drawn")
        if said.get("transformations"):
            raise ValueError(f"{panel.title}: transformations are not made")
        yield panel


def expanded_sql(sql: str, begin: int, end: int, units: Sequence[str]) -> str:
    """A query as Grafana's ClickHouse plugin sends it: its macro for the time shown (epoch s), and the variable `unit`,
    replaced. Raises ValueError where something else is left."""
    sql = re.sub(r"\$__timeFilter\((\w+)\)", rf"(\1 >= toDateTime({begin}) AND \1 <= toDateTime({end}))", sql)
    quoted = (unit.replace("\\", "\\\\").replace("'", "\\'") for unit in units)
    sql = sql.replace("${unit:singlequote}", ", ".join(f"'{unit}'" for unit in quoted))
    if "$" in sql:
        raise ValueError(f"not replaced: {sql}")
    return sql


def expanded_promql(expression: str, scrape: int, step: int) -> str:
    """A query as Grafana sends it: a rate's interval is four scrapes long, or a step and a scrape. Seconds."""
    return expression.replace("$__rate_interval", f"{max(4 * scrape, step + scrape)}s")


def legend(form: str | None, labels: Mapping[str, str]) -> str:
    """The name of a series: its legend's format filled in, or its labels."""
    if form and form != "__auto":
        return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda found: labels.get(found[1], ""), form)
    return "{" + ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items()) if name != "__name__") + "}"
