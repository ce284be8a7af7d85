"""Escalation with a frozen clock: who hears of an alert that nobody takes, and when."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from streams.deliver import state
from streams.deliver.escalation import escalate, plan, steps_of, worked
from streams.deliver.match import targets_of
from streams.deliver.message import message
from streams.deliver.model import Routes, Unit
from streams.deliver.routes import RoutesError, parse
from streams.deliver.state import Entry
from streams.model.zones import ZoneInfo
from tests.support.deliveries import ALERT, AT

MINUTE, HOUR = 60_000, 3_600_000
DAY = 24 * HOUR
ROUTES = """
[targets.desk]
type = "log"
[targets.duty]
type = "log"
[targets.general]
type = "log"
[targets.care]
type = "log"
[[routes]]
to = ["desk"]
[[escalations]]
after = "15m"
to = ["duty"]
[[escalations]]
after = "1h"
to = ["general"]
[[escalations]]
after = "1d"
to = ["care"]
identifiers = true
severities = ["critical"]
"""


class Clock:
    """Deliver's state of one alert, and the time, which stands still."""

    def __init__(self, routes: str = ROUTES) -> None:
        self.routes: Routes = parse(routes, "routes.toml")
        self.entry: Entry | None = None
        self.now, self.version = AT, 0

    def take(self, **said: Any) -> list[str]:
        """A further version; the targets that are told."""
        self.version += 1
        thing = {**ALERT, "snoozed_until": None, "version": self.version, **said}
        told = () if self.entry is None else self.entry.told.keys()
        known = {} if self.entry is None else self.entry.escalated
        targets = {**known, **targets_of(self.routes, "alert", thing, self.now, told)}
        fresh, before = self.entry is None, 0 if self.entry is None else len(self.entry.deliveries)
        entry = state.take(self.entry, "alert", "a1", self.version, thing, targets, self.now, self.now)
        assert entry is not None
        plan(self.routes, entry, "alert", thing, fresh, self.now)
        self.entry = state.decode(state.encode(entry))  # as it is stored
        return [one.target for one in entry.deliveries[before:]]

    def at(self, after: int) -> list[tuple[str, int]]:
        """The time is so long after the alert was raised; the targets that are told, each with the step."""
        self.now = AT + after
        assert self.entry is not None
        return [(one.target, one.level) for one in escalate(self.entry, self.now)]


def test_fifteen_minutes_an_hour_a_day() -> None:
    clock = Clock()
    assert clock.take() == ["desk"]
    assert clock.at(15 * MINUTE - 1) == []
    assert clock.at(15 * MINUTE) == [("duty", 1)]
    assert clock.at(15 * MINUTE) == []
    assert clock.at(HOUR - 1) == []
    assert clock.at(HOUR) == [("general", 2)]
    assert clock.at(DAY) == [("care", 3)]
    assert clock.at(10 * DAY) == []


def test_taken_in_time_nobody_else_hears() -> None:
    clock = Clock()
    clock.take()
    clock.now += 14 * MINUTE
    assert clock.take(acknowledged_at=clock.now, handler="Fatima") == ["desk"]
    assert clock.at(10 * DAY) == []


def test_who_was_told_by_an_escalation_hears_how_it_goes_on() -> None:
    clock = Clock()
    clock.take()
    clock.at(20 * MINUTE)
    assert sorted(clock.take(acknowledged_at=clock.now)) == ["desk", "duty"]
    assert sorted(clock.take(acknowledged_at=AT, closed_at=clock.now)) == ["desk", "duty"]


def test_not_mine_begins_anew() -> None:
    clock = Clock()
    clock.take()
    clock.now += 10 * MINUTE
    clock.take(acknowledged_at=clock.now)
    clock.now += 10 * MINUTE
    clock.take()
    assert clock.at(34 * MINUTE) == []
    assert clock.at(35 * MINUTE) == [("duty", 1)]


def test_what_is_put_off_waits() -> None:
    clock = Clock()
    clock.take()
    clock.take(snoozed_until=AT + 2 * HOUR)
    assert clock.at(2 * HOUR - 1) == []
    assert clock.at(2 * HOUR) == [("duty", 1), ("general", 2)]


def test_after_a_restart_all_that_was_missed_is_told_once() -> None:
    clock = Clock()
    clock.take()
    assert clock.at(2 * DAY) == [("duty", 1), ("general", 2), ("care", 3)]


def test_only_what_the_step_is_for() -> None:
    clock = Clock()
    clock.take(severity="medium")
    assert clock.at(2 * DAY) == [("duty", 1), ("general", 2)]


def test_the_message_says_so() -> None:
    made = message("alert", "a1", 1, ALERT, False, None, 2)
    assert made.subject.startswith("Nobody has taken it yet: [critical]")
    assert made.fields["escalation"] == 2


def at(text: str, zone: str = "Asia/Riyadh") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def shown(ms: int, zone: str = "Asia/Riyadh") -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M")


DAYTIME = Unit(zone="Asia/Riyadh", hours="08:00-16:00", days=["sun", "mon", "tue", "wed", "thu"],
               holidays=["2027-03-10"])  # fmt: skip
NIGHT = Unit(zone="Asia/Riyadh", hours="20:00-04:00")
# On 8 March 2027, in Ramadan, Makkah prays at 05:20, 12:32, 15:55, 18:27 and 20:27; on Friday noon twice as long.
PRAYING = {"latitude": 21.4225, "longitude": 39.8262, "prayer_method": "umm_al_qura", "prayer": "20m"}
DEVOUT, DEVOUT_NIGHT = (msgspec.structs.replace(unit, **PRAYING) for unit in (DAYTIME, NIGHT))
ALWAYS_DEVOUT = Unit(zone="Asia/Riyadh", **PRAYING)


@pytest.mark.parametrize(
    ("unit", "start", "length", "due"),
    [
        (DAYTIME, "2027-03-08 09:00", HOUR, "2027-03-08 10:00"),
        (DAYTIME, "2027-03-08 15:30", HOUR, "2027-03-09 08:30"),
        (DAYTIME, "2027-03-09 15:30", HOUR, "2027-03-11 08:30"),  # a holiday between
        (DAYTIME, "2027-03-11 17:00", HOUR, "2027-03-14 09:00"),  # Friday and Saturday between
        (DAYTIME, "2027-03-08 03:00", 8 * HOUR, "2027-03-08 16:00"),
        (NIGHT, "2027-03-08 02:00", 3 * HOUR, "2027-03-08 21:00"),
        (NIGHT, "2027-03-08 23:00", 2 * HOUR, "2027-03-09 01:00"),
        (Unit(zone="Asia/Riyadh"), "2027-03-08 23:00", 30 * HOUR, "2027-03-10 05:00"),
        (DEVOUT, "2027-03-08 12:00", HOUR, "2027-03-08 13:20"),
        (DEVOUT, "2027-03-08 12:40", HOUR, "2027-03-08 13:52"),  # raised while they pray
        (DEVOUT, "2027-03-08 15:30", HOUR, "2027-03-09 08:35"),  # Asr until they close
        (DEVOUT_NIGHT, "2027-03-08 20:00", HOUR, "2027-03-08 21:20"),
        (ALWAYS_DEVOUT, "2027-02-12 12:00", HOUR, "2027-02-12 13:40"),  # a Friday, noon at 12:35
    ],
)
def test_working_time(unit: Unit, start: str, length: int, due: str) -> None:
    assert shown(worked(at(start), length, unit)) == due


def test_working_time_when_clocks_change() -> None:
    unit = Unit(zone="Europe/Paris", hours="00:00-24:00")
    start = at("2027-03-28 00:30", "Europe/Paris")
    assert worked(start, 5 * HOUR, unit) == start + 5 * HOUR


def test_a_unit_that_never_works_has_the_clock() -> None:
    unit = Unit(holidays=[f"2027-{month:02}-{day:02}" for month in range(1, 13) for day in range(1, 29)], days=["mon"],
                hours="08:00-08:01", zone="UTC")  # fmt: skip
    assert worked(at("2027-03-08 09:00", "UTC"), 40 * DAY, unit) == at("2027-03-08 09:00", "UTC") + 40 * DAY


def test_steps_by_working_time() -> None:
    routes = parse(
        ROUTES.replace('after = "15m"', 'after = "15m"\nworking = true')
        + '\n[units.MAKKAH-01]\nzone = "Asia/Riyadh"\nhours = "08:00-16:00"\n',
        "routes.toml",
    )  # AT is 17:05 there
    (first, *_) = [one for one in steps_of(routes, ALERT, AT) if "duty" in one.targets]
    assert shown(first.due) == "2025-03-04 08:15"


@pytest.mark.parametrize(
    ("was", "now", "says"),
    [
        ('after = "1h"', 'after = "soon"', "no duration"),
        ('to = ["general"]', 'to = ["nobody"]', "no target"),
        ('to = ["general"]', 'to = ["general"]\nseverities = []', "is empty"),
        ("[[routes]]", '[units.X]\nhours = "8-9"\n[[routes]]', "not like"),
        ("[[routes]]", '[units.X]\nholidays = ["Eid"]\n[[routes]]', "no day"),
        ("[[routes]]", '[units.X]\nprayer = "20m"\n[[routes]]', "needs latitude and longitude"),
        ("[[routes]]", '[units.X]\nprayer = "2h"\nlatitude = 21.4\nlongitude = 39.8\n[[routes]]', "an hour at most"),
        ("[[routes]]", "[units.X]\nlatitude = 91\n[[routes]]", "latitude"),
    ],
)
def test_mistakes(was: str, now: str, says: str) -> None:
    with pytest.raises(RoutesError, match=says):
        parse(ROUTES.replace(was, now, 1), "routes.toml")
