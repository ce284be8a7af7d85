"""The views of groups, on random worlds, against the plain way (docs/groups.md), and by hand."""

from __future__ import annotations

import random
from typing import Any

import pytest

from streams.verify import store
from streams.verify.compare import compare
from tests.integration.test_attribution import event, stored
from tests.support.clickhouse import ClickHouse
from tests.support.sink_rows import DAY, NOON, interaction

SAID = "booking.group_"


def attributes(**given: str) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in given.items()]


def joined(who: str, at: int, *groups: str, touchpoint: str = "joined", **given: str) -> dict[str, Any]:
    ids = [{"kind": "customer", "value": who}, *({"kind": "group", "value": group} for group in groups)]
    said = event(who, at, "booking", touchpoint=SAID + touchpoint, attributes=attributes(**given))
    return {**said, "ids": ids}


def happened(group: str, at: int, touchpoint: str, score: float | None = None, **given: str) -> dict[str, Any]:
    return interaction(
        f"group:{group}", at, ids=[{"kind": "group", "value": group}], channel="stay", touchpoint=touchpoint,
        score=score, score_weight=None if score is None else 0.3, attributes=attributes(**given),
    )  # fmt: skip


def felt(who: str, at: int, score: float, weight: float = 1.0) -> dict[str, Any]:
    return event(who, at, "stay", score=score, score_weight=weight)


def test_a_caravan_by_hand(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    until = {"valid_until": "2199-01-01"}
    rows = [
        *(joined(f"p{n}", NOON, "G", bus=str(n % 2), guide="salim", **until) for n in range(24)),
        *(felt(f"p{n}", NOON + DAY, -0.5 if n % 2 else 0.5) for n in range(24)),
        felt("p0", NOON - DAY, -1.0),  # before the membership
        joined("p1", NOON + DAY, "G", touchpoint="withdrawn"),
        joined("p2", NOON + 2 * DAY, "G", touchpoint="left"),
        felt("p2", NOON + 3 * DAY, -1.0),  # after it
        happened("G", NOON + DAY, "stay.guide_met", 0.3),
        happened("G", NOON + 2 * DAY, "stay.group_member_lost", -0.7, bus="1"),
        happened("H", NOON, "stay.guide_absent", -0.7),
    ]
    stored(clickhouse, *rows)
    found = clickhouse.rows(
        "SELECT group_id, customers, customers_now, status_now, interactions, incidents, last_incident, score_count, "
        "round(sentiment, 6), round(margin, 3), worst_unit FROM groups ORDER BY group_id"
    )
    assert found == [
        ("group:G", 23, 22, "under_way", 2, 1, "stay.group_member_lost", 23, 0.021739, 0.209, "bus 1"),
        ("group:H", 0, 0, "no_members", 1, 1, "stay.guide_absent", 0, None, None, ""),
    ]
    cells = clickhouse.rows("SELECT bus, guide, customers, interactions, score_sum FROM group_cells ORDER BY bus")
    assert cells == [("0", "salim", 12, 12, 6.0), ("1", "salim", 11, 11, -5.5)]


TIMES = ["", "2024-01-05", "2024-01-12T10:00:00Z", "2024-02-30", "soon", "2024-01-08T10:00:00.250+03:00", "2024-01-08T"]


@pytest.mark.parametrize("seed", range(4))
def test_random_groups(clickhouse: ClickHouse, seed: int) -> None:
    clickhouse.migrated()
    rng = random.Random(seed)
    rows: list[dict[str, Any]] = []
    for _ in range(120):
        who, at = f"c{rng.randrange(6)}", NOON + rng.randrange(-5, 20) * DAY // 2
        kind = rng.random()
        if kind < 0.45:
            given = {key: rng.choice(TIMES) for key in ("valid_from", "valid_until") if rng.random() < 0.4}
            given |= {key: rng.choice(["1", " 2 "]) for key in ("bus", "guide", "floor") if rng.random() < 0.5}
            what = rng.choice(["joined"] * 6 + ["left", "withdrawn"])
            rows.append(joined(who, at, *rng.sample(["G", "H", "G:1"], rng.randrange(1, 3)), touchpoint=what, **given))
        elif kind < 0.85:
            rows.append(felt(who, at, rng.randrange(-10, 11) / 10, rng.choice([1.0, 0.3])))
        else:
            rows.append(happened(rng.choice("GH"), at, "stay.guide_met", rng.choice([None, 0.3])))
    expected = stored(clickhouse, *rows)
    for name, (key, _) in store.GROUPS.items():
        comparison = compare(name, expected.groups[name], store.of_groups(clickhouse.client, name), key)
        assert comparison.differences.to_dicts() == []
        assert comparison.rows > 5
