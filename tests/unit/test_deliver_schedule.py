"""Reports and breaches by the routes: when each is due, once, caught up, and made anew after an erasure."""

from __future__ import annotations

import asyncio
import zlib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from streams.deliver import routes, state
from streams.deliver.courier import Held
from streams.deliver.mail import written
from streams.deliver.maker import Breach, Maker
from streams.deliver.message import message
from streams.deliver.model import Email, Report
from streams.deliver.schedule import Slot, period_of, slots_of, version_of
from streams.deliver.scheduled import Made, Scheduled, check, taken
from streams.deliver.state import Entry, Place
from streams.report.period import Period, ended

FILE = """
[targets.duty]
type = "log"

[targets.care]
type = "log"

[units.MAKKAH-01]
zone = "Asia/Riyadh"
language = "ar"

[units.SURABAYA-02]
zone = "Asia/Jakarta"
language = "id"

[[reports]]
name = "week"
period = "week"
units = ["MAKKAH-01", "SURABAYA-02"]
to = ["duty", "care"]

[[reports]]
name = "all"
period = "month"
at = "06:30"
to = ["care"]
identifiers = true

[[routes]]
to = ["care"]
kinds = ["breach"]
"""
ALL = frozenset(range(4))


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def book(text: str, tmp_path: Path) -> routes.Book:
    (tmp_path / "routes.toml").write_text(text)
    return routes.load(str(tmp_path / "routes.toml"))


@pytest.mark.parametrize(
    ("kind", "day", "since", "until"),
    [
        ("day", "2026-03-01", "2026-02-28", "2026-03-01"),
        ("week", "2026-03-02", "2026-02-23", "2026-03-02"),  # a Monday
        ("week", "2026-03-08", "2026-02-23", "2026-03-02"),
        ("month", "2026-03-01", "2026-02-01", "2026-03-01"),
        ("month", "2026-01-31", "2025-12-01", "2026-01-01"),
        ("quarter", "2026-02-11", "2025-10-01", "2026-01-01"),
        ("quarter", "2026-10-01", "2026-07-01", "2026-10-01"),
        ("year", "2026-01-01", "2025-01-01", "2026-01-01"),
    ],
)
def test_the_period_that_has_ended(kind: Any, day: str, since: str, until: str) -> None:
    found = ended(kind, date.fromisoformat(day))
    assert found == Period(date.fromisoformat(since), date.fromisoformat(until))
    assert ended(kind, found.since).until == found.since
    assert period_of(kind, version_of(found)) == found


@pytest.mark.parametrize(
    ("zone", "at", "now", "until"),
    [
        ("Asia/Riyadh", "07:00", "2026-03-02T03:59:59", "2026-02-23"),
        ("Asia/Riyadh", "07:00", "2026-03-02T04:00:00", "2026-03-02"),
        ("America/New_York", "07:00", "2026-03-02T11:59:59", "2026-02-23"),
        ("America/New_York", "07:00", "2026-03-02T12:00:00", "2026-03-02"),
        ("America/New_York", "07:00", "2026-03-09T11:00:00", "2026-03-09"),  # summer time began the day before
        ("Pacific/Kiritimati", "07:00", "2026-03-01T23:59:59", "2026-02-23"),  # its clock says Monday, 13:59
        ("Pacific/Kiritimati", "07:00", "2026-03-02T00:00:00", "2026-03-02"),
        ("Africa/Casablanca", "07:00", "2026-09-28T07:00:00", "2026-09-28"),  # +00 since 20 September (tzdata)
        ("Africa/Casablanca", "07:00", "2026-09-28T06:59:59", "2026-09-21"),
    ],
)
def test_due_by_the_clock_of_the_unit(zone: str, at: str, now: str, until: str) -> None:
    slot = Slot(Report(name="w", period="week", to=["x"], at=at), "U", zone, "en")
    assert slot.latest(ms(now)).until == date.fromisoformat(until)


def test_slots_and_their_languages(tmp_path: Path) -> None:
    found = [(one.id, one.zone, one.language) for one in slots_of(book(FILE, tmp_path).routes)]
    assert found == [
        ("week/MAKKAH-01", "Asia/Riyadh", "ar"),
        ("week/SURABAYA-02", "Asia/Jakarta", "en"),
        ("all/", "UTC", "en"),
    ]


class FakeMaker(Maker):
    """Stands in for ClickHouse."""

    def __init__(self) -> None:
        self.reports: list[tuple[str, str]] = []
        self.missed: list[Breach] = []
        self.has: dict[str, dict[str, int]] = {}
        self.away = False

    def known(self, kind: str, ids: Any) -> dict[str, dict[str, int]]:
        if self.away:
            raise OSError("no answer")
        return {id_: self.has[id_] for id_ in ids if id_ in self.has}

    def report(self, slot: Slot, period: Period, now: int) -> dict[str, Any]:
        if self.away:
            raise OSError("no answer")
        self.reports.append((slot.id, str(period.until)))
        return thing(slot.id, period, now)

    def breaches(self, now: int) -> list[Breach]:
        if self.away:
            raise OSError("no answer")
        return self.missed


def thing(id_: str, period: Period, now: int) -> dict[str, Any]:
    return {
        "report_id": id_, "report": "week", "period": "week", "unit": "MAKKAH-01", "language": "en",
        "since": str(period.since), "last": "2026-03-01", "title": "How it went", "summary": "12 contacts.",
        "customer_id": "", "made_at": now, "document": zlib.compress(b"<html>%d" % now),
        "file": ("r.html", "text/html"),
    }  # fmt: skip


class Clockwork:
    """Deliver's side: states, and a clock that the test sets."""

    def __init__(self, tmp_path: Path, text: str = FILE) -> None:
        self.routes, self.maker, self.now = book(text, tmp_path).routes, FakeMaker(), 0
        self.states: dict[Place, bytes] = {}
        self.start()

    def start(self) -> None:
        """As after a crash: only the states are left."""
        self.scheduled = Scheduled(self.routes, self.maker, 4, lambda: self.now)

    def entry(self, partition: int, key: bytes) -> Entry | None:
        data = self.states.get((partition, key))
        return None if data is None else state.decode(data)

    def make(self, now: str, held: frozenset[int] = ALL) -> list[Made]:
        """What is made at a time; it is not in the states yet."""
        self.now = ms(now)
        return asyncio.run(self.scheduled.made(self.scheduled.wanted(held, self.entry), held))

    def run(self, now: str, held: frozenset[int] = ALL) -> list[tuple[str, int, str]]:
        """The deliveries that come of it: thing, version, target."""
        found = []
        for one in self.make(now, held):
            before = self.entry(*one.place)
            old = set() if before is None else {(each.target, each.version) for each in before.deliveries}
            entry = taken(self.routes, before, one, self.now)
            if entry is not None:
                self.states[one.place] = state.encode(entry)
                fresh = [each for each in entry.deliveries if (each.target, each.version) not in old]
                found += [(entry.id, each.version, each.target) for each in fresh]
        return sorted(found)


FIRST = [
    ("all/", 20260301, "care"),
    ("week/MAKKAH-01", 20260302, "care"),
    ("week/MAKKAH-01", 20260302, "duty"),
    ("week/SURABAYA-02", 20260302, "care"),
    ("week/SURABAYA-02", 20260302, "duty"),
]


def test_once_a_period_and_target_over_restarts_and_moves(tmp_path: Path) -> None:
    clock = Clockwork(tmp_path)
    assert clock.run("2026-03-05T12:00:00") == FIRST
    assert clock.run("2026-03-05T12:00:01") == []
    clock.start()
    assert clock.run("2026-03-09T03:59:59") == [
        ("week/SURABAYA-02", 20260309, "care"),
        ("week/SURABAYA-02", 20260309, "duty"),
    ]
    assert {one[0] for one in clock.run("2026-03-09T04:00:00")} == {"week/MAKKAH-01"}
    clock.start()
    assert clock.run("2026-03-09T05:00:00") == []
    assert len(clock.maker.reports) == 5


def test_after_a_long_downtime_one_and_not_many(tmp_path: Path) -> None:
    clock = Clockwork(tmp_path)
    clock.run("2026-03-05T12:00:00")
    clock.start()
    found = clock.run("2026-07-23T12:00:00")
    assert [one for one in found if one[2] == "care"] == [
        ("all/", 20260701, "care"),
        ("week/MAKKAH-01", 20260720, "care"),
        ("week/SURABAYA-02", 20260720, "care"),
    ]


def test_killed_between_making_and_storing_it_is_made_again(tmp_path: Path) -> None:
    clock = Clockwork(tmp_path)
    assert len(clock.make("2026-03-05T12:00:00")) == 3
    clock.start()
    assert clock.run("2026-03-05T12:00:02") == FIRST


def test_two_workers_share_them_by_partition(tmp_path: Path) -> None:
    clock = Clockwork(tmp_path)
    some, others = frozenset({0, 1}), frozenset({2, 3})
    first, second = clock.run("2026-03-05T12:00:00", some), clock.run("2026-03-05T12:00:00", others)
    assert sorted(first + second) == FIRST


def test_with_clickhouse_away_it_waits(tmp_path: Path) -> None:
    clock = Clockwork(tmp_path)
    clock.maker.away = True
    assert clock.run("2026-03-05T12:00:00") == []
    clock.maker.away = False
    assert clock.run("2026-03-05T12:00:29") == []
    assert clock.run("2026-03-05T12:00:30") == FIRST


def test_a_broker_that_forgets_is_reminded_by_the_deliveries(tmp_path: Path) -> None:
    clock = Clockwork(tmp_path)
    clock.maker.has = {"week/MAKKAH-01": {"duty": 20260302, "care": 20260302}, "week/SURABAYA-02": {"duty": 20260302}}
    assert clock.run("2026-03-05T12:00:00") == [FIRST[0], FIRST[3]]
    assert ("week/MAKKAH-01", "2026-03-02") not in clock.maker.reports
    assert clock.run("2026-03-05T12:00:05") == []


def test_after_an_erasure_what_waits_is_made_anew_under_its_key(tmp_path: Path) -> None:
    clock = Clockwork(tmp_path)
    clock.run("2026-03-05T12:00:00")
    place = next(place for place in clock.states if b"MAKKAH" in place[1])
    entry = clock.entry(*place)
    assert entry is not None
    assert entry.blank(clock.now)
    clock.states[place] = state.encode(entry)
    with pytest.raises(Held):
        check(entry.things[20260302], clock.now)
    clock.scheduled.anew()
    assert clock.run("2026-03-05T13:00:00") == []
    entry = clock.entry(*place)
    assert entry is not None
    check(entry.things[20260302], clock.now)
    assert zlib.decompress(entry.things[20260302]["document"]) == b"<html>%d" % clock.now
    assert [one.version for one in entry.unsent()] == [20260302, 20260302]


BREACH = {
    "breach_id": "b" * 32, "metric": "nps", "unit": "MAKKAH-01", "period": "week", "starts": "2026-03-02",
    "wanted": 40.0, "actual": 12.0, "low": 3.0, "high": 21.0, "n": 61, "reason": "nps of MAKKAH-01 is 12",
    "customer_id": "", "observed_at": ms("2026-03-05T12:00:00"),
}  # fmt: skip


def test_a_breach_is_told_once_by_the_routes(tmp_path: Path) -> None:
    clock = Clockwork(tmp_path, FILE[: FILE.index("[[reports]]")] + FILE[FILE.index("[[routes]]") :])
    clock.maker.missed = [Breach(BREACH["breach_id"], BREACH, {})]
    assert clock.run("2026-03-05T12:00:00") == [("b" * 32, 1, "care")]
    assert clock.run("2026-03-05T12:59:59") == []
    clock.maker.missed = [*clock.maker.missed, Breach("c" * 32, {**BREACH, "breach_id": "c" * 32}, {"care": 1})]
    assert clock.run("2026-03-05T13:00:00") == [], "one is told, and the other was, says ClickHouse"
    told = message("breach", "b" * 32, 1, BREACH, False)
    assert told.key == f"breach.{'b' * 32}.1"
    assert told.body["type"] == "breach.observed"
    assert told.subject == "Target missed at MAKKAH-01: nps is 12, wanted was 40"


def test_a_route_of_breaches_by_unit_and_hours(tmp_path: Path) -> None:
    only = '[targets.care]\ntype = "log"\n[[routes]]\nto = ["care"]\nkinds = ["breach"]\n'
    clock = Clockwork(tmp_path, only + 'units = ["JED-*"]\n')
    clock.maker.missed = [Breach(BREACH["breach_id"], BREACH, {})]
    assert clock.run("2026-03-05T12:00:00") == []
    clock = Clockwork(tmp_path, only + 'units = ["MAKKAH-*"]\nhours = "08:00-10:00"\n')
    clock.maker.missed = [Breach(BREACH["breach_id"], BREACH, {})]
    assert clock.run("2026-03-05T07:00:00") == []
    assert clock.run("2026-03-05T08:00:00") == [("b" * 32, 1, "care")], "when they may be told"


def test_the_mail_and_the_webhook_have_the_document() -> None:
    told = message(
        "report", "week/MAKKAH-01", 20260302, thing("week/MAKKAH-01", ended("week", date(2026, 3, 4)), 5), False
    )
    target = Email(host="smtp.example.com", sender="rihla@example.com", to=["a@example.com"])
    mail = written(target, told)
    (file,) = mail.iter_attachments()
    assert (file.get_filename(), file.get_content_type(), file.get_content()) == ("r.html", "text/html", "<html>5")
    assert mail["Subject"] == "How it went (2026-02-23 – 2026-03-01)"
    data = told.body["data"]
    assert told.body["type"] == "report.made"
    assert data["document"] == {"name": "r.html", "type": "text/html", "base64": "PGh0bWw+NQ=="}
    assert "MAKKAH" not in told.key
    assert (data["report"], data["since"], data["summary"]) == ("week", "2026-02-23", "12 contacts.")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('at = "06:30"', 'at = "6:30"', "no time like 07:00"),
        ('name = "all"', 'name = "week"', "there twice"),
        ('to = ["duty", "care"]', 'to = ["dusk"]', "is no target"),
        ('"SURABAYA-02"]', '"SUR*"]', "name each"),
        ('period = "week"', 'period = "fortnight"', "fortnight"),
        ('language = "id"', 'language = "id"\n[breaches]\nevery = "often"', "no duration"),
    ],
)
def test_mistakes(old: str, new: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(routes.RoutesError, match=says):
        book(FILE.replace(old, new, 1), tmp_path)
