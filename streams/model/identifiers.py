"""Identifiers: their kinds, their strength, and what an event's identifiers make of it.

An identifier is written `kind:value`; its kind is what stands before the first colon, so the string alone decides. It
names a person or a thing that a person uses. Strength orders all identifiers: first by kind, as in `KINDS`, then by
the string itself, smaller being stronger. Kinds that are not in `KINDS` are accepted, weaker than all that are, and
among themselves ordered by the string, hence by the kind's name.

`booking_ref:REF` is written the same way but names a booking and not a person: it is a subject only of events that
name nobody, and never joins identifiers. So the kind `booking_ref` is reserved: among an event's identifiers it is
ignored.

`group:ID` names a group of travellers (docs/groups.md). It is a subject only of events that name no person, and joins
nobody: beside a person's identifiers it says what somebody is a member of, and not who they are.

Which kinds there are is the company's to say (`Kinds`, read from its model by streams.model.company). The functions of
this module speak of those that come with Rihla, `BUILT_IN`.

A kind may be **scoped by brand**: its values are then written `BRAND/VALUE`, and those of two brands are two people, or
things, until something else joins them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

KINDS = ("customer", "loyalty", "guest_profile", "email_sha256", "phone_sha256", "social", "device")
"""The known kinds, strongest first."""

CUSTOMER = KINDS[0]
"""The kind that the system of record gives: two of it are never one customer."""

_CUSTOMER_PREFIX: Final = "customer:"

BOOKING_REF: Final = "booking_ref"
"""The reserved kind of the subject of events that name a booking and nobody."""
BOOKING_PREFIX: Final = "booking_ref:"

GROUP: Final = "group"
"""The reserved kind of groups."""
GROUP_PREFIX: Final = "group:"

LIMITS = {"customer": 1, "loyalty": 2, "guest_profile": 3}
"""How many distinct stronger identifiers of a kind an identifier may be linked with before it counts as shared."""

DEFAULT_LIMIT = 5
"""The limit of every other kind."""

MOST_KINDS: Final = 29
UNKNOWN_RANK: Final = 30
"""The rank of kinds that are not known, below that of any that is."""

SCOPE: Final = "/"
"""Stands between the brand and the value of an identifier of a kind that is scoped by brand."""

Strength = tuple[int, str]
"""Sort key of identifiers, strongest first: (rank of the kind, identifier)."""


class Kinds:
    """The kinds of identifiers that are known, strongest first, with their limits and scopes. Not to be changed."""

    def __init__(
        self,
        names: Sequence[str] = KINDS,
        limits: Mapping[str, int] = LIMITS,
        default_limit: int = DEFAULT_LIMIT,
        scoped: Iterable[str] = (),
    ) -> None:
        """names: strongest first, `customer` the first, at most MOST_KINDS. limits: by kind; of the others
        `default_limit`. scoped: those whose values count within a brand."""
        self.names = tuple(names)
        self.limits = {kind: limits.get(kind, default_limit) for kind in self.names}
        self.default_limit = default_limit
        self.scoped = frozenset(scoped)
        self.ranks = {kind: rank for rank, kind in enumerate(self.names)}

    def rank(self, kind: str) -> int:
        """Place of a kind in the order of strength, 0 the strongest."""
        return self.ranks.get(kind, UNKNOWN_RANK)

    def strength(self, identifier: str) -> Strength:
        """Sort key: the strongest identifier has the smallest."""
        return self.rank(kind_of(identifier)), identifier

    def limit(self, kind: str) -> int:
        """How many distinct stronger identifiers of `kind`, and of one brand where the kind is scoped, an identifier
        may have without being shared."""
        return self.limits.get(kind, self.default_limit)

    def group(self, identifier: str) -> str:
        """What identifiers have in common that are counted together for a limit, and of which a customer has one: their
        kind and, where it is scoped, their brand."""
        kind, _, value = identifier.partition(":")
        brand, slash, _ = value.partition(SCOPE)
        return f"{kind}:{brand}" if slash and kind in self.scoped else kind

    def named(self, ids: Iterable[tuple[str, str]]) -> list[str]:
        """The distinct identifiers (`kind:value`) among an event's (kind, value) pairs, strongest first; of an event
        that names groups and nobody, the smallest group."""
        identifiers = {f"{kind}:{value}" for kind, value in ids}
        people = [i for i in identifiers if not names_booking(i) and not names_group(i)]
        return sorted(people, key=self.strength) or sorted(filter(names_group, identifiers))[:1]

    def subject_of(self, ids: Iterable[tuple[str, str]], booking_ref: str | None) -> str | None:
        """The subject of an event: its strongest identifier, else its group, else its booking; None if it names none
        of these."""
        identifiers = self.named(ids)
        if identifiers:
            return identifiers[0]
        return None if booking_ref is None else booking_subject(booking_ref)


def kind_of(identifier: str) -> str:
    """The kind of `kind:value`."""
    return identifier.partition(":")[0]


def booking_subject(booking_ref: str) -> str:
    """The subject of an event that names this booking and nobody."""
    return BOOKING_PREFIX + booking_ref


def names_booking(identifier: str) -> bool:
    """Whether `identifier` is that of a booking and not of a person."""
    return identifier.startswith(BOOKING_PREFIX)


def names_group(identifier: str) -> bool:
    """Whether `identifier` is that of a group and not of a person."""
    return identifier.startswith(GROUP_PREFIX)


def customer_id(root: str) -> str:
    """The customer_id of what is joined under `root`: the value of a customer, else `kind:value`."""
    return root[len(_CUSTOMER_PREFIX) :] if root.startswith(_CUSTOMER_PREFIX) else root


BUILT_IN: Final = Kinds()
"""The kinds that come with Rihla."""


def rank(kind: str) -> int:
    """Place of a built-in kind in the order of strength, 0 the strongest."""
    return BUILT_IN.rank(kind)


def strength(identifier: str) -> Strength:
    """Sort key among built-in kinds: the strongest identifier has the smallest."""
    return BUILT_IN.strength(identifier)


def limit(kind: str) -> int:
    """The limit of a built-in kind."""
    return BUILT_IN.limit(kind)


def named(ids: Iterable[tuple[str, str]]) -> list[str]:
    """The distinct identifiers among an event's (kind, value) pairs, by built-in strength."""
    return BUILT_IN.named(ids)


def subject_of(ids: Iterable[tuple[str, str]], booking_ref: str | None) -> str | None:
    """The subject of an event, by built-in strength."""
    return BUILT_IN.subject_of(ids, booking_ref)
