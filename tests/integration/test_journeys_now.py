"""What holds of journeys now: the worked examples of docs/identity-and-journeys.md, and the plain way's word for it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from sinks.clickhouse import models
from streams.model.company import built_in, load
from streams.verify import now, store
from streams.verify.compare import compare
from streams.verify.recompute import Expected, recompute
from streams.verify.verify import verify
from tests.integration.test_attribution import event, stored
from tests.integration.test_clickhouse_queries import ask
from tests.integration.test_units import load as load_units
from tests.support.clickhouse import ClickHouse
from tests.support.sink_rows import DAY, NOON

TODAY = int(datetime.now(UTC).timestamp() * 1000)


def day(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).date().isoformat()


def of(ref: str, at: int, touchpoint: str, **given: Any) -> dict[str, Any]:
    return event("c", at, touchpoint.partition(".")[0], booking_ref=ref, touchpoint=touchpoint, **given)


def booked(ref: str, at: int, arrives: int | None = None, nights: int | None = None) -> dict[str, Any]:
    return of(ref, at, "booking.confirmed", arrival_date=None if arrives is None else day(arrives), nights=nights)


def sar(minor: int) -> dict[str, Any]:
    return {"amount_minor": minor, "currency": "SAR"}


EVENTS = (
    # The hotel never tells who left: over by the plan, a day after.
    *(booked("plan", NOON, NOON + 9 * DAY, 3), of("plan", NOON + 9 * DAY, "stay.arrived")),
    # No plan: over after the month of the model.
    *(booked("span", NOON), of("span", NOON + 9 * DAY, "stay.arrived")),
    # Still there, by the plan, though silent for five weeks.
    *(booked("long", TODAY - 90 * DAY, TODAY - 36 * DAY, 60), of("long", TODAY - 36 * DAY, "stay.arrived")),
    # Arrived after all that was planned: the plan was not kept to, so the span counts.
    *(booked("late", NOON, NOON, 2), of("late", TODAY - 3 * DAY, "stay.arrived")),
    # Booked, and nobody knows what became of it.
    booked("lost", NOON, NOON + 30 * DAY, 2),
    # To come.
    booked("coming", TODAY - 50 * DAY, TODAY + 20 * DAY, 2),
    # Cancelled after it was completed: that undoes no stay.
    *(booked("undone", NOON), of("undone", NOON + 5 * DAY, "stay.arrived")),
    of("undone", NOON + 7 * DAY, "stay.checked_out"),
    of("undone", NOON + 8 * DAY, "booking.cancelled"),
    # Cancelled in the middle of the stay: over.
    *(booked("early", TODAY - 9 * DAY, TODAY - 3 * DAY, 9), of("early", TODAY - 3 * DAY, "stay.arrived")),
    of("early", TODAY - DAY, "booking.cancelled"),
    # Reported as a no-show, but they had come.
    *(booked("there", TODAY - 9 * DAY, TODAY - 2 * DAY, 9), of("there", TODAY - 2 * DAY, "stay.arrived")),
    of("there", TODAY - DAY, "check_in.no_show"),
    # Rebooked under the same reference, and cancelled again: of the second time, nobody came.
    *(booked("again", NOON), of("again", NOON + DAY, "stay.arrived"), of("again", NOON + 2 * DAY, "stay.checked_out")),
    *(booked("again", NOON + 90 * DAY), of("again", NOON + 95 * DAY, "booking.cancelled")),
    # Rebooked after a cancellation, under the same reference: booked.
    *(booked("rebooked", TODAY - 9 * DAY), of("rebooked", TODAY - 8 * DAY, "booking.cancelled")),
    booked("rebooked", TODAY - 7 * DAY, TODAY + 7 * DAY, 1),
    # Rebooked under another reference: two journeys, the first stays cancelled.
    *(booked("moved", NOON), of("moved", NOON + DAY, "booking.cancelled")),
    # One room of three is cancelled: nothing but the money, and the plan, changes.
    booked("rooms", TODAY - 9 * DAY, TODAY + 9 * DAY, 4),
    of("rooms", TODAY - 8 * DAY, "booking.part_cancelled", nights=3, money=sar(-10_000)),
    # Not shown up for, with a charge: it stays a no-show.
    *(booked("charged", NOON), of("charged", NOON + 9 * DAY, "check_in.no_show", money=sar(5_000))),
)  # fmt: skip

HOLDS = {
    "plan": ("in_stay", "completed", True),
    "span": ("in_stay", "completed", True),
    "long": ("in_stay", "in_stay", False),
    "late": ("in_stay", "in_stay", False),
    "lost": ("booked", "lapsed", True),
    "coming": ("booked", "booked", False),
    "undone": ("cancelled", "completed", True),
    "early": ("cancelled", "completed", True),
    "there": ("no_show", "in_stay", True),
    "again": ("cancelled", "cancelled", False),
    "rebooked": ("booked", "booked", False),
    "moved": ("cancelled", "cancelled", False),
    "rooms": ("booked", "booked", False),
    "charged": ("no_show", "no_show", False),
}


def same(clickhouse: ClickHouse, expected: Expected) -> None:
    shown, before, _ = store.journeys_now(clickhouse.client)
    comparison = compare("journeys_now", now.at(expected.journeys_now, before), shown, now.KEY)
    assert (comparison.rows, comparison.differences.to_dicts()) == (expected.journeys.height, [])


def test_the_worked_examples(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    expected = stored(clickhouse, *EVENTS)
    rows = clickhouse.rows("SELECT booking_ref, status, status_now, assumed FROM journeys_now")
    assert {row[0]: row[1:] for row in rows} == HOLDS
    same(clickhouse, expected)
    ends = dict[Any, Any](
        clickhouse.rows("SELECT booking_ref, ends_at FROM journeys_now WHERE booking_ref IN ('plan', 'span')")
    )
    assert ends["plan"].isoformat(" ")[:19] == "2024-01-15 00:00:00"  # to leave on the 13th, and a day of grace
    assert ends["span"].isoformat(" ")[:19] == "2024-02-09 12:00:00"
    assert clickhouse.rows("SELECT planned_departure FROM journeys_now WHERE booking_ref = 'rooms'") == [
        (date.fromisoformat(day(TODAY + 12 * DAY)),)
    ]
    opened = {row[:2]: row[2] for row in ask(clickhouse, "open_journeys")}
    assert opened == {
        ("in_stay", "completed"): 2,
        ("in_stay", "in_stay"): 2,
        ("booked", "booked"): 3,
        ("booked", "lapsed"): 1,
    }
    assert {row[:3] for row in ask(clickhouse, "open_journeys", unknown="1")} == {
        ("in_stay", "completed", 2),
        ("booked", "lapsed", 1),
    }
    funnel = {row[1]: row[6] for row in ask(clickhouse, "funnel")}
    assert (funnel["booked"], funnel["in_stay"]) == (3, 3)  # `there` is one: a no-show that is no true one


def test_the_model_says_how_long_stages_last(clickhouse: ClickHouse, tmp_path: Path) -> None:
    clickhouse.migrated()
    text = '[in_stay]\nlasts = "3650d"\nthen = "completed"\n'
    text += '[booked]\nplan = "arrival"\ngrace = "0s"\nlasts = "2d"\nthen = "forgotten"\n'
    (tmp_path / "stages.toml").write_text(text, "utf-8")
    model = load(str(tmp_path))
    assert models.record(clickhouse.client, built_in(), TODAY - DAY, 0)
    assert models.record(clickhouse.client, model, TODAY, 0)
    assert not models.record(clickhouse.client, model, TODAY + DAY, 0)
    log = stored(clickhouse, *EVENTS)
    found = dict[Any, Any](clickhouse.rows("SELECT booking_ref, status_now FROM journeys_now"))
    assert (found["span"], found["lost"], found["coming"]) == ("in_stay", "forgotten", "booked")
    same(
        clickhouse,
        log._replace(journeys_now=recompute(store.interactions(clickhouse.client), model=model).journeys_now),
    )
    assert store.model(clickhouse.client) == (model.hash, "model", str(tmp_path))
    history = clickhouse.rows("SELECT hash, until IS NULL FROM models ORDER BY recorded_at")
    assert history == [(built_in().hash, False), (model.hash, True)]
    # verify knows by which model the view is held to; under another one it differs
    assert verify(clickhouse.client, model=model).differing_rows["journeys_now"] == 0
    assert verify(clickhouse.client).differing_rows["journeys_now"] > 0


@pytest.mark.parametrize("told", ["2026-02-31", "soon", "1899-01-01", "2026-3-1", ""])
def test_a_plan_that_cannot_be_read_is_none(clickhouse: ClickHouse, told: str) -> None:
    clickhouse.migrated()
    expected = stored(clickhouse, of("B", NOON, "booking.confirmed", arrival_date=told, nights=5000))
    assert clickhouse.rows("SELECT planned_arrival, planned_departure FROM journeys_now") == [(None, None)]
    same(clickhouse, expected)


def test_a_planned_day_ends_on_the_clock_of_the_unit(clickhouse: ClickHouse, tmp_path: Path) -> None:
    """To leave on 4 May 2023 and a day of grace: 5 May ends at 21:00 UTC in Riyadh, at 16:00 in Langkawi; in
    London at 23:00 (summer time); on a night without midnight (Cairo, 28 April 2023) when the clock leaps."""
    clickhouse.migrated()
    start = int(datetime(2023, 4, 20, 12, tzinfo=UTC).timestamp() * 1000)
    units = {"RUH": "Asia/Riyadh", "LGK": "Asia/Kuala_Lumpur", "LHR": "Europe/London", "CAI": "Africa/Cairo", "X": None}
    lines = "\n".join(f"{name},{zone or ''}" for name, zone in units.items())
    load_units(clickhouse, tmp_path / "u.csv", f"unit,timezone\n{lines}\n", now=1)
    leaves = {name: 5 if name == "CAI" else 12 for name in units}
    expected = stored(
        clickhouse,
        *(booked(name, start, start + 2 * DAY, nights) | {"unit": name} for name, nights in leaves.items()),
        *(of(name, start + 2 * DAY, "stay.arrived", unit=name) for name in units),
    )
    ends = dict[Any, Any](clickhouse.rows("SELECT booking_ref, toString(ends_at) FROM journeys_now"))
    assert {name: at[:16] for name, at in ends.items()} == {
        "RUH": "2023-05-05 21:00",
        "LGK": "2023-05-05 16:00",
        "LHR": "2023-05-05 23:00",
        "CAI": "2023-04-28 22:00",
        "X": "2023-05-06 00:00",
    }
    shown, before, _ = store.journeys_now(clickhouse.client)
    wanted = now.at(expected.journeys_now, before, store.of_units(clickhouse.client, "unit_levels"))
    assert compare("journeys_now", wanted, shown, now.KEY).differences.to_dicts() == []


def test_all_travellers_of_a_booking_have_the_clock_of_their_unit(clickhouse: ClickHouse, tmp_path: Path) -> None:
    clickhouse.migrated()
    load_units(clickhouse, tmp_path / "u.csv", "unit,timezone\nRUH,Asia/Riyadh\n", now=1)
    start = int(datetime(2023, 4, 20, 12, tzinfo=UTC).timestamp() * 1000)
    plan = {"booking_ref": "B", "unit": "RUH", "arrival_date": day(start + 2 * DAY), "nights": 12}
    stored(
        clickhouse,
        *(event(who, start, "booking", touchpoint="booking.confirmed", **plan) for who in "abc"),
        *(event(who, start + 2 * DAY, "stay", touchpoint="stay.arrived", booking_ref="B", unit="RUH") for who in "abc"),
    )
    ends = clickhouse.rows("SELECT customer_id, toString(ends_at) FROM journeys_now ORDER BY customer_id")
    assert ends == [(who, "2023-05-05 21:00:00.000") for who in "abc"]
