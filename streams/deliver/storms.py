"""Storms: many alerts of one rule at one unit in a short time are one incident, and one message with members. Pure.

Alerts to which a [[storms]] of the routes applies are gathered by rule and unit, and held for a short time. If they
stay few, they are released and sent one by one. If they concern enough customers, each within `within` of the one
before, they become an incident: one thing, which has versions, states and escalations as an alert has; its members are
sent only as part of it. Members that come later make a further version, at intervals of at least `every`.

An alert that was released before the incident began is a member as well, and is still sent by itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from streams.deliver.match import holds_of
from streams.deliver.model import Routes, Storm
from streams.deliver.state import KEPT_MS
from streams.model.durations import milliseconds
from streams.model.vocabulary import SEVERITIES

KEY = b"storm/"
"""Prefix of the keys of gatherings in the worker's state."""
MEMBERS = 200
"""Members that a message lists; it counts all of them."""

Released = tuple[int, dict[str, Any]]
"""A version (with its epoch) and its thing, to be sent."""


class Held(msgspec.Struct, array_like=True):
    """An alert that may still become part of an incident. due: when it is sent by itself, epoch ms."""

    due: int
    version: int
    thing: dict[str, Any]


class Member(msgspec.Struct, array_like=True):
    """The state of an alert within an incident; times are epoch ms."""

    version: int
    customer_id: str
    severity: str
    reason: str
    occurred_at: int
    raised_at: int
    acknowledged_at: int | None
    closed_at: int | None


class Incident(msgspec.Struct, array_like=True):
    """Alerts that are sent as one."""

    id: str
    members: dict[str, Member]
    version: int = 0
    """The time of the last message, so that no version is used twice."""
    due: int = 0
    """When the next message is due, epoch ms; 0: there is nothing new."""

    @property
    def first(self) -> int:
        """Time of its first cause."""
        return min((one.occurred_at for one in self.members.values()), default=0)

    @property
    def last(self) -> int:
        """Time of its last cause."""
        return max((one.occurred_at for one in self.members.values()), default=0)


class Gathering(msgspec.Struct, array_like=True):
    """The alerts of one rule at one unit that a storm may be made of."""

    rule: str
    unit: str
    held: dict[str, Held] = {}
    released: dict[str, Member] = {}
    """Alerts that were sent by themselves, for as long as they may still become members."""
    incidents: list[Incident] = []

    @property
    def due(self) -> int:
        """When there is something to do, epoch ms; 0: never."""
        times = [held.due for held in self.held.values()] + [one.due for one in self.incidents if one.due]
        return min(times, default=0)

    def without(self, erased: Callable[[str], bool]) -> bool:
        """Forget the alerts of erased customers. Returns whether there were any."""
        before = len(self.held) + len(self.released) + sum(len(one.members) for one in self.incidents)
        self.held = {key: one for key, one in self.held.items() if not erased(one.thing["customer_id"])}
        self.released = {key: one for key, one in self.released.items() if not erased(one.customer_id)}
        for incident in self.incidents:
            incident.members = {key: one for key, one in incident.members.items() if not erased(one.customer_id)}
        self.incidents = [one for one in self.incidents if one.members]
        return before != len(self.held) + len(self.released) + sum(len(one.members) for one in self.incidents)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Gathering)
encode, decode = _encoder.encode, _decoder.decode


def storm_of(routes: Routes, thing: Mapping[str, Any]) -> Storm | None:
    """The [[storms]] entry that applies to an alert: the first that matches; None without a unit."""
    if thing["unit"] is None:
        return None
    return next((one for one in routes.storms if holds_of(one, routes, thing)), None)


def key_of(thing: Mapping[str, Any]) -> str:
    """The key by which alerts are gathered: rule and unit."""
    return f"{thing['rule']}/{thing['unit']}"


def offer(gathering: Gathering, storm: Storm, version: int, thing: dict[str, Any], now: int) -> list[Released]:
    """Take in a version of an alert. Returns what is sent at once: a version of an alert that is sent by itself."""
    name, member = thing["alert_id"], _member(version, thing)
    for incident in gathering.incidents:
        known = incident.members.get(name)
        if known is not None and version > known.version:
            incident.members[name] = member
            _soon(incident, now + _ms(storm.every))
        if known is not None and name not in gathering.released:
            return []
    if name in gathering.released:
        gathering.released[name] = member
        return [(version, thing)]
    held = gathering.held.get(name)
    if held is not None:
        if version > held.version:
            held.version, held.thing = version, thing
        return []
    within = _ms(storm.within)
    for incident in gathering.incidents:
        if incident.first - within <= member.occurred_at <= incident.last + within:
            incident.members[name] = member
            _soon(incident, now + _ms(storm.every))
            return []
    gathering.held[name] = Held(now + _ms(storm.hold), version, thing)
    run = _run(gathering, member.occurred_at, within)
    if len({one.customer_id for one in run.values()}) >= storm.customers:
        made = hashlib.blake2b("\0".join((gathering.rule, gathering.unit, min(run))).encode(), digest_size=16)
        gathering.incidents.append(Incident(made.hexdigest(), run, due=now + _ms(storm.hold)))
        gathering.held = {key: one for key, one in gathering.held.items() if key not in run}
    return []


def take(gathering: Gathering, storm: Storm | None, now: int) -> tuple[list[Released], list[Released]]:
    """What is due: alerts that are sent by themselves, and incidents that have changed.

    storm: None if the routes no longer have one: everything that is held is sent.
    """
    alone: list[Released] = []
    for name, held in [*gathering.held.items()]:
        if held.due <= now or storm is None:
            alone.append((held.version, held.thing))
            gathering.released[name] = _member(held.version, held.thing)
            del gathering.held[name]
    news: list[Released] = []
    for incident in gathering.incidents:
        if incident.due and incident.due <= now:
            incident.version, incident.due = max(now, incident.version + 1), 0
            news.append((incident.version, thing_of(gathering, incident)))
    longest = now - KEPT_MS if storm is None else now - 2 * _ms(storm.within)
    gathering.released = {
        key: one
        for key, one in gathering.released.items()
        if max(one.raised_at, one.occurred_at) >= longest or any(key in each.members for each in gathering.incidents)
    }
    gathering.incidents = [one for one in gathering.incidents if one.due or now - one.version < KEPT_MS]
    return alone, news


def thing_of(gathering: Gathering, incident: Incident) -> dict[str, Any]:
    """The incident as a thing to send; it names no customer."""
    members = sorted(incident.members.items(), key=lambda one: (one[1].occurred_at, one[0]))
    each = [one for _, one in members]
    reacted = [one.acknowledged_at or one.closed_at for one in each]
    closed = [one.closed_at for one in each]
    return {
        "incident_id": incident.id,
        "rule": gathering.rule,
        "severity": max((one.severity for one in each), key=SEVERITIES.index),
        "unit": gathering.unit,
        "customer_id": "",
        "customers": len({one.customer_id for one in each}),
        "alerts": len(each),
        "open": closed.count(None),
        "reason": each[0].reason,
        "occurred_at": each[0].occurred_at,
        "last_at": each[-1].occurred_at,
        "raised_at": min(one.raised_at for one in each),
        "acknowledged_at": min((at for at in reacted if at is not None), default=None),
        "closed_at": None if None in closed else max(at for at in closed if at is not None),
        "members": [
            {"id": name, "reason": one.reason, "occurred_at": one.occurred_at, "closed_at": one.closed_at}
            for name, one in members[:MEMBERS]
        ],
    }


def _run(gathering: Gathering, at: int, within: int) -> dict[str, Member]:
    """The alerts around a time, each within a span of the one before."""
    known = {name: _member(one.version, one.thing) for name, one in gathering.held.items()} | gathering.released
    found: list[tuple[str, Member]] = []
    here = False
    for name, one in sorted(known.items(), key=lambda each: (each[1].occurred_at, each[0])):
        if found and one.occurred_at - found[-1][1].occurred_at > within:
            if here:
                break
            found = []
        found.append((name, one))
        here = here or one.occurred_at == at
    return dict(found)


def _member(version: int, thing: Mapping[str, Any]) -> Member:
    names = ("customer_id", "severity", "reason", "occurred_at", "raised_at", "acknowledged_at", "closed_at")
    return Member(version, *(thing[name] for name in names))


def _soon(incident: Incident, due: int) -> None:
    incident.due = min(incident.due or due, due)


def _ms(text: str) -> int:
    found = milliseconds(text)
    assert found is not None, "checked when the routes were read"
    return found
