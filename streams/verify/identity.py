"""Who is who, computed in a plain way: one pass over the whole set of links.

A link is (subject, identifier, occurred_at). Only the earliest time of a pair counts. Then:

1. Of two linked identifiers one is the stronger (`identifiers.strength`, a total order).
2. An identifier linked with more distinct stronger ones of a kind than that kind's limit is shared. None of its links
   joins identifiers, on whichever side it stands. They still count towards the limits of other identifiers. So whether
   an identifier is shared depends on its own links alone.
3. The other links join their two sides in order of (time, stronger, weaker), except where two customers would be put
   together (of one brand, where the kind is scoped by brand). The root of what is joined is its strongest identifier.
4. A booking belongs to the root of its lead: the subject of the earliest link between somebody and it, of several at
   that time the strongest. A booking is listed only if an event that names nobody mentions it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from streams.model.identifiers import BUILT_IN, CUSTOMER, Kinds, booking_subject, kind_of, names_booking, names_group

Link = tuple[str, str, int]
"""(subject, identifier, occurred_at in epoch milliseconds)."""


class Identity(NamedTuple):
    """The root of an identifier, and whether the identifier is shared."""

    root: str
    shared: bool


def links_of(
    ids: Iterable[tuple[str, str]], booking_ref: str | None, occurred_at: int, kinds: Kinds = BUILT_IN
) -> Iterator[Link]:
    """The links that one event makes."""
    identifiers = kinds.named(ids)
    booking = None if booking_ref is None else booking_subject(booking_ref)
    for weaker in identifiers[1:]:
        yield identifiers[0], weaker, occurred_at
    if booking is not None and not (identifiers and names_group(identifiers[0])):
        yield identifiers[0] if identifiers else booking, booking, occurred_at


def who_is_who(links: Iterable[Link], kinds: Kinds = BUILT_IN) -> dict[str, Identity]:
    """Root and sharedness of every identifier that is linked with another, and of every booking that is mentioned."""
    strength = kinds.strength
    pairs: dict[tuple[str, str], int] = {}
    leads: dict[str, list[tuple[int, tuple[int, str]]]] = defaultdict(list)
    mentioned = set()
    for subject, identifier, occurred_at in links:
        if names_booking(identifier):
            if names_booking(subject):
                if subject == identifier:
                    mentioned.add(identifier)
            else:
                leads[identifier].append((occurred_at, strength(subject)))
        elif not names_booking(subject) and subject != identifier:
            stronger, weaker = sorted((subject, identifier), key=strength)
            pairs[stronger, weaker] = min(occurred_at, pairs.get((stronger, weaker), occurred_at))

    stronger_of: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for stronger, weaker in pairs:
        stronger_of[weaker][kinds.group(stronger)].add(stronger)
    shared = {
        weaker
        for weaker, by_group in stronger_of.items()
        if any(len(identifiers) > kinds.limit(kind_of(group)) for group, identifiers in by_group.items())
    }

    joined = {identifier: {identifier} for pair in pairs for identifier in pair}
    order = sorted(pairs, key=lambda pair: (pairs[pair], strength(pair[0]), strength(pair[1])))
    for stronger, weaker in order:
        together = joined[stronger] | joined[weaker]
        customers = [kinds.group(identifier) for identifier in together if kind_of(identifier) == CUSTOMER]
        if not {stronger, weaker} & shared and len(customers) == len({*customers}):
            for identifier in together:
                joined[identifier] = together

    result = {
        identifier: Identity(min(together, key=strength), identifier in shared)
        for identifier, together in joined.items()
    }
    for booking in mentioned:
        lead = min(leads[booking])[1][1] if leads[booking] else booking
        result[booking] = Identity(result[lead].root if lead in result else lead, shared=False)
    return result
