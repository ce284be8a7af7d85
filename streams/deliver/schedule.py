"""When a report of the routes is due, and of which period it is. Pure: it is given the time."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from streams.deliver.model import Report, Routes
from streams.kafka.partitioner import partitions_of
from streams.model import zones
from streams.report.parts import LANGUAGES
from streams.report.period import Kind, Period, ended

KIND = "report"


class Slot(NamedTuple):
    """A report of one unit, or of all (empty), again and again. zone: whose clock says when."""

    report: Report
    unit: str
    zone: str
    language: str

    @property
    def id(self) -> str:
        """Its id among reports: the same for all its periods."""
        return f"{self.report.name}/{self.unit}"

    def partition(self, partitions: int) -> int:
        """That of its state: the one in which a request to send it again is."""
        return partitions_of([self.id.encode()], partitions)[0]

    def due_at(self, period: Period) -> int:
        """When the report of a period is due, epoch ms: at the unit's time of the first day after it, and not before
        its last day, which is UTC's, has ended."""
        hour, minute = map(int, self.report.at.split(":"))
        local = datetime.combine(period.until, time(hour, minute), zones.zone(self.zone))
        ends = datetime.combine(period.until, time(), UTC)
        return round(max(local, ends).timestamp() * 1000)

    def latest(self, now: int) -> Period:
        """The latest period whose report is due. now: epoch ms."""
        day = datetime.fromtimestamp(now / 1000, UTC).date() + timedelta(days=2)  # no zone is further ahead
        while self.due_at(period := ended(self.report.period, day)) > now:
            day = period.since
        return period


def slots_of(routes: Routes) -> list[Slot]:
    """All that the routes schedule."""
    found = []
    for one in routes.reports:
        for name in one.units or [""]:
            unit = routes.units.get(name)
            spoken = None if unit is None else unit.language
            language = one.language or (spoken if spoken in LANGUAGES else "en") or "en"
            found.append(Slot(one, name, (unit.zone if unit else None) or "UTC", language))
    return found


def version_of(period: Period) -> int:
    """The version of a report: a later period has a higher one, and each attempt at one has the same."""
    return int(period.until.strftime("%Y%m%d"))


def period_of(kind: Kind, version: int) -> Period:
    """The period of a version."""
    return ended(kind, date(version // 10_000, version // 100 % 100, version % 100))
