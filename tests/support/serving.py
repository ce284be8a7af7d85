"""Rows of the topics that the view of `streams.serve` is made of, with what a test does not name filled in."""

from __future__ import annotations

from typing import Any

DAY = 86_400_000
NOON = 1_772_366_400_000  # 2026-03-01T12:00Z


def identity(name: str, customer_id: str, version: int = 1) -> dict[str, Any]:
    """Whose an identifier is."""
    kind, _, value = name.partition(":")
    root = customer_id if ":" in customer_id else f"customer:{customer_id}"
    return {
        "kind": kind,
        "value": value,
        "root": root,
        "customer_id": customer_id,
        "shared": False,
        "version": version,
    }


def customer(customer_id: str, version: int = 1, **said: Any) -> dict[str, Any]:
    """The state of a customer."""
    kind, _, value = (customer_id if ":" in customer_id else f"customer:{customer_id}").partition(":")
    row: dict[str, Any] = {"customer_id": customer_id, "kind": kind, "value": value, "profile": "non_committal"}
    row |= {"sentiment_7d": None, "sentiment_30d": None, "sentiment_90d": None, "evidence": 0.0, "interactions": 1}
    row |= {"journeys": 1, "first_event_at": NOON, "last_event_at": NOON, "open_cases": 0, "duplicates": 0}
    return row | {"preferences": [], "consents": [], "version": version, "withdrawn": False} | said


def journey(customer_id: str, booking_ref: str | None, version: int = 1, **said: Any) -> dict[str, Any]:
    """The state of a journey."""
    row: dict[str, Any] = {"journey_id": f"{customer_id}/{booking_ref}", "customer_id": customer_id}
    row |= {"booking_ref": booking_ref, "kind": "booking", "status": "booked", "started_at": NOON}
    row |= {"last_event_at": NOON, "interactions": 1, "lowest_score": None, "lowest_touchpoint": None, "nps": None}
    row |= {"booked_at": NOON, "checked_in_at": None, "arrived_at": None, "checked_out_at": None, "spend": []}
    return row | {"version": version, "withdrawn": False} | said


def case(customer_id: str, case_id: str, version: int = 1, **said: Any) -> dict[str, Any]:
    """The state of a case."""
    row: dict[str, Any] = {"case_id": case_id, "customer_id": customer_id, "journey_id": None, "status": "open"}
    row |= {"touchpoint": "case.opened", "unit": None, "opened_at": NOON, "first_response_at": None}
    row |= {"resolved_at": None, "reopened_at": None, "contacts": 1}
    return row | {"version": version, "withdrawn": False} | said


def alert(customer_id: str, alert_id: str, version: int = 1, **said: Any) -> dict[str, Any]:
    """The state of an alert."""
    row: dict[str, Any] = {"alert_id": alert_id, "rule": "detractor", "severity": "high", "customer_id": customer_id}
    row |= {"journey_id": None, "unit": None, "event_id": None, "reason": "NPS 2", "occurred_at": NOON}
    row |= {"raised_at": NOON, "closed_at": None, "acknowledged_at": None, "version": version}
    row |= {"case_id": None, "touchpoint": None, "handler": None, "snoozed_until": None}
    return row | said


def interaction(subject: str, event_id: str, at: int = NOON, **said: Any) -> dict[str, Any]:
    """A contact."""
    from streams.serve.view import INTERACTION

    row: dict[str, Any] = dict.fromkeys(INTERACTION)
    row |= {"subject": subject, "event_id": event_id, "occurred_at": at, "channel": "stay"}
    return row | {"touchpoint": "stay.complaint", "medium": "in_person"} | said
