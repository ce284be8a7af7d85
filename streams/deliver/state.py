"""The state that deliver keeps for a thing: the targets that have it, and what is still to be sent. Pure.

The state is durable before anything is sent or published, so that a worker that takes over finds what is left to do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

WAITING, RETRYING, DELIVERED, DEAD, WITHHELD = "waiting", "retrying", "delivered", "dead", "withheld"
Place = tuple[int, bytes]
"""Partition and key of a thing's state."""
STATUSES = (WAITING, RETRYING, DELIVERED, DEAD, WITHHELD)
"""withheld: must not be sent any more (streams.deliver.guests)."""
OPEN = (WAITING, RETRYING)
KEPT_MS = 35 * 86_400_000
"""A thing without a change for this long is forgotten: alerts stay in their topic for thirty days."""
DETAIL = 300
"""Characters of an error that are kept."""

_MANY_VERSIONS = 44  # bits of a record's version: above them is the epoch, as in ClickHouse


class Delivery(msgspec.Struct, array_like=True):
    """One version for one target. Times are epoch ms."""

    target: str
    version: int
    clear: bool
    since: int
    """When the record was published."""
    at: int
    """When this was last changed."""
    status: str = WAITING
    attempts: int = 0
    revision: int = 0
    """Grows with each change; the highest is current."""
    code: int | None = None
    error: str | None = None
    level: int = 0
    """Which step of an escalation it is; 0: of a route."""

    def changed(self, status: str, at: int, attempts: int, code: int | None = None, error: str | None = None) -> None:
        """Note its outcome."""
        self.status, self.at, self.attempts, self.code = status, at, attempts, code
        self.error = None if error is None else error[:DETAIL]
        self.revision += 1


class Told(msgspec.Struct, array_like=True):
    """The last version that was or is to be sent to a target."""

    version: int
    digest: str
    sent: int = 0
    """The highest version that it has accepted; 0: none."""


class Step(msgspec.Struct, array_like=True):
    """A step of an escalation: its due time (epoch ms), its number, its targets, and whether with identifiers."""

    due: int
    level: int
    targets: dict[str, bool]


class Entry(msgspec.Struct, array_like=True):
    """Everything about one thing."""

    kind: str
    id: str
    customer_id: str
    top: int
    """The highest version that was taken in."""
    at: int
    told: dict[str, Told] = {}
    deliveries: list[Delivery] = []
    """Deliveries that are open, dead, or not yet published as delivered; per target in the order of their versions."""
    things: dict[int, dict[str, Any]] = {}
    """The fields of each version that is in `deliveries`."""
    steps: list[Step] = []
    """Steps of an escalation still to be taken."""
    waits: bool = False
    """Whether it is an alert that nobody has taken."""
    escalated: dict[str, bool] = {}
    """Targets of earlier steps of an escalation: they get later versions as well."""
    latest: dict[str, Any] | None = None
    """The fields of the highest version, while there are steps."""
    digest: str = ""
    """Of the highest version."""
    causes: int = 1
    """Of the highest version: how often an alert came."""
    member: bool = False
    """Of the highest version of a segment: whether the customer is in it; of next actions: whether there are any; of a
    report: always."""
    erased: bool = False
    """Whether the customer was erased; it is kept until targets know that nobody is in the segment."""

    def settle(self) -> None:
        """Forget deliveries that are done and published, and the fields that none of the others needs."""
        self.deliveries = [one for one in self.deliveries if one.status not in (DELIVERED, WITHHELD)]
        needed = {one.version for one in self.deliveries}
        self.things = {version: fields for version, fields in self.things.items() if version in needed}

    def of(self, target: str, version: int) -> Delivery | None:
        """The delivery of a version to a target; None: there is none, or it is done."""
        return next((one for one in self.deliveries if one.target == target and one.version == version), None)

    def unsent(self) -> Iterator[Delivery]:
        """Deliveries still to be sent, in order."""
        return (one for one in self.deliveries if one.status in OPEN)

    def delivered(self, one: Delivery) -> None:
        """Note that a delivery was accepted."""
        told = self.told[one.target]
        told.sent = max(told.sent, one.version)

    def revive(self, target: str, until: int, now: int) -> list[Delivery]:
        """Make the dead deliveries to a target wait again that died until then, and return them.

        Except where a later version was accepted or is being sent: versions are sent in order, and the later one
        contains everything of the earlier one.
        """
        sent = self.told[target].sent if target in self.told else 0
        first = min((one.version for one in self.unsent() if one.target == target), default=None)
        found = []
        for one in self.deliveries:
            is_meant = one.target == target and one.status == DEAD and one.at <= until and one.version > sent
            if is_meant and first is None:
                one.changed(WAITING, now, 0)
                one.since = self.at = now
                found.append(one)
        return found

    def withdraw(self, now: int) -> None:
        """After the customer of a segment or of next actions was erased: keep only the deliveries that tell targets
        which have the customer as a member that they are no longer one, or that there is nothing to do."""
        if self.erased:
            return
        was, self.member, self.erased, self.at = self.member, False, True, now
        self.top += 1
        thing: dict[str, Any] = {"customer_id": self.customer_id, "actions": [], "published_at": now}
        if self.kind == "segment":
            customer, _, segment = self.id.rpartition("/")
            thing = {"customer_id": customer, "segment": segment, "member": False, "occurred_at": now}
        self.deliveries = [Delivery(target, self.top, True, now, now) for target in (self.told if was else ())]
        self.things = {self.top: thing} if self.deliveries else {}

    def blank(self, now: int) -> bool:
        """Take the documents of reports that wait: they are made anew without whom was erased. Whether there were
        any."""
        found = [one for one in self.things.values() if one.get("document") is not None]
        for one in found:
            one["document"], self.at = None, now
        return bool(found)

    def is_over(self, now: int) -> bool:
        """Whether it can be forgotten. What targets keep for as long as it lasts cannot:
        membership in a segment, next actions; nor up to which period a report was made."""
        if self.member:
            return False
        return now - self.at > KEPT_MS and not self.steps and not any(self.unsent())


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Entry)


def key_of(kind: str, id_: str) -> bytes:
    """The key of a thing's state."""
    return f"{kind}/{id_}".encode()


def encode(entry: Entry) -> bytes:
    """The entry as it is stored."""
    return _encoder.encode(entry)


def decode(data: bytes) -> Entry:
    """A stored entry. Raises msgspec.DecodeError."""
    return _decoder.decode(data)


def full_version(epoch: int, version: int) -> int:
    """A record's version combined with its epoch: later histories count as newer. Raises OverflowError for one beyond
    44 bits: it would win over every later epoch, and could not be written to the topic of deliveries."""
    if not 0 <= version >> _MANY_VERSIONS < 1:
        raise OverflowError(f"version {version}")
    return (epoch << _MANY_VERSIONS) + version


_NO_NEWS = ("version", "raised_at", "causes", "published_at")
_SCHEDULED = "report"
"""Kind whose state says up to which period it was made, which is for ever."""
_SAID_ONCE = "next_action"
"""Kind of which a version that says the same as the one before is no news."""


def digest_of(thing: Mapping[str, Any]) -> str:
    """A short hash of the content of a thing without its version: equal for two versions with the same content."""
    said = sorted((name, value) for name, value in thing.items() if name not in _NO_NEWS)
    return hashlib.blake2b(msgspec.json.encode(said), digest_size=8).hexdigest()


def take(
    entry: Entry | None, kind: str, id_: str, version: int, thing: Mapping[str, Any], targets: Mapping[str, bool],
    since: int, now: int,
) -> Entry | None:  # fmt: skip
    """The entry with a further version of its thing, to be sent to these targets; None if this or a later version was
    taken in before."""
    if entry is not None and version <= entry.top:
        return None
    entry = entry or Entry(kind, id_, str(thing["customer_id"]), version, now)
    entry.top, entry.at = version, now
    came_again = entry.digest != "" and entry.digest == digest_of(thing) and thing.get("causes", 1) > entry.causes
    entry.causes = thing.get("causes", 1)
    entry.member = bool(thing.get("member") or thing.get("actions") or kind == _SCHEDULED)
    digest = entry.digest = digest_of(thing)
    known = {*entry.told}
    for target, clear in targets.items():
        before = entry.told.get(target) or Told(version, digest)
        is_known = before.digest == digest and before.version >> _MANY_VERSIONS != version >> _MANY_VERSIONS
        entry.told[target] = Told(version, digest, before.sent)
        is_same = kind == _SAID_ONCE and before.digest == digest
        if is_known or ((came_again or is_same) and target in known):
            continue  # state was rebuilt, or the same came again: nothing but a number is new
        entry.deliveries.append(Delivery(target, version, clear, since, now))
        entry.things[version] = dict(thing)
    return entry
