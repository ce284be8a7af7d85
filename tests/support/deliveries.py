"""Alerts, cases and moves as deliver reads them."""

from __future__ import annotations

from typing import Any

AT = 1_741_010_700_000
"""2025-03-03T14:05:00Z."""

ALERT: dict[str, Any] = {
    "alert_id": "a1",
    "rule": "halal_breach",
    "severity": "critical",
    "customer_id": "C-1001",
    "journey_id": "C-1001/UMR-77",
    "unit": "MAKKAH-01",
    "event_id": "e-77",
    "reason": "stay.halal_breach at MAKKAH-01",
    "occurred_at": AT,
    "raised_at": AT,
    "closed_at": None,
    "acknowledged_at": None,
    "case_id": None,
    "touchpoint": "stay.halal_breach",
    "handler": None,
    "snoozed_until": None,
    "brand": None,
    "tier": None,
    "causes": 1,
    "unit_basis": None,
    "owner": None,
    "version": 1,
}
CASE: dict[str, Any] = {
    "case_id": "K-9",
    "customer_id": "C-1001",
    "journey_id": "C-1001/UMR-77",
    "status": "open",
    "touchpoint": "stay.complaint_made",
    "unit": "MAKKAH-01",
    "opened_at": AT,
    "first_response_at": None,
    "resolved_at": None,
    "reopened_at": None,
    "contacts": 2,
    "version": 1,
    "withdrawn": False,
}
NEXT: dict[str, Any] = {
    "customer_id": "C-1001",
    "actions": [
        {
            "action": "follow_up_detractor",
            "reason": "Answered nps with 2 on 2025-03-03, and nobody has answered since",
            "evidence": "event e-77",
            "begins_at": None,
            "ends_at": AT + 30 * 86_400_000,
        },
        {
            "action": "call_about_case",
            "reason": "Case K-9 of MAKKAH-01 is open since 2025-03-03, without any answer",
            "evidence": "case K-9",
            "begins_at": AT + 2 * 86_400_000,
            "ends_at": None,
        },
    ],
    "version": 1,
}
MOVE: dict[str, Any] = {
    "move_id": "m1",
    "customer_id": "C-1001",
    "from_profile": "advocate",
    "to_profile": "negative",
    "touchpoint": "stay.halal_breach",
    "event_id": "e-77",
    "journey_id": "C-1001/UMR-77",
    "unit": "MAKKAH-01",
    "score": -0.6,
    "evidence": 1.5,
    "occurred_at": AT,
    "version": 1,
}
