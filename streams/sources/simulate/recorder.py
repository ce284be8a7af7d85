"""Where the stages of a trip report what happens, and where the truth finds it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from streams.sources.simulate.people import Identifier, Person


@dataclass(slots=True)
class Recorder:
    """All good events of a block of people, each once, as JSON objects; and who did what.

    Whatever would happen after end (epoch ms) has not happened yet and is not recorded.
    """

    random: Random
    end: int
    events: list[dict[str, Any]] = field(default_factory=list)
    doers: list[Person | None] = field(default_factory=list)
    """Of each event: the person, or None where it names nobody's own identifier."""
    unfinished: dict[str, str] = field(default_factory=dict)
    """By booking reference: what a journey is once its plan is over, where no further milestone is reported."""
    places: list[str | None] = field(default_factory=list)
    """Of each event: the unit that it was about, whether it says so or not; None where that is nothing's."""

    def record(
        self,
        person: Person | None,
        at: int,
        touchpoint: str,
        medium: str,
        ids: Sequence[Identifier],
        booking_ref: str | None = None,
        *,
        connected: Sequence[Identifier] | None = None,
        about: str | None = None,
        **fields: Any,
    ) -> bool:
        """Record an event; the channel is the touchpoint's. Fields that are None are left out. Whether it was kept.

        connected: those of the ids that are the person's and become connected; all of them unless told otherwise.
        about: the unit that it is about where it names none.
        """
        if at > self.end:
            return False
        bits = f"{self.random.getrandbits(128):032x}"
        variant = "89ab"[int(bits[16], 16) & 3]
        event: dict[str, Any] = {
            "channel": touchpoint.partition(".")[0],
            "event_id": f"{bits[:8]}-{bits[8:12]}-4{bits[13:16]}-{variant}{bits[17:20]}-{bits[20:]}",
            "occurred_at": at,
            "ids": [{"kind": kind, "value": value} for kind, value in ids],
            "touchpoint": touchpoint,
            "medium": medium,
        }
        if booking_ref is not None:
            event["booking_ref"] = booking_ref
        event |= {name: value for name, value in fields.items() if value is not None}
        if person is not None:
            event["locale"] = person.locale
            event["country"] = person.country
            person.connect(ids if connected is None else connected)
        self.events.append(event)
        self.doers.append(person)
        self.places.append(event.get("unit") or about)
        return True
