"""Takes a version of an alert, a case or another thing into the state of its deliveries. Pure: it is given the time."""

from __future__ import annotations

from streams.deliver import guests, state
from streams.deliver.escalation import ESCALATING, plan, steps_of
from streams.deliver.gatherings import Told
from streams.deliver.match import state_of, targets_of
from streams.deliver.model import Routes
from streams.deliver.route_checks import GUESTS
from streams.deliver.rows import name_of
from streams.deliver.state import Entry


def targets_for(routes: Routes, entry: Entry | None, version: Told, now: int) -> dict[str, bool] | None:
    """Names of the targets that get a version, each with whether the message may contain identifiers.

    They may be none where the state has to be kept all the same: an escalation waits, or a guest was written to. None:
    no route wants this thing. entry: its state so far. now: epoch ms.
    """
    kind, row = version.kind, version.thing
    told = () if entry is None else entry.told.keys()
    known = {} if entry is None else entry.escalated
    targets = guests.targets(routes, kind, row, {**known, **targets_of(routes, kind, row, now, told)})
    if targets or (entry is not None and kind in GUESTS):
        return targets
    waits = bool(routes.escalations) and kind in ESCALATING and state_of(kind, row) == "raised"
    return targets if waits and (entry is not None or steps_of(routes, row, row["raised_at"])) else None


def with_version(
    routes: Routes, entry: Entry | None, version: Told, targets: dict[str, bool], since: int, now: int
) -> Entry | None:
    """The state of a thing with a version and its deliveries; None if the state has it, or a later one, already.

    targets: of `targets_for`. since: when the version was published, epoch ms. now: epoch ms.
    """
    kind, row, is_fresh = version.kind, version.thing, entry is None
    taken = state.take(entry, kind, name_of(kind, row), version.version, row, targets, since, now)
    if taken is not None:
        plan(routes, taken, kind, row, is_fresh, since)
        guests.only_once(routes, taken, row, now)
    return taken
