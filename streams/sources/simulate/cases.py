"""Cases: what is complained of or claimed, chased, answered, resolved, and sometimes opened again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from streams.sources.simulate.people import Person
from streams.sources.simulate.trip import HOUR, MINUTE, Trip


@dataclass(frozen=True, slots=True)
class Script:
    """The touchpoints of a kind of case, and how many hours pass between two of its steps on average."""

    opened: str
    chased: str
    answered: str
    resolved: str
    reopened: str | None
    hours: float
    medium: str
    """How the customer comes to us."""
    roles: dict[str, str]
    """Touchpoint -> open, contact, response, resolve or reopen."""


def _script(
    opened: str, chased: str, answered: str, resolved: str, reopened: str | None, *, hours: float, medium: str
) -> Script:
    roles = {opened: "open", chased: "contact", answered: "response", resolved: "resolve"}
    if reopened:
        roles[reopened] = "reopen"
    return Script(opened, chased, answered, resolved, reopened, hours, medium, roles)


def _complaint(stage: str, hours: float, medium: str, opened: str | None = None) -> Script:
    return _script(
        opened or f"{stage}.complaint_made",
        f"{stage}.complaint_followed_up",
        f"{stage}.complaint_answered",
        f"{stage}.complaint_resolved",
        f"{stage}.complaint_reopened",
        hours=hours,
        medium=medium,
    )


STAY = _complaint("stay", 0.3, "in_person")
HALAL = _complaint("stay", 0.2, "in_person", "stay.halal_breach")
AFTERWARDS = _complaint("post_travel", 20, "email")
BAGGAGE = _script(
    "check_in.baggage_lost",
    "check_in.baggage_chased",
    "check_in.baggage_traced",
    "check_in.baggage_delivered",
    None,
    hours=10,
    medium="in_person",
)
REFUND = _script(
    "booking.refund_requested",
    "booking.refund_chased",
    "booking.refund_refused",
    "booking.refund_paid",
    None,
    hours=40,
    medium="web",
)
LOST_ITEM = _script(
    "post_travel.lost_item_claimed",
    "post_travel.complaint_followed_up",
    "post_travel.lost_item_not_found",
    "post_travel.lost_item_returned",
    None,
    hours=30,
    medium="call_centre",
)
SCRIPTS = (STAY, HALAL, AFTERWARDS, BAGGAGE, REFUND, LOST_ITEM)

ROLES = {touchpoint: role for script in SCRIPTS for touchpoint, role in script.roles.items()}
"""What each touchpoint of a case does to it."""


def open_case(
    trip: Trip,
    who: Person,
    at: int,
    script: Script,
    unit: str,
    *,
    settlement: dict[str, Any] | None = None,
    **first: Any,
) -> None:
    """Tell a case from its opening (epoch ms) on, as far as it gets.

    settlement: the money of its resolution. first: more fields of its opening.
    """
    case_id = trip.new_case_id()
    staff = trip.agent()

    def step(touchpoint: str, medium: str, **fields: Any) -> None:
        nonlocal at
        trip.report(who, at, touchpoint, medium, case_id=case_id, unit=unit, **fields)
        at += int(HOUR * trip.random.expovariate(1 / script.hours)) + MINUTE

    step(script.opened, script.medium, **first)
    trip.worsen(0.3)
    while trip.chance(0.2):
        step(script.chased, "call_centre")
    if not trip.chance(0.92):
        return
    # A refund that is refused, or an item that is not found, is an answer and the end of it.
    if script not in (REFUND, LOST_ITEM):
        step(script.answered, "email", agent_id=staff)
    elif trip.chance(0.3):
        step(script.answered, "email", agent_id=staff)
        return
    if trip.chance(0.88):
        step(script.resolved, "email", agent_id=staff, money=settlement)
        trip.improve(0.4)
        if script.reopened and trip.chance(0.12):
            step(script.reopened, "call_centre")
            trip.worsen(0.4)
            if trip.chance(0.5):
                step(script.resolved, "email", agent_id=staff)
