"""Runs the queries of panels, against Prometheus and ClickHouse."""

from __future__ import annotations

import json
import math
import urllib.parse
import urllib.request
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from clickhouse_connect.driver.client import Client

from tests.dashboards.drawing import Series, Shown
from tests.dashboards.reading import Panel, expanded_promql, expanded_sql, legend

POINTS = 240
"""Of a line: about as many as Grafana asks for in a panel of this width."""


def ask_prometheus(url: str, panel: Panel, begin: float, end: float, scrape: int) -> Shown:
    """What the queries of a panel find in Prometheus. begin, end: epoch s; scrape: its interval in s."""
    step, found = max(math.ceil((end - begin) / POINTS), 1), Shown()
    for target in panel.targets:
        asked = {
            "query": expanded_promql(target["expr"], scrape, step),
            "start": f"{begin:.3f}",
            "end": f"{end:.3f}",
            "step": str(step),
        }
        with urllib.request.urlopen(f"{url}/api/v1/query_range?{urllib.parse.urlencode(asked)}", timeout=30) as answer:
            for one in json.load(answer)["data"]["result"]:
                points = [(float(at), float(value)) for at, value in one["values"]]
                found.series.append(Series(legend(target.get("legendFormat"), one["metric"]), points))
    return found


def ask_clickhouse(client: Client, panel: Panel, begin: float, end: float, units: Sequence[str]) -> Shown:
    """What the query of a panel finds in ClickHouse. A query of a time series is turned into lines, as Grafana does."""
    (target,) = panel.targets
    result = client.query(expanded_sql(target["rawSql"], int(begin), int(end), units))
    if panel.type != "timeseries":
        return Shown(columns=tuple(result.column_names), rows=[*result.result_rows])
    lines: dict[str, list[tuple[float, float]]] = {}
    texts = [at for at, kind in enumerate(result.column_types) if "String" in kind.name]
    for row in result.result_rows:
        for at, name in enumerate(result.column_names):
            if at and at not in texts and row[at] is not None:
                # of one column of numbers the name is left out, as the plugin does where texts tell lines apart
                called = " ".join([*(str(row[text]) for text in texts)]) or name
                lines.setdefault(called, []).append((_epoch(row[0]), float(row[at])))
    return Shown(series=[Series(name, points) for name, points in sorted(lines.items())])


def _epoch(at: Any) -> float:
    return at.replace(tzinfo=UTC).timestamp() if isinstance(at, datetime) and at.tzinfo is None else at.timestamp()
