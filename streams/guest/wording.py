"""The texts for guests, filled in with the details of their case. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from streams.guest.quiet import zone_of
from streams.model.guests import Guests


def written(
    guests: Guests, kind: str, language: str, unit: str | None, aspect: str | None, at: int, done: str | None
) -> str:
    """The text for an occasion (streams.model.guests.KINDS). at: time of its subject, epoch ms. The link of an
    invitation stays a placeholder, which the sender fills in."""
    words = guests.words.get(language, {})
    day = datetime.fromtimestamp(at / 1000, UTC).astimezone(zone_of(guests, unit)).date()
    named = guests.aspects.get(language, {}).get(aspect or "")
    return guests.texts[kind][language].format(
        unit=unit or words.get("unit", ""),
        aspect=named or words.get("aspect", ""),
        date=day.isoformat(),
        done=done or words.get("done", ""),
        link="{link}",
    )
