"""One day of a unit: arrivals, guests in house, departures, and which of them need care, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

from streams.model.identifiers import BOOKING_PREFIX
from streams.serve.customer import Document, document, find
from streams.serve.store import Transaction, digest, unpack

LOOK_BACK = 60
"""Nights: earlier arrivals are not searched."""
SHOWN = 200
"""Most lines of each list; guests who need care come first."""
GONE = frozenset(("cancelled", "no_show"))
CARES = (
    "bereavement",
    "critical_alert",
    "open_alert",
    "refund_pending",
    "open_case",
    "last_contact_negative",
    "negative_profile",
)
"""Reasons why a guest needs care, the gravest first."""


def day_of(view: Transaction, unit: str, day: date) -> Document:
    """Arrivals, guests in house and departures of a unit, with the number of each and of those who need care."""
    lists: dict[str, list[Document]] = {"arrivals": [], "in_house": [], "departures": []}
    for arrival, reference in _bookings(view, unit, day):
        stored = view.get(b"b" + digest(reference))
        plan = {} if stored is None else {name: value[0] for name, value in unpack(stored).items() if name in _SHOWN}
        for customer_id in find(view, BOOKING_PREFIX + reference):
            told = document(view, customer_id)
            if told is None:
                continue
            line = _line(reference, plan, told)
            where = _where(arrival, plan.get("nights"), line["status"], day)
            if where is not None:
                lists[where].append(line)
    for lines in lists.values():
        lines.sort(key=_order)
    return {
        "unit": unit,
        "day": day.isoformat(),
        "counts": {name: len(lines) for name, lines in lists.items()},
        "cares": {name: sum(bool(one["cares"]) for one in lines) for name, lines in lists.items()},
        **{name: lines[:SHOWN] for name, lines in lists.items()},
    }


def latest_day(view: Transaction, unit: str, day: date) -> date | None:
    """The latest day before `day` with an arrival at a unit; if there is none, the first after it."""
    later = None
    for back in (LOOK_BACK, 20 * LOOK_BACK, None):
        since = b"" if back is None else (day - timedelta(days=back)).isoformat().encode()
        before = None
        for arrival, _ in _arrivals(view, unit, since):
            if arrival >= day:
                later = arrival if later is None else min(later, arrival)
                break
            before = arrival
        if before is not None:
            return before
    return later


_SHOWN = ("arrival_date", "nights", "party_size", "room", "room_type", "package")


def _bookings(view: Transaction, unit: str, day: date) -> Iterator[tuple[date, str]]:
    for arrival, reference in _arrivals(view, unit, (day - timedelta(days=LOOK_BACK)).isoformat().encode()):
        if arrival > day:
            return
        yield arrival, reference


def _arrivals(view: Transaction, unit: str, since: bytes) -> Iterator[tuple[date, str]]:
    """Arrivals at a unit from a day on, in order: the day, and the booking."""
    prefix = b"d" + digest(unit)
    for key, value in view.scan(prefix, since):
        try:
            arrival = date.fromisoformat(key[len(prefix) : len(prefix) + 10].decode())
        except ValueError:
            continue  # a source's date of another form
        yield arrival, value.decode()


def _where(arrival: date, nights: int | None, status: str | None, day: date) -> str | None:
    """The list of a day to which a stay belongs; None: none of them."""
    if status in GONE:
        return None
    if arrival == day:
        return "arrivals"
    if nights is None:  # the departure is not known, so the last contact counts
        return "in_house" if status in ("checked_in", "in_stay") else None
    leaves = arrival + timedelta(days=min(max(nights, 0), 10 * LOOK_BACK))
    if leaves == day:
        return "departures"
    return "in_house" if leaves > day and status != "completed" else None


def _line(reference: str, plan: Mapping[str, Any], told: Document) -> Document:
    journey = next(
        (one for one in (*told["open_journeys"], *told["past_journeys"]) if one["booking_ref"] == reference), None
    )
    cares = set(told["cautions"])
    if told["open_alerts"]:
        cares.add("open_alert")
    if told["profile"]["name"] == "negative":
        cares.add("negative_profile")
    return {
        "booking_ref": reference,
        "customer_id": told["customer_id"],
        "plan": dict(plan),
        "status": None if journey is None else journey["status"],
        "profile": told["profile"]["name"],
        "trend": told["profile"]["trend"],
        "cares": [word for word in CARES if word in cares],
    }


def _order(one: Document) -> tuple[int, int, str]:
    first = min((CARES.index(word) for word in one["cares"]), default=len(CARES))
    return first, -len(one["cares"]), one["booking_ref"]
