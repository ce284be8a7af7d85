"""Who is to be erased: every name of one person, as ClickHouse knows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from streams.errors import RihlaError
from streams.model.identifiers import BOOKING_PREFIX, BOOKING_REF, CUSTOMER, customer_id, kind_of
from streams.model.normal import normal_identifier


@dataclass(frozen=True)
class Person:
    """Identifiers (`kind:value`) that are one customer, and the bookings that nobody else is part of."""

    names: frozenset[str]

    @property
    def customer_ids(self) -> frozenset[str]:
        """The customer_ids under which the person is stored, or was before identifiers were joined."""
        return frozenset(customer_id(name) for name in self.names)

    @property
    def kinds(self) -> dict[str, int]:
        """Number of names by kind."""
        return dict(sorted(Counter(map(kind_of, self.names)).items()))


def find(client: Any, identifier: str) -> Person:
    """The person of a customer_id or of `kind:value`.

    client: of clickhouse-connect, on the database of the tables. Shared identifiers belong to nobody; if one is given
    itself, it is erased without any others. Raises RihlaError when nothing is stored under the name.
    """
    candidates = []
    for spelt in dict.fromkeys((identifier, normal_identifier(identifier))):  # old events may have the first
        candidates += [spelt, f"{CUSTOMER}:{spelt}"] if ":" in spelt else [f"{CUSTOMER}:{spelt}"]
    roots = _strings(
        client,
        "SELECT DISTINCT root FROM identities_store FINAL WHERE identifier IN {names:Array(String)}",
        names=candidates,
    )
    names = {name for name in candidates if _is_stored(client, name)} | {*roots}
    if not names:
        raise RihlaError(
            f"nothing is stored of {identifier!r}", "give a customer_id of the tables, or KIND:VALUE as in identities"
        )
    return widened(client, names)


def widened(client: Any, names: Iterable[str]) -> Person:
    """The person of some of their names: all that identity joins to them, and the bookings in which nobody else has a
    part."""
    known = {name for name in names if kind_of(name) != BOOKING_REF or _is_own_root(client, name)}
    joined = _strings(
        client,
        "SELECT DISTINCT identifier FROM identities_store FINAL WHERE root IN {names:Array(String)} "
        "AND kind != {booking:String}",
        names=sorted(known),
        booking=BOOKING_REF,
    )
    people = known | {*joined}
    bookings = _strings(
        client,
        """
        SELECT booking_ref FROM (
            SELECT assumeNotNull(booking_ref) AS booking_ref, subject FROM interactions_store
            WHERE booking_ref IN (
                SELECT booking_ref FROM interactions_store
                WHERE subject IN {names:Array(String)} AND booking_ref IS NOT NULL
            )
        )
        GROUP BY booking_ref
        HAVING countIf(
            subject NOT IN {names:Array(String)} AND subject != concat({booking:String}, ':', booking_ref)
        ) = 0
        """,
        names=sorted(people),
        booking=BOOKING_REF,
    )
    return Person(frozenset(people | {BOOKING_PREFIX + ref for ref in bookings}))


def _is_own_root(client: Any, booking: str) -> bool:
    """Whether a booking belongs to no identifier, and so is a customer of its own."""
    return booking in _strings(
        client,
        "SELECT root FROM identities_store FINAL WHERE identifier = {name:String} AND root = identifier",
        name=booking,
    )


def _is_stored(client: Any, name: str) -> bool:
    return bool(
        client.query(
            "SELECT 1 FROM interactions_store WHERE subject = {name:String} LIMIT 1 "
            "UNION ALL SELECT 1 FROM identities_store WHERE identifier = {name:String} LIMIT 1 "
            "UNION ALL SELECT 1 FROM customers_store WHERE concat(kind, ':', value) = {name:String} LIMIT 1",
            {"name": name},
        ).result_rows
    )


def _strings(client: Any, sql: str, **parameters: Any) -> list[str]:
    return [str(row[0]) for row in client.query(sql, parameters).result_rows]
