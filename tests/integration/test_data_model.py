"""docs/data-model.md says what the catalogue says, and its keys and joins hold for simulated travellers."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import jupytext
import polars as pl
import pytest

from sinks.clickhouse import data_model
from sinks.clickhouse.data_model import HOMES, KEYS, SUBJECTS, catalogue, joins_of, key_of
from sinks.clickhouse.personal import ANALYSTS, OWNERS
from tests.support.clickhouse import ClickHouse
from tests.support.simulated_world import World, world

__all__ = ["world"]

PAGE = Path(__file__).parents[2] / "docs/data-model.md"
NOTEBOOKS = Path(__file__).parents[2] / "examples/notebooks"
SHOWN = [view for views in SUBJECTS.values() for view in views]


def test_the_page_is_made_from_the_catalogue(clickhouse: ClickHouse) -> None:
    """`python -m sinks.clickhouse.data_model > docs/data-model.md` makes it anew."""
    clickhouse.migrated()
    known = catalogue(clickhouse.client, clickhouse.database)
    assert data_model.page(known).rstrip() == PAGE.read_text("utf-8").rstrip()


def test_every_view_that_people_may_read_is_there_once() -> None:
    assert sorted(SHOWN) == sorted([*ANALYSTS, *OWNERS])


def test_keys_and_joins_name_columns_that_are_there(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    known = catalogue(clickhouse.client, clickhouse.database)
    for view in KEYS:
        assert set(KEYS[view]) <= set(known[view].names), view
    used = {home for view in SHOWN for home in joins_of(view, known)}
    assert used == set(HOMES)
    for home in HOMES:  # what is joined has one row at most, or the condition says at which time
        assert home.on or set(key_of(home.view, known)) == set(home.columns), home


@pytest.mark.slow
def test_no_two_rows_share_a_key(world: World) -> None:
    here = world.clickhouse
    known = catalogue(here.client, here.database)
    filled = set()
    for view in SHOWN:
        if key := ", ".join(key_of(view, known)):
            [(rows, keys)] = here.rows(f"SELECT count(), uniqExact({key}) FROM {view}")
            assert rows == keys, (view, key)
            filled |= {view} if rows else set()
    assert filled >= {"interactions", "contacts", "interactions_local", "journeys", "journeys_now", "journey_spend"}
    assert filled >= {"customers", "customers_now", "identities", "customer_spend", "cases", "case_response"}
    assert filled >= {"improvements_told", "next_best_actions", "milestones", "stays", "hijri"}


@pytest.mark.parametrize(("name", "charts", "frames"), [("nps_and_its_people", 3, 4), ("a_guests_journey", 3, 5)])
def test_notebooks_run_from_top_to_bottom(
    name: str, charts: int, frames: int, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Jupyter would show of each cell is there: pictures can be drawn and have data, frames have rows."""
    monkeypatch.setenv("RIHLA_CLICKHOUSE", world.clickhouse.url)
    monkeypatch.setenv("RIHLA_DATABASE", world.clickhouse.database)
    notebook = jupytext.read(NOTEBOOKS / f"{name}.ipynb")
    names: dict[str, Any] = {}
    shown = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not cell.outputs, "clear the outputs"
            shown.append(_shown(cell.source, names))
    drawn = [one for one in shown if hasattr(one, "to_dict") and not isinstance(one, pl.DataFrame)]
    told = [one for one in shown if isinstance(one, pl.DataFrame)]
    assert (len(drawn), len(told)) == (charts, frames)
    assert all(frame.height for frame in told)
    assert all(any(rows for rows in chart.to_dict()["datasets"].values()) for chart in drawn)
    if name == "nps_and_its_people":
        answers = [event["survey"]["score"] for event in world.answers("nps")]
        scored = sum(answer >= 9 for answer in answers) - sum(answer <= 6 for answer in answers)
        assert names["total"]["nps"].item() == round(100 * scored / len(answers), 1)
    else:
        events = sorted(world.by_journey[names["journey"]], key=lambda event: event["occurred_at"])
        assert [event["touchpoint"] for event in events] == names["events"]["touchpoint"].to_list()


def _shown(source: str, names: dict[str, Any]) -> Any:
    """Run a cell; the value of its last line, as Jupyter shows it."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names) if last else None
