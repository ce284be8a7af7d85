"""Masks a customer's identifiers until a reason to see them is given. Pure."""

from __future__ import annotations

from typing import Any

from streams.model.identifiers import BOOKING_REF, CUSTOMER

SHOWN = 4
"""Last characters of an identifier that are shown, if it is at least twice as long."""


def hidden(value: str) -> str:
    """An identifier with only enough of it shown to recognise it."""
    return "…" + value[-SHOWN:] if len(value) >= 2 * SHOWN else "…"


def shown_in_search(found: dict[str, Any], text: str) -> dict[str, Any]:
    """Search results: customer ids and booking references, which lead on, and what the text itself contains."""
    whole = found["kind"] in (CUSTOMER, BOOKING_REF) or found["value"] == text
    return found if whole else {**found, "value": hidden(found["value"])}


def masked(document: dict[str, Any]) -> dict[str, Any]:
    """A customer's document with masked identifiers. The customer_id stays, because further requests need it."""
    own = document["customer_id"]
    identifiers = [
        one
        if own in (one["value"], f"{one['kind']}:{one['value']}")
        else {"kind": one["kind"], "value": hidden(one["value"])}
        for one in document["identifiers"]
    ]
    return {**document, "identifiers": identifiers}
