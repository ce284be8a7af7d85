"""A named query is asked without the joins that its parameters do not need: the answer is that of its whole text."""

from __future__ import annotations

import pytest

from sinks.clickhouse.named import load
from tests.support.simulated_world import World, world

__all__ = ["world"]

GROUPED = sorted(name for name, query in load().items() if "by is one of: all, day" in query.sql)
FILTERED = sorted(name for name, query in load().items() if any(one.name == "stage" for one in query.parameters))

BY = ("all", "customer", "day", "unit", "brand", "agent", "stage", "hijri_day_from_sunset", "prayer_window", "weekend")
"""Segments, each of which needs other joins."""


def both(world: World, name: str, **given: str) -> tuple[list[object], list[object]]:
    """The answers of the text that is asked, and of the whole one."""
    query = load()[name]
    values = query.bind(given)

    def rows(sql: str) -> list[object]:
        # Sums of floating-point figures differ by the order in which threads add.
        result = world.clickhouse.client.query(sql, parameters=values, settings={"max_threads": 1})
        return [*result.column_names, *result.result_rows]

    return rows(query.text(values)), rows(query.sql)


@pytest.mark.parametrize("by", BY)
def test_by_each_segment(world: World, by: str) -> None:
    asked, whole = both(world, "nps", by=by)
    assert asked == whole
    assert len(asked) > len(load()["nps"].columns)


@pytest.mark.parametrize("name", GROUPED)
def test_each_query_by_unit(world: World, name: str) -> None:
    asked, whole = both(world, name, by="season" if name == "seasons" else "unit")
    assert asked == whole


@pytest.mark.parametrize("name", FILTERED)
def test_each_query_with_filters(world: World, name: str) -> None:
    asked, whole = both(world, name, stage="booked", channel="booking", country="SA")
    assert asked == whole


def test_a_time_zone_for_all(world: World) -> None:
    asked, whole = both(world, "csat", by="day", timezone="Asia/Riyadh")
    assert asked == whole
    assert len(asked) > 100
