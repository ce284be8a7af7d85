"""docs/data-model.md says what the catalogue says, and its keys and joins hold for simulated travellers."""

from __future__ import annotations

from pathlib import Path

import pytest

from sinks.clickhouse import data_model
from sinks.clickhouse.data_model import HOMES, KEYS, SUBJECTS, catalogue, joins_of, key_of
from sinks.clickhouse.personal import ANALYSTS, OWNERS
from tests.support.clickhouse import ClickHouse
from tests.support.simulated_world import World, world

__all__ = ["world"]

PAGE = Path(__file__).parents[2] / "docs/data-model.md"
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
