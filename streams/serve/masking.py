"""What is hidden of a customer until somebody gives a reason to see it. Pure."""

from __future__ import annotations

from typing import Any

SHOWN = 4
"""Last characters of an identifier that are shown, if it is at least twice as long."""


def hidden(value: str) -> str:
    """An identifier of which only enough is shown to recognise it."""
    return "…" + value[-SHOWN:] if len(value) >= 2 * SHOWN else "…"


def masked(document: dict[str, Any]) -> dict[str, Any]:
    """A customer's document with hidden identifiers. The customer_id stays: it is how one asks again."""
    own = document["customer_id"]
    identifiers = [
        one
        if own in (one["value"], f"{one['kind']}:{one['value']}")
        else {"kind": one["kind"], "value": hidden(one["value"])}
        for one in document["identifiers"]
    ]
    return {**document, "identifiers": identifiers}
