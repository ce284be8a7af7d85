"""The customer in the inbox with the richest story, for a first look at the desk. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from streams.model.days import is_day
from streams.serve.customer import Document, document
from streams.serve.inbox import Deadlines, inbox
from streams.serve.store import Transaction

LOOKED_AT = 60
"""Lines of the inbox, the gravest first, from whose customers one is chosen."""


def story_of(view: Transaction, deadlines: Deadlines, units: Iterable[str] | None) -> Document | None:
    """The customer, the alert or case that leads to them, and the day of a unit to show; None if nothing is open."""
    best: tuple[int, Document] | None = None
    for one in inbox(view, deadlines, units, LOOKED_AT)["items"]:
        if one["customer_id"] is None:
            continue  # many alerts in one line
        told = document(view, one["customer_id"])
        if told is not None and (best is None or _shows(told, one) > best[0]):
            best = _shows(told, one), _story(told, one)
    return None if best is None else best[1]


def _shows(told: Mapping[str, Any], line: Mapping[str, Any]) -> int:
    """How much there is to see: an open case, the customer's own words, several channels, a stay, preferences."""
    contacts = told["last_contacts"]
    return int(
        4 * bool(told["open_cases"])
        + 3 * any(one.get("text") for one in contacts)
        + len({one["channel"] for one in contacts})
        + 2 * bool(line["unit"])
        + bool(told["preferences"])
        + 2 * (told["profile"]["name"] == "negative")
    )


def _story(told: Mapping[str, Any], line: Mapping[str, Any]) -> Document:
    stays = [*told["open_journeys"], *told["past_journeys"]]
    plans: list[Mapping[str, Any]] = [one["plan"] for one in stays]
    plan = next((one for one in plans if one.get("unit") and is_day(one.get("arrival_date") or "")), {})
    return {
        "customer_id": told["customer_id"],
        "kind": line["kind"],
        "id": line["id"],
        "rule": line["rule"],
        "profile": told["profile"]["name"],
        "unit": plan.get("unit") or line["unit"],
        "day": plan.get("arrival_date"),
    }
