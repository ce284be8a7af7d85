"""Identifiers: their kinds, their strength, and what an event's identifiers make of it.

An identifier is written `kind:value`; its kind is what stands before the first colon, so the string alone decides. It
names a person or a thing that a person uses. Strength orders all identifiers: first by kind, as in `KINDS`, then by
the string itself, smaller being stronger. Kinds that are not in `KINDS` are accepted, weaker than all that are, and
among themselves ordered by the string, hence by the kind's name.

`booking_ref:REF` is written the same way but names a booking and not a person: it is a subject only of events that
name nobody, and never joins identifiers. So the kind `booking_ref` is reserved: among an event's identifiers it is
ignored.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

KINDS = ("customer", "loyalty", "guest_profile", "email_sha256", "phone_sha256", "social", "device")
"""The known kinds, strongest first."""

CUSTOMER = KINDS[0]
"""The kind that the system of record gives: two of it are never one customer."""

BOOKING_REF: Final = "booking_ref"
"""The reserved kind of the subject of events that name a booking and nobody."""
BOOKING_PREFIX: Final = "booking_ref:"

LIMITS = {"customer": 1, "loyalty": 2, "guest_profile": 3}
"""How many distinct stronger identifiers of a kind an identifier may be linked with before it counts as shared."""

DEFAULT_LIMIT = 5
"""The limit of every other kind."""

UNKNOWN_RANK = len(KINDS)
"""The rank of kinds that are not in `KINDS`."""

_RANKS = {kind: rank for rank, kind in enumerate(KINDS)}

Strength = tuple[int, str]
"""Sort key of identifiers, strongest first: (rank of the kind, identifier)."""


def kind_of(identifier: str) -> str:
    """The kind of `kind:value`."""
    return identifier.partition(":")[0]


def rank(kind: str) -> int:
    """Place of a kind in the order of strength, 0 the strongest."""
    return _RANKS.get(kind, UNKNOWN_RANK)


def strength(identifier: str) -> Strength:
    """Sort key: the strongest identifier has the smallest."""
    return rank(kind_of(identifier)), identifier


def limit(kind: str) -> int:
    """How many distinct stronger identifiers of `kind` an identifier may have without being shared."""
    return LIMITS.get(kind, DEFAULT_LIMIT)


def booking_subject(booking_ref: str) -> str:
    """The subject of an event that names this booking and nobody."""
    return BOOKING_PREFIX + booking_ref


def names_booking(identifier: str) -> bool:
    """Whether `identifier` is that of a booking and not of a person."""
    return identifier.startswith(BOOKING_PREFIX)


def named(ids: Iterable[tuple[str, str]]) -> list[str]:
    """The distinct identifiers (`kind:value`) among an event's (kind, value) pairs, strongest first."""
    identifiers = {f"{kind}:{value}" for kind, value in ids}
    return sorted((i for i in identifiers if not names_booking(i)), key=strength)


def subject_of(ids: Iterable[tuple[str, str]], booking_ref: str | None) -> str | None:
    """The subject of an event: its strongest identifier, else its booking; None if it names neither."""
    identifiers = named(ids)
    if identifiers:
        return identifiers[0]
    return None if booking_ref is None else booking_subject(booking_ref)


def customer_id(root: str) -> str:
    """The customer_id of what is joined under `root`: the value of a customer, else `kind:value`."""
    kind, _, value = root.partition(":")
    return value if kind == CUSTOMER else root
