"""What the tables must hold, worked out from what the simulator made and knows, one plain pass over each customer.

Nothing here comes from the workers: who did what is known by construction, and the rules of the design are applied to
whole histories, sorted by time. Records (JSON objects, "record" says which):

- customer: customer_id, kind, value, interactions, journeys, first_event_at, last_event_at, open_cases, identifiers
- journey: the columns of the table journeys that do not depend on the text scorer, under the same names; a visit has
  booking_ref null
- case: case_id, customer_id, booking_ref, status, opened_at, first_response_at, resolved_at, reopened_at, contacts
- place: event_id and unit of an event after travel that names no unit: the hotel that it was about
- unfinished: booking_ref and status_now: what journeys of a booking that have a milestone are once the plan is over,
  where further milestones were never reported
- shared: kind, value of an identifier that several customers use, and that therefore connects nobody
- summary, last: how many events, duplicates and bad ones (by reason) the stream holds, and how many of all the above

Times are epoch milliseconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from streams.sources.simulate.block import Block
from streams.sources.simulate.cases import ROLES
from streams.sources.simulate.people import Identifier, Person, strength

MILESTONES = {
    "booking.confirmed": ("booked", "booked_at"),
    "booking.cancelled": ("cancelled", "cancelled_at"),
    "check_in.no_show": ("no_show", "no_show_at"),
    "check_in.completed": ("checked_in", "checked_in_at"),
    "stay.arrived": ("in_stay", "arrived_at"),
    "stay.checked_out": ("completed", "checked_out_at"),
}
"""Touchpoint -> (status, column), in order of rank."""

CHANNELS = ("booking", "check_in", "stay", "post_travel")
INSTRUMENTS = ("nps", "csat", "ces", "stars")
_WIDENING = 30 * 86_400_000
_RANK = {touchpoint: rank for rank, touchpoint in enumerate(MILESTONES)}

Event = dict[str, Any]
Record = dict[str, Any]


def customer_id(identifier: Identifier) -> str:
    """The customer_id of a root identifier."""
    kind, value = identifier
    return value if kind == "customer" else f"{kind}:{value}"


def block_truth(block: Block) -> Iterator[Record]:
    """The records of a block's customers, sorted by customer."""
    histories, names = _histories(block)
    for root in sorted(histories):
        yield from _customer(root, names.get(root, [root]), histories[root])
    for event, unit in zip(block.recorder.events, block.recorder.places, strict=True):
        if event["channel"] == "post_travel" and "unit" not in event and unit is not None:
            yield {"record": "place", "event_id": event["event_id"], "unit": unit}
    for reference, status_now in block.recorder.unfinished.items():
        yield {"record": "unfinished", "booking_ref": reference, "status_now": status_now}
    for kind, value in sorted(block.shared):
        yield {"record": "shared", "kind": kind, "value": value}


def _histories(block: Block) -> tuple[dict[Identifier, list[Event]], dict[Identifier, list[Identifier]]]:
    """Each customer's events, sorted by time, and the identifiers of each person's customers."""
    names: dict[Identifier, list[Identifier]] = {}
    root_of: dict[Identifier, Identifier] = {}
    for person in block.people:
        for component in person.components():
            names[component[0]] = component
            root_of.update((identifier, component[0]) for identifier in component)
    histories: dict[Identifier, list[Event]] = {}
    leads: dict[str, tuple[int, tuple[int, str], Identifier]] = {}
    unnamed: list[Event] = []
    for event, doer in zip(block.recorder.events, block.recorder.doers, strict=True):
        if not event["ids"]:
            unnamed.append(event)
            continue
        root = _root(event, doer, root_of)
        histories.setdefault(root, []).append(event)
        if reference := event.get("booking_ref"):
            strongest = min(strength((one["kind"], one["value"])) for one in event["ids"])
            claim = (event["occurred_at"], strongest, root)
            leads[reference] = min(claim, leads.get(reference, claim))
    for event in unnamed:
        reference = event["booking_ref"]
        root = leads[reference][2] if reference in leads else ("booking_ref", reference)
        histories.setdefault(root, []).append(event)
    for events in histories.values():
        events.sort(key=_time)
    return histories, names


def _root(event: Event, doer: Person | None, root_of: dict[Identifier, Identifier]) -> Identifier:
    ids = [(one["kind"], one["value"]) for one in event["ids"]]
    if doer is None:
        return ids[0]
    return next(root_of[one] for one in ids if one not in doer.shared)


def _time(event: Event) -> tuple[int, str]:
    return event["occurred_at"], event["event_id"]


def _customer(root: Identifier, identifiers: list[Identifier], events: list[Event]) -> Iterator[Record]:
    name = customer_id(root)
    journeys = _journeys(events)
    cases = list(_cases(name, journeys))
    yield {
        "record": "customer",
        "customer_id": name,
        "kind": root[0],
        "value": root[1],
        "interactions": len(events),
        "journeys": len(journeys),
        "first_event_at": events[0]["occurred_at"],
        "last_event_at": events[-1]["occurred_at"],
        "open_cases": sum(case["status"] == "open" for case in cases),
        "identifiers": [{"kind": kind, "value": value} for kind, value in identifiers],
    }
    for reference, history in journeys:
        own = [case for case in cases if case["journey"] is history]
        yield _journey(name, reference, history, own)
    for case in cases:
        del case["journey"]
        yield case


def _journeys(events: list[Event]) -> list[tuple[str | None, list[Event]]]:
    """(booking_ref, events sorted by time) of each journey; None for visits."""
    bookings: dict[str, list[Event]] = {}
    for event in events:
        if reference := event.get("booking_ref"):
            bookings.setdefault(reference, []).append(event)
    spans = sorted(
        (history[0]["occurred_at"], reference, history[-1]["occurred_at"]) for reference, history in bookings.items()
    )
    visits: list[list[Event]] = []
    for event in events:
        if event.get("booking_ref"):
            continue
        at = event["occurred_at"]
        near = [span for span in spans if span[0] - _WIDENING <= at <= span[2] + _WIDENING]
        begun = [span for span in near if span[0] <= at]
        if near:
            # The latest start not after the event, else the earliest; of equal starts the smaller reference.
            start = begun[-1][0] if begun else near[0][0]
            reference = next(span[1] for span in near if span[0] == start)
            bookings[reference].append(event)
        elif visits and at - visits[-1][-1]["occurred_at"] <= _WIDENING:
            visits[-1].append(event)
        else:
            visits.append([event])
    for history in bookings.values():
        history.sort(key=_time)
    return [*bookings.items(), *((None, visit) for visit in visits)]


def _journey(name: str, reference: str | None, events: list[Event], cases: list[Record]) -> Record:
    milestones = [event for event in events if event["touchpoint"] in MILESTONES]
    latest = max(milestones, key=lambda event: (event["occurred_at"], _RANK[event["touchpoint"]]), default=None)
    channels = Counter(event["channel"] for event in events)
    record: Record = {
        "record": "journey",
        "customer_id": name,
        "booking_ref": reference,
        "kind": "booking" if reference else "visit",
        "status": MILESTONES[latest["touchpoint"]][0] if latest else "exploring",
        "started_at": events[0]["occurred_at"],
        "last_event_at": events[-1]["occurred_at"],
    }
    record |= dict.fromkeys((column for _, column in MILESTONES.values()))
    record |= {MILESTONES[event["touchpoint"]][1]: event["occurred_at"] for event in milestones}
    record["interactions"] = len(events)
    record |= {f"{channel}_interactions": channels[channel] for channel in CHANNELS}
    answers = [event["survey"] for event in events if "survey" in event]
    record |= dict.fromkeys(INSTRUMENTS) | {answer["instrument"]: answer["score"] for answer in answers}
    spend: Counter[str] = Counter()
    for event in events:
        if "money" in event:
            spend[event["money"]["currency"]] += event["money"]["amount_minor"]
    record["spend"] = dict(sorted(spend.items()))
    record["cases_opened"] = sum(case["opened_at"] is not None for case in cases)
    record["cases_resolved"] = sum(case["status"] == "resolved" for case in cases)
    return record


def _cases(name: str, journeys: list[tuple[str | None, list[Event]]]) -> Iterator[Record]:
    """The cases of a customer; "journey" is the history of the journey that the case's first event belongs to."""
    found: dict[str, list[tuple[Event, str | None, list[Event]]]] = {}
    for reference, history in journeys:
        for event in history:
            if "case_id" in event and event["touchpoint"] in ROLES:
                found.setdefault(event["case_id"], []).append((event, reference, history))
    for case_id in sorted(found):
        exchange = sorted(found[case_id], key=lambda entry: _time(entry[0]))
        times: dict[str, list[int]] = {}
        for event, _, _ in exchange:
            times.setdefault(ROLES[event["touchpoint"]], []).append(event["occurred_at"])
        last_trouble = max([*times.get("open", ()), *times.get("reopen", ())], default=0)
        resolved = max(times.get("resolve", ()), default=None)
        yield {
            "record": "case",
            "case_id": case_id,
            "customer_id": name,
            "booking_ref": exchange[0][1],
            "status": "resolved" if resolved is not None and resolved >= last_trouble else "open",
            "opened_at": min(times.get("open", ()), default=None),
            "first_response_at": min(times.get("response", ()), default=None),
            "resolved_at": resolved,
            "reopened_at": max(times.get("reopen", ()), default=None),
            "contacts": sum(len(times.get(role, ())) for role in ("open", "contact", "reopen")),
            "journey": exchange[0][2],
        }
