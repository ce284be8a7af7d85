"""Changes of a customer's 30-day score: moves between profiles, and drops that a rule watches for. Pure.

Everybody begins as non_committal, so a first opinion strong enough is a move. A score that changes because identifiers
were joined or parted, or because state is rebuilt from ClickHouse, is no move: nobody changed their mind. It becomes
the new reference, and nothing is published.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Any, Final

import msgspec

from streams.alerts.owner import Owner
from streams.alerts.rules import Drop, Rule
from streams.alerts.signals import KEPT_MS, Signal
from streams.alerts.watch import PROFILES, UNKNOWN, Watch

Cause = tuple[int, bytes, str, str | None, str | None, str | None]
"""(occurred_at, event id, touchpoint, unit, booking_ref, brand) of the event that changed a score, with the brand that
its attribute names."""

_KEPT_DROPS: Final = 16
_REMEMBERED: Final = 10
"""Fields of a Move and its version; a record has more."""
Move = tuple[str, str, int, bytes, str, str | None, str | None, float, float]
"""(profile before, profile after, the fields of its Cause but the brand, 30-day score, evidence)."""


def move(watch: Watch, profile: int, score: float, evidence: float, cause: Cause | None) -> Move | None:
    """Note the profile. Returns the move to publish, or None if it is no move.

    profile: index into PROFILES. score: the 30-day score. cause: None for a change that is no move.
    """
    before, watch.profile = watch.profile, profile
    if profile == before or before == UNKNOWN or cause is None:
        return None
    return (PROFILES[before], PROFILES[profile], *cause[:5], score, evidence)


def move_row(customer_id: str, told: tuple[Any, ...], of_move: Callable[[Move], Owner]) -> tuple[Any, ...]:
    """A record of move.avsc of a Move with its version. of_move: finds who has to act on it."""
    if len(told) > _REMEMBERED:  # watches used to remember whole records
        return (*told[:-1], None, None, None, told[-1])
    whose = of_move(told[:-1])
    before, after, at, raw, touchpoint, unit, ref, score, evidence, version = told
    text: str = raw.hex()
    event_id = f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
    key = blake2b("\0".join((customer_id, before, after, event_id)).encode(), digest_size=16).hexdigest()
    journey_id = None if ref is None else f"{customer_id}/{ref}"
    happened = (key, customer_id, before, after, touchpoint, event_id, journey_id, unit, score, evidence, at)
    return (*happened, whose.basis, whose.owner, whose.brand, version)


def drops(falls: Iterable[tuple[Rule, Drop]], watch: Watch, score: float, cause: Cause, now: int) -> None:
    """Note the score after `cause`, and a signal for each rule of which it is a drop; end drops that are over.

    Falls are measured from the highest score within the longest time that a rule looks back.
    """
    at = cause[0]
    watching = [(rule, drop) for rule, drop in falls if at >= now - rule.max_age]
    if not watching:
        return
    if watch.drops:
        recovered = {rule.name: drop.recovered_at for rule, drop in watching}
        watch.drops = [
            msgspec.structs.replace(d, ended=at)
            if not d.ended and score >= recovered.get(d.rule, 2.0) and at >= d.at
            else d
            for d in watch.drops
            if at - d.at <= KEPT_MS
        ][-_KEPT_DROPS:]
    fell = False
    for rule, drop in watching:
        near = watch.peak_at and abs(at - watch.peak_at) <= drop.within
        if near and watch.peak - score >= drop.by and score <= drop.to:
            fell = True
            reason = rule.reason.format(
                touchpoint=cause[2],
                unit=cause[3] or "an unknown unit",
                answer=float("nan"),
                score=score,
                before=watch.peak,
                reach=0,
                after=rule.after_text,
            )
            watch.drops.append(
                Signal(
                    at,
                    cause[1],
                    rule.name,
                    reason,
                    rule.unit or cause[3],
                    cause[4],
                    touchpoint=cause[2],
                    brand=cause[5],
                )
            )
    longest = max(drop.within for _, drop in watching)
    if fell or not watch.peak_at or score >= watch.peak or at - watch.peak_at > longest:
        watch.peak, watch.peak_at = score, at
