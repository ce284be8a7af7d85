"""Customer 360: the answer to "who is calling?", assembled from the view. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Any

from streams.alerts.next_actions import of_record, proposed
from streams.alerts.signals import Answer
from streams.alerts.work import Work, made_of
from streams.model.actions import Actions
from streams.model.identifiers import BOOKING_PREFIX, KINDS, booking_subject
from streams.model.whose import owner_of
from streams.serve import statements
from streams.serve.store import Transaction, digest, unpack
from streams.serve.view import customer_of, name_of, spelling, unit_key

CONTACTS = 20
JOURNEYS = 20
"""Most entries of a list, latest first."""
EARLIEST, LATEST = -62_135_596_800_000, 253_402_300_799_999
"""Epoch ms of the first and the last moment that ISO 8601 can express (years 1 to 9999)."""
GROUPS = 5
"""Most times of membership, the latest first."""
MOURNING_MS = 365 * 86_400_000
"""For how long a bereavement is to be had in mind."""
FOUND = 20
"""Most results of a search."""
MEMBERS = 1000
"""Most identifiers of a customer that are read; more than any person has."""

OVER = frozenset(("completed", "cancelled", "no_show"))
NEXT_MILESTONE: Mapping[str, str] = {
    "exploring": "booking.confirmed",
    "booked": "check_in.completed",
    "checked_in": "stay.arrived",
    "in_stay": "stay.checked_out",
}
"""Status of a journey that is not over: the milestone that comes next."""
GRAVITY = {name: rank for rank, name in enumerate(("critical", "high", "medium", "low"))}
TREND = 0.15
"""Least difference between the sentiments of 7 and 90 days that counts as a trend."""

Document = dict[str, Any]


def find(view: Transaction, identifier: str) -> list[str]:
    """The customers that an identifier stands for, without duplicates.

    identifier: a customer_id, `kind:value`, a value of any known kind, or a booking reference.
    """
    found: dict[str, None] = {}
    for name in (identifier, *(f"{kind}:{identifier}" for kind in KINDS), booking_subject(identifier)):
        stored = view.get(b"i" + digest(name))
        owner = customer_of(name) if stored is None else unpack(stored)["customer_id"]
        if _row(view, owner) is not None:
            found[owner] = None
    reference = identifier.removeprefix(BOOKING_PREFIX)
    for _, value in view.scan(b"r" + digest(reference)):
        found[value.decode()] = None
    return list(found)


def search(view: Transaction, text: str) -> list[Document]:
    """Identifiers and booking references that begin with a text, and their customers."""
    begins = spelling(text)
    if not begins:
        return []
    found: dict[tuple[str, str], Document] = {}
    for _, value in islice(view.scan(b"q" + begins), 10 * FOUND):
        name = value.decode()
        kind, _, shown = name.partition(":")
        for customer_id in find(view, name):
            found[name, customer_id] = {"kind": kind, "value": shown, "customer_id": customer_id}
        if len(found) >= FOUND:
            break
    return list(found.values())[:FOUND]


def document(view: Transaction, customer_id: str) -> Document | None:
    """Everything that staff should know about a customer; None if there is no such customer."""
    row = _row(view, customer_id)
    if row is None:
        return None
    names = members(view, row)
    journeys = sorted(_rows(view, b"j", customer_id), key=lambda one: one["last_event_at"], reverse=True)
    cases = [one for one in _rows(view, b"k", customer_id) if one["status"] == "open"]
    alerts = [one for one in _alerts(view, names) if one["closed_at"] is None]
    every = list(_contacts(view, names))
    contacts = heapq.nlargest(CONTACTS, every, key=lambda one: (one["occurred_at"], one["event_id"]))
    lowest = min((one for one in contacts if "score" in one), key=lambda one: one["score"], default=None)
    said = statements.corrected(view, names, iso)
    return {
        "customer_id": customer_id,
        "identifiers": [{"kind": kind, "value": value} for kind, _, value in (name.partition(":") for name in names)],
        "profile": {
            "name": row["profile"],
            "sentiment_7d": row["sentiment_7d"],
            "sentiment_30d": row["sentiment_30d"],
            "sentiment_90d": row["sentiment_90d"],
            "evidence": row["evidence"],
            "trend": _trend(row),
            "at": iso(row["last_event_at"]),
        },
        "interactions": row["interactions"],
        "first_event_at": iso(row["first_event_at"]),
        "last_event_at": iso(row["last_event_at"]),
        "open_journeys": [_journey(view, one) for one in journeys if one["status"] not in OVER][:JOURNEYS],
        "past_journeys": [_journey(view, one) for one in journeys if one["status"] in OVER][:JOURNEYS],
        "open_cases": [
            _case(one, handled(view, names, one)) for one in sorted(cases, key=lambda one: one["opened_at"] or 0)
        ],
        "open_alerts": [alert(one) for one in sorted(alerts, key=gravity)],
        "last_contacts": [_contact(one, said) for one in contacts],
        "lowest_point": None if lowest is None else _contact(lowest, said),
        "preferences": [
            {**one, "last_at": iso(one["last_at"])} if "last_at" in one else one for one in row["preferences"]
        ],
        "consent": [_consent(one) for one in row["consents"]],
        "groups": statements.memberships(view, names, iso)[:GROUPS],
        "cautions": list(_cautions(cases, alerts, contacts, _mourns(row, every))),
    }


def to_do(view: Transaction, customer_id: str, model: Actions, now: int) -> list[Document]:
    """What to do for a customer next, the most urgent first; nothing where there is no such customer.

    model: what it says of actions. now: epoch ms.
    """
    stored = view.get(b"f" + digest(customer_id))
    if stored is None or _row(view, customer_id) is None:
        return []
    return [one._asdict() for one in proposed(of_record(unpack(stored)["actions"]), model, now)]


def unit_day(view: Transaction, unit: str, day: str) -> Document:
    """Arrivals at a unit on a day (ISO 8601), each with its journey and customer: for the morning meeting."""
    arrivals = []
    for _, value in view.scan(b"d" + digest(unit) + day.encode()):
        reference = value.decode()
        plan = unpack(view.get(b"b" + digest(reference)) or b"\x80")
        said = {name: value[0] for name, value in plan.items() if name != "booking_ref"}
        for customer_id in find(view, BOOKING_PREFIX + reference):
            found = document(view, customer_id)
            if found is not None:
                mine = [*found["open_journeys"], *found["past_journeys"]]
                journey = next((one for one in mine if one["booking_ref"] == reference), None)
                cares = bool(found["open_cases"] or found["open_alerts"]) or found["profile"]["name"] == "negative"
                arrivals.append(
                    {
                        "booking_ref": reference,
                        "plan": said,
                        "status": None if journey is None else journey["status"],
                        "needs_care": cares,
                        "customer": found,
                    }
                )
    arrivals.sort(key=lambda one: (not one["needs_care"], one["booking_ref"]))
    return {"unit": unit, "day": day, "arrivals": arrivals}


def open_alerts(view: Transaction, units: Iterable[str] | None, limit: int) -> list[Document]:
    """Open alerts, the gravest first, then the oldest; of all units if none is named."""
    prefixes = [b"o"] if units is None else [b"o" + unit_key(unit) for unit in units]
    keys = chain.from_iterable(map(view.scan, prefixes))
    found = []
    for _, value in keys:
        customer_id, alert_id = unpack(value)
        if (stored := view.get(b"a" + digest(customer_id) + digest(alert_id))) is not None:
            found.append(unpack(stored))
    return [alert(one) for one in heapq.nsmallest(limit, found, key=gravity)]


def members(view: Transaction, customer: Mapping[str, Any]) -> list[str]:
    """The identifiers of a customer, the one that it is named after first."""
    own = name_of(customer)
    others = (value.decode() for _, value in view.scan(b"m" + digest(customer["customer_id"])))
    return [own, *(name for name in islice(others, MEMBERS) if name != own)]


def gravity(one: Mapping[str, Any]) -> tuple[int, int, str]:
    """Sort key of alerts: the gravest first, then the oldest."""
    return GRAVITY.get(one["severity"], len(GRAVITY)), one["occurred_at"], one["alert_id"]


def alert(row: Mapping[str, Any]) -> Document:
    """An alert as the API shows it."""
    shown = ("alert_id", "rule", "severity", "customer_id", "journey_id", "unit", "reason")
    times = ("occurred_at", "raised_at", "acknowledged_at", "closed_at")
    told = {name: row[name] for name in shown} | {name: iso(row[name]) for name in times}
    # Older rows lack these fields.
    told |= {name: row.get(name) for name in ("case_id", "touchpoint", "handler", "unit_basis")}
    told |= {"owner": owner_of(row)}
    return told | {"snoozed_until": iso(row.get("snoozed_until"))}


def _row(view: Transaction, customer_id: str) -> dict[str, Any] | None:
    stored = view.get(b"c" + digest(customer_id))
    row: dict[str, Any] | None = None if stored is None else unpack(stored)
    return None if row is None or row["withdrawn"] else row


def _rows(view: Transaction, table: bytes, customer_id: str) -> Iterator[dict[str, Any]]:
    for _, value in view.scan(table + digest(customer_id)):
        row = unpack(value)
        if not row["withdrawn"]:
            yield row


def _alerts(view: Transaction, names: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Alerts that were raised under any customer_id that the customer has had."""
    for name in names:
        for _, value in view.scan(b"a" + digest(customer_of(name))):
            yield unpack(value)


def _contacts(view: Transaction, names: Iterable[str]) -> Iterator[dict[str, Any]]:
    for name in names:
        if (stored := view.get(b"s" + digest(name))) is not None:
            yield from unpack(stored)


def _journey(view: Transaction, row: Mapping[str, Any]) -> Document:
    return {
        "journey_id": row["journey_id"],
        "booking_ref": row["booking_ref"],
        "status": row["status"],
        "next_milestone": NEXT_MILESTONE.get(row["status"]),
        "started_at": iso(row["started_at"]),
        "last_event_at": iso(row["last_event_at"]),
        "interactions": row["interactions"],
        "lowest_score": row["lowest_score"],
        "lowest_touchpoint": row["lowest_touchpoint"],
        "nps": row["nps"],
        "plan": _plan(view, row),
    }


def _plan(view: Transaction, journey: Mapping[str, Any]) -> Document:
    """The plan of a journey's booking: field -> value."""
    reference = journey["booking_ref"]
    stored = None if reference is None else view.get(b"b" + digest(reference))
    plan = {} if stored is None else unpack(stored)
    return {name: value[0] for name, value in plan.items() if name != "booking_ref"}


def handled(view: Transaction, names: Iterable[str], case: Mapping[str, Any]) -> Work:
    """The work that people have done on a case of a customer. names: the customer's identifiers."""
    told: list[list[Any]] = []
    for name in names:
        if (stored := view.get(b"h" + digest(name) + digest(case["case_id"]))) is not None:
            told += unpack(stored)
    answers = [
        Answer(at, b"", touchpoint, who=who, until=until) for at, _, touchpoint, who, until in sorted(told, key=_when)
    ]
    return made_of(answers, case["reopened_at"] or case["opened_at"] or 0)


def _when(told: Sequence[Any]) -> tuple[int, str]:
    return told[0], told[1]


def _case(row: Mapping[str, Any], work: Work) -> Document:
    shown = {name: row[name] for name in ("case_id", "touchpoint", "unit", "journey_id", "contacts")}
    shown |= {"owner": owner_of(row)}
    times = {name: iso(row[name]) for name in ("opened_at", "reopened_at", "first_response_at")}
    return shown | times | {"handler": work.handler, "snoozed_until": iso(work.snoozed_until)}


def contact_of(view: Transaction, customer_id: str, event_id: str) -> dict[str, Any] | None:
    """One of the last contacts of a customer, as it is stored; None if it is not there."""
    row = _row(view, customer_id)
    found = () if row is None else _contacts(view, members(view, row))
    return next((one for one in found if one["event_id"] == event_id), None)


def _contact(row: Mapping[str, Any], corrections: Mapping[str, Document]) -> Document:
    told = {**row, "occurred_at": iso(row["occurred_at"])}
    said = corrections.get(row["event_id"].lower()) if "text" in row else None
    return told if said is None else {**told, "corrected": said}


def _consent(held: Mapping[str, Any]) -> Document:
    """What holds of a purpose and a channel."""
    shown = {name: held[name] for name in ("purpose", "channel", "given")}
    return shown | {"source": held["source"] or None, "at": iso(held["since"])}


def _trend(row: Mapping[str, Any]) -> str | None:
    """The trend of the sentiment; None if nothing was expressed."""
    short, long = row["sentiment_7d"], row["sentiment_90d"]
    if short is None or long is None:
        return None
    return "improving" if short - long > TREND else "declining" if long - short > TREND else "steady"


def _mourns(row: Mapping[str, Any], contacts: Iterable[Mapping[str, Any]]) -> bool:
    told = (one["occurred_at"] for one in contacts if one["touchpoint"].endswith(".bereavement_told"))
    return any(row["last_event_at"] - at <= MOURNING_MS for at in told)


def _cautions(
    cases: Iterable[Mapping[str, Any]], alerts: Iterable[Mapping[str, Any]], contacts: Iterable[Any], mourns: bool
) -> Iterator[str]:
    """Points to keep in mind before speaking to the customer, from a closed list of words."""
    cases = list(cases)
    if mourns:
        yield "bereavement"
    if cases:
        yield "open_case"
    if any("refund" in one["touchpoint"] for one in cases):
        yield "refund_pending"
    if any(one["severity"] == "critical" for one in alerts):
        yield "critical_alert"
    last = next((one for one in contacts if "score" in one), None)
    if last is not None and last["score"] < 0:
        yield "last_contact_negative"


def iso(at: int | None) -> str | None:
    """Epoch milliseconds in ISO 8601; None for a time outside of the calendar as well, so that the rest is still
    shown."""
    if at is None or not EARLIEST <= at <= LATEST:
        return None
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
