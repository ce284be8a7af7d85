"""The register's actions in ClickHouse: whose answers count, what is stored, and what the query shows."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest

from streams.model.forms import DoneForm
from streams.trends import store
from streams.trends.effects import effect
from streams.verify.effects import effects as verified
from tests.integration.test_clickhouse_queries import ask
from tests.support.clickhouse import ClickHouse
from tests.support.sink_rows import DAY, NOON, frame, interaction

TODAY = datetime.fromtimestamp(NOON / 1000, UTC).date()


def test_an_action_is_measured_by_units_and_days(clickhouse: ClickHouse) -> None:
    """Five units answer 5 and 1 by turns on forty days; from the action on MAK-1 answers 5 alone: +50 points."""
    clickhouse.migrated()
    on = TODAY + timedelta(days=30)
    rows = [
        interaction(
            f"customer:{unit}{day}{place}",
            NOON + day * DAY + place,
            unit=unit,
            survey={"instrument": "csat", "score": 5.0 if place == 0 or (unit == "MAK-1" and day >= 30) else 1.0},
        )
        for unit in ("MAK-1", "MED-1", "MED-2", "MED-3", "MED-4", "AIR-1")
        for day in range(40)
        for place in range(2)
    ]
    clickhouse.write("interactions", frame("interaction", *rows))
    done = msgspec.convert(
        {"name": "mended bus 12", "on": on, "units": ["MAK-*"], "not_compared": ["AIR-*"], "days": 10}, DoneForm
    )
    with clickhouse.connect() as client:
        found, acted = store.split(store.cells(client, "csat", date(1971, 1, 1), date(2199, 1, 1)), done)
        assert acted == {"MAK-1"}
        assert len(found) == 5 * 40
        assert {(cell.n, cell.squares) for cell in found if cell.unit != "MAK-1"} == {(2, 10_000.0)}
        shown = effect(found, acted, on, 10)
        assert (shown.comparable, shown.n_before, shown.n_after, shown.n_comparable) == (4, 20, 20, 160)
        assert shown.effect == pytest.approx(50.0)
        assert (shown.placebos, shown.covered, shown.p, shown.verdict) == (2, 2, 0.2, "better")
        store.save_effect(client, done, "csat", 9, shown._replace(effect=3.0))
        store.save_effect(client, done, "csat", 10, shown)
        (row,) = ask(clickhouse, "action_effects", unit="MAK-1")
        assert (row[0], row[1], row[3], row[4], row[5], row[8]) == ("mended bus 12", on, "csat", "better", 50.0, 10)
        assert ask(clickhouse, "action_effects") == [row]
        assert ask(clickhouse, "action_effects", unit="MED-1") == []
        assert verified(client).differences.height == 0
        store.save_effect(client, done, "nps", 10, shown._replace(covered=0)._replace(low=60.0))
        assert verified(client).differences["column"].to_list() == ["figures"]
