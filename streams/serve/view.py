"""The materialised view: the latest rows of the topics, by customer, unit, booking and identifier. Pure.

Rows come in the order of each partition, and again after a restart; a row that is older than the one stored changes
nothing, so neither order nor repetition matters. Keys begin with one letter for what they lead to:

    i identifier                    -> root, customer_id, version        from cx.identities
    m customer, identifier          -> identifier                        its identifiers, beside its own name
    q spelling, identifier          -> identifier                        search as you type
    c customer                      -> row                               from cx.customers
    j customer, journey             -> row                               from cx.journeys
    r booking, customer             -> customer_id                       whose journeys have a booking reference
    k customer, case                -> row                               from cx.cases
    a customer, alert               -> row                               from cx.alerts
    f customer                      -> row                               from cx.next-actions
    x alert                         -> customer_id                       under whom an alert is stored
    o owner, alert                  -> customer_id, alert_id             alerts that are open
    n owner, customer, case         -> key of the case                   cases that are open
    w unit                          -> unit                              the units that occur in the topics
    s subject                       -> rows                              its last contacts, from cx.interactions
    b booking                       -> plan                              unit, arrival and nights, as said last
    d unit, arrival date, booking   -> booking_ref
    h subject, case                 -> what people did with the case     its answers, from cx.interactions
    e, z subject, ...               -> what interactions state           see streams.serve.statements
    g message                       -> row                               from cx.messages, while it may be approved
    y key of a record               -> key of what it is stored under     journeys and cases, for tombstones
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from streams.loop.answers import TOUCHPOINTS, given
from streams.model.identifiers import BOOKING_PREFIX, CUSTOMER
from streams.model.linked import LINKED
from streams.model.whose import owner_of
from streams.serve import statements
from streams.serve.store import Transaction, digest, pack, unpack

OPEN_MESSAGES = ("draft", "approved")
"""Statuses of messages of which people may decide."""
CONTACTS_KEPT = 50
"""Most contacts that are kept for each subject, the last ones; ClickHouse has all."""
SPELLING = 200
"""Most bytes of an identifier that can be searched."""

Row = Mapping[str, Any]
"""A record in the frame form: times are epoch milliseconds, enums are text."""

CONTACT = (
    *("event_id", "occurred_at", "channel", "touchpoint", "medium", "unit", "agent_id", "booking_ref", "case_id"),
    *("score", "score_source", "score_weight", "language", "text", "survey"),
)
"""Fields of an interaction that a contact has."""
PLAN = ("unit", "arrival_date", "nights", "party_size", "room", "room_type", "package")
"""Fields of the plan of a stay, from the interactions of its booking; for each, the latest value counts."""
INTERACTION = (
    "subject",
    *CONTACT,
    *(name for name in PLAN if name not in CONTACT),
    "country",
    "locale",
    "attributes",
    "ids",
)
"""Columns of an interaction that the view reads."""


def customer_of(name: str) -> str:
    """The customer_id of an identifier `kind:value` that is its own root: see DESIGN, identity."""
    return name.removeprefix(f"{CUSTOMER}:")


def name_of(customer: Row) -> str:
    """The identifier that a row of cx.customers is named after."""
    return f"{customer['kind']}:{customer['value']}"


def _is_older(stored: bytes | None, row: Row) -> bool:
    """Whether a row is older than the stored one, or equal to it."""
    return stored is not None and bool(unpack(stored)["version"] >= row["version"])


def identity(view: Transaction, row: Row) -> None:
    """Apply the owner of an identifier."""
    name = f"{row['kind']}:{row['value']}"
    key = b"i" + digest(name)
    stored = view.get(key)
    if _is_older(stored, row):
        return
    if stored is not None:
        view.delete(b"m" + digest(unpack(stored)["customer_id"]) + digest(name))
    view.put(key, pack({part: row[part] for part in ("root", "customer_id", "shared", "version")}))
    view.put(b"m" + digest(row["customer_id"]) + digest(name), name.encode())
    _searchable(view, name)


def customer(view: Transaction, row: Row) -> None:
    """The state of a customer. After an upgrade the consents are published under the version of before."""
    key = b"c" + digest(row["customer_id"])
    stored = view.get(key)
    if stored is None or unpack(stored)["version"] <= row["version"]:
        view.put(key, pack(dict(row)))
        _searchable(view, name_of(row))


def journey(view: Transaction, row: Row) -> None:
    """The state of a journey."""
    owner = digest(row["customer_id"])
    key = b"j" + owner + digest(row["journey_id"])
    if _is_older(view.get(key), row):
        return
    view.put(key, pack(dict(row)))
    view.put(b"y" + digest(row["journey_id"]), key)
    if (reference := row["booking_ref"]) is not None:
        of_booking = b"r" + digest(reference) + owner
        if row["withdrawn"]:
            view.delete(of_booking)
        else:
            view.put(of_booking, row["customer_id"].encode())
        _searchable(view, BOOKING_PREFIX + reference)


def case(view: Transaction, row: Row) -> None:
    """The state of a case."""
    _known_unit(view, owner_of(row))
    key = b"k" + digest(row["customer_id"]) + digest(row["case_id"])
    stored = view.get(key)
    if _is_older(stored, row):
        return
    if stored is not None:
        view.delete(_open_case(unpack(stored)))
    view.put(key, pack(dict(row)))
    view.put(b"y" + digest(f"{row['customer_id']}/{row['case_id']}"), key)
    if row["status"] == "open" and not row["withdrawn"]:
        view.put(_open_case(row), key)


def alert(view: Transaction, row: Row) -> None:
    """The state of an alert. Its customer may have another name by now: see customer.document."""
    _known_unit(view, owner_of(row))
    alert_id = digest(row["alert_id"])
    under = view.get(b"x" + alert_id)
    if under is not None:
        before = b"a" + digest(under.decode()) + alert_id
        stored = view.get(before)
        if _is_older(stored, row):
            return
        if stored is not None:
            view.delete(b"o" + unit_key(owner_of(unpack(stored))) + alert_id)
            view.delete(before)
    view.put(b"x" + alert_id, row["customer_id"].encode())
    view.put(b"a" + digest(row["customer_id"]) + alert_id, pack(dict(row)))
    if row["closed_at"] is None:
        view.put(b"o" + unit_key(owner_of(row)) + alert_id, pack([row["customer_id"], row["alert_id"]]))


def next_action(view: Transaction, row: Row) -> None:
    """What may be done for a customer. A timer, which raises an alert, publishes under the version of before."""
    key = b"f" + digest(row["customer_id"])
    stored = view.get(key)
    if stored is None or unpack(stored)["version"] <= row["version"]:
        view.put(key, pack(dict(row)))


def message(view: Transaction, row: Row) -> None:
    """The state of what a guest is to be told, until it is told or will not be."""
    key = b"g" + digest(row["message_id"])
    if row["status"] not in OPEN_MESSAGES:
        view.delete(key)
    elif not _is_older(view.get(key), row):
        view.put(key, pack(dict(row)))


def interaction(view: Transaction, row: Row) -> None:
    """Apply a contact, and with it the plan of its booking."""
    if row["touchpoint"] == LINKED:
        return
    key = b"s" + digest(row["subject"])
    stored = view.get(key)
    contacts: list[dict[str, Any]] = [] if stored is None else unpack(stored)
    if all(one["event_id"] != row["event_id"] for one in contacts):
        contacts.append({name: row[name] for name in CONTACT if row[name] is not None})
        contacts.sort(key=lambda one: (one["occurred_at"], one["event_id"]), reverse=True)
        view.put(key, pack(contacts[:CONTACTS_KEPT]))
    if row["booking_ref"] is not None:
        _plan(view, row)
    if row["case_id"] is not None and row["touchpoint"] in TOUCHPOINTS:
        _handled(view, row)
    statements.apply(view, row)


def _handled(view: Transaction, row: Row) -> None:
    """Apply a person's work on a case."""
    key = b"h" + digest(row["subject"]) + digest(row["case_id"])
    stored = view.get(key)
    known: list[list[Any]] = [] if stored is None else unpack(stored)
    if all(one[1] != row["event_id"] for one in known):
        said = given(row["touchpoint"], row["agent_id"], row["attributes"])
        known.append([row["occurred_at"], row["event_id"], row["touchpoint"], said.who, said.until])
        view.put(key, pack(sorted(known, key=lambda one: (one[0], one[1]))[-CONTACTS_KEPT:]))


def _plan(view: Transaction, row: Row) -> None:
    """Apply the plan of the booked stay in an interaction."""
    said = {name: row[name] for name in PLAN if row[name] is not None}
    if not said:
        return
    _known_unit(view, said.get("unit"))
    booking = digest(row["booking_ref"])
    stored = view.get(b"b" + booking)
    plan: dict[str, Any] = {"booking_ref": row["booking_ref"]} if stored is None else unpack(stored)
    at = [row["occurred_at"], row["event_id"]]
    newer = {name: [value, at] for name, value in said.items() if name not in plan or plan[name][1] < at}
    if not newer:
        return
    if (before := _arrival(plan)) is not None:
        view.delete(b"d" + before + booking)
    plan |= newer
    view.put(b"b" + booking, pack(plan))
    if (now := _arrival(plan)) is not None:
        view.put(b"d" + now + booking, row["booking_ref"].encode())


def _arrival(plan: Row) -> bytes | None:
    """Unit and day of arrival as a key; None if one is unknown, or the day is not a date with a four-digit year."""
    unit, day = plan.get("unit"), plan.get("arrival_date")
    if unit is None or day is None or len(day[0].encode()) != 10:
        return None
    return digest(unit[0]) + bytes(day[0].encode())


def stored_alert(view: Transaction, alert_id: str) -> bytes | None:
    """An alert by its id (32 hexadecimal digits), whatever its current customer; None if there is none."""
    owner = view.get(b"x" + digest(alert_id))
    return None if owner is None else view.get(b"a" + digest(owner.decode()) + digest(alert_id))


def unit_key(unit: str | None) -> bytes:
    """The key part of a unit; alerts without a unit have one of their own."""
    return bytes(16) if unit is None else digest(unit)


def _open_case(row: Row) -> bytes:
    """Key under which an open case is found by who has to act on it."""
    return b"n" + unit_key(owner_of(row)) + digest(row["customer_id"]) + digest(row["case_id"])


def _known_unit(view: Transaction, unit: str | None) -> None:
    if unit is not None and view.get(key := b"w" + digest(unit)) is None:
        view.put(key, unit.encode())


def _searchable(view: Transaction, name: str) -> None:
    view.put(b"q" + spelling(name.partition(":")[2]) + b"\0" + digest(name), name.encode())


def spelling(text: str) -> bytes:
    """A text as search compares it: case-folded, and cut to a length."""
    return text.strip().casefold().encode()[:SPELLING].replace(b"\0", b"")


APPLY: Mapping[str, Callable[[Transaction, Row], None]] = {
    "identity": identity,
    "customer": customer,
    "journey": journey,
    "case": case,
    "alert": alert,
    "next_action": next_action,
    "message": message,
    "interaction": interaction,
}
"""Apply a record of a schema."""


def bury(view: Transaction, record: str, key: bytes) -> None:
    """Apply a tombstone: remove the row of a record's key, whatever its version."""
    name = key.decode("utf-8", "replace")
    if record == "identity":
        _forget_name(view, name)
    elif record == "customer":
        view.delete(b"c" + digest(name))
    elif record == "next_action":
        view.delete(b"f" + digest(name))
    elif record in ("journey", "case") and (under := view.get(b"y" + digest(name))) is not None:
        stored = view.get(under)
        if record == "journey" and stored is not None and (reference := unpack(stored)["booking_ref"]) is not None:
            view.delete(b"r" + digest(reference) + under[1:17])
        if record == "case" and stored is not None:
            view.delete(_open_case(unpack(stored)))
        view.delete(under)
        view.delete(b"y" + digest(name))


def _forget_name(view: Transaction, name: str) -> None:
    """Remove an identifier: its owner and its entry for search."""
    view.delete(b"q" + spelling(name.partition(":")[2]) + b"\0" + digest(name))
    stored = view.get(b"i" + digest(name))
    if stored is not None:
        view.delete(b"m" + digest(unpack(stored)["customer_id"]) + digest(name))
        view.delete(b"i" + digest(name))


def forget(view: Transaction, names: Iterable[str]) -> None:
    """Remove everything under some identifiers (`kind:value`) and under the customers named after them."""
    names = [*names]
    customers = {customer_of(name) for name in names}
    for key, value in list(view.scan(b"g")):
        if unpack(value)["customer_id"] in customers:
            view.delete(key)
    for name in names:
        view.delete(b"s" + digest(name))
        for table in (b"h", *statements.TABLES):
            for key, _ in list(view.scan(table + digest(name))):
                view.delete(key)
        _forget_name(view, name)
        owner = digest(customer_of(name))
        for _, value in list(view.scan(b"a" + owner)):
            gone = unpack(value)
            view.delete(b"x" + digest(gone["alert_id"]))
            view.delete(b"o" + unit_key(owner_of(gone)) + digest(gone["alert_id"]))
        for _, value in list(view.scan(b"j" + owner)):
            if (reference := unpack(value)["booking_ref"]) is not None:
                view.delete(b"r" + digest(reference) + owner)
        for _, value in list(view.scan(b"k" + owner)):
            view.delete(_open_case(unpack(value)))
        for table in (b"a", b"j", b"k", b"c", b"m", b"f"):
            for key, _ in list(view.scan(table + owner)):
                view.delete(key)
