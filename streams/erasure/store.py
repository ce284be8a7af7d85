"""Erasing from ClickHouse, in every table that there is: by the columns that say whose a row is.

The server keeps statements that change data (in system.mutations and in its query log), so they hold no names: rows are
matched by salted hashes, with a new salt for each erasure. Names are only ever sent as parameters.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from streams.erasure.person import Person
from streams.erasure.shards import rows_of
from streams.model.identifiers import BOOKING_PREFIX
from streams.model.patterns import expression, needles

RECEIPTS = "erasures_store"
LETTERS = "dead_letters_store"
INTERACTIONS, BY_TIME = "interactions_store", "interactions_by_time_store"
RESOLVED, UNDER_WAY = "interactions_resolved_store", "resolving_store"
"""The interactions with customer and journey, and whom the sink resolves just now (sinks.clickhouse.resolved)."""
PASS_SECONDS = 60.0
"""How long passes of the sink that have begun are waited for: each takes seconds. One that has died writes nothing."""
LOOK_AGAIN_SECONDS = 0.1
DAYS = "interaction_days_store"
"""Which versions of an event there were, by hashes: `owner` is that of its subject."""
_NAMED = "concat(one.kind, ':', one.value)"
DONE = {"mutations_sync": "2"}
"""A statement that deletes returns once every replica has done it."""


class Store:
    """The tables of one database. client: of clickhouse-connect, on it. Blocking."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._salt = secrets.token_bytes(16)
        rows = client.query(
            "SELECT c.table, c.name, c.type, c.default_kind FROM system.columns AS c "
            "INNER JOIN system.tables AS t ON t.database = c.database AND t.name = c.table "
            "WHERE c.database = currentDatabase() AND (t.engine LIKE '%MergeTree' OR t.engine = 'Distributed') "
            "ORDER BY c.table, c.position"
        ).result_rows
        self._columns: dict[str, dict[str, tuple[str, str]]] = {}
        for table, name, type_, default in rows:
            self._columns.setdefault(str(table), {})[str(name)] = (str(type_), str(default))

    def keys(self, person: Person) -> dict[str, list[str]]:
        """Topic (without prefix): the keys of all of the person's records that were ever stored."""
        customers = {"ids": sorted(person.customer_ids)}
        where = "WHERE customer_id IN {ids:Array(String)}"
        return {
            "journeys": self._strings(f"SELECT DISTINCT journey_id FROM journeys_store {where}", customers),
            "cases": self._strings(
                f"SELECT DISTINCT concat(customer_id, '/', case_id) FROM cases_store {where}", customers
            ),
            "segments": self._strings(
                f"SELECT DISTINCT concat(customer_id, '/', segment) FROM segments_store {where}", customers
            ),
            "deliveries": self._strings(
                "SELECT DISTINCT concat(target, '/', kind, '/', thing_id, '/', toString(thing_version)) "
                f"FROM deliveries_store {where}",
                customers,
            ),
            "customers": sorted(person.customer_ids),
            "next-actions": sorted(person.customer_ids),
            "identities": sorted(person.names),
        }

    def links_around(self, person: Person) -> list[tuple[str, str, int]]:
        """All links that remain of those identifiers and bookings that the person shares with others.

        Identity keeps neither every link of a shared identifier nor more than one candidate for a booking's lead, so
        it must be sent the links that remain without the person. Links are as in `streams.identity.graph`.
        """
        names = {"names": sorted(person.names), "booking": BOOKING_PREFIX}
        rows = self._client.query(
            """
            WITH
                arrayMap(one -> concat(one.kind, ':', one.value), ids) AS named,
                (
                    SELECT groupUniqArrayArray(arrayFilter(one -> one NOT IN {names:Array(String)}, named))
                    FROM interactions_store WHERE hasAny(named, {names:Array(String)})
                ) AS neighbours,
                (
                    SELECT groupUniqArray(concat({booking:String}, assumeNotNull(booking_ref)))
                    FROM interactions_store WHERE booking_ref IS NOT NULL AND subject IN {names:Array(String)}
                ) AS bookings
            SELECT subject, identifier, toUnixTimestamp64Milli(min(occurred_at)) FROM (
                SELECT subject, arrayJoin(named) AS identifier, occurred_at FROM interactions_store
                WHERE has(neighbours, subject) OR hasAny(named, neighbours)
                UNION ALL
                SELECT subject, concat({booking:String}, assumeNotNull(booking_ref)) AS identifier, occurred_at
                FROM interactions_store WHERE booking_ref IS NOT NULL AND has(bookings, identifier)
            )
            WHERE (subject != identifier OR startsWith(subject, {booking:String}))
                AND (NOT startsWith(identifier, {booking:String}) OR has(bookings, identifier))
                AND subject NOT IN {names:Array(String)} AND identifier NOT IN {names:Array(String)}
            GROUP BY subject, identifier
            """,
            names,
        ).result_rows
        return [(str(subject), str(identifier), int(at)) for subject, identifier, at in rows]

    def erase(self, person: Person) -> dict[str, int]:
        """Delete the person from every table; table: rows deleted or changed, every stored version counted."""
        erased: Counter[str] = Counter()
        if INTERACTIONS in self._columns:
            erased.update(self._strip(person))
        for table in self._columns:
            condition = self._owned(table, person)
            if condition is not None:
                erased[table] += self._delete(table, condition)
        if UNDER_WAY in self._columns and RESOLVED in self._columns:
            # A pass that had read rows before they were deleted may have written them again.
            self._wait_for_passes()
            owned = self._owned(RESOLVED, person)
            mentions = f"arrayExists(one -> {self._among(_NAMED, person.names)}, ids)"
            erased[RESOLVED] += self._delete(RESOLVED, f"{owned} OR {mentions}")
        if LETTERS in self._columns:
            erased[LETTERS] = self._delete_letters(person)
        return {table: rows for table, rows in sorted(erased.items()) if rows}

    def search(self, person: Person) -> dict[str, int]:
        """Tables in which some text still holds a name of the person: in how many rows, old versions included."""
        found: dict[str, int] = {}
        for table, columns in self._columns.items():
            texts = [name for name, (type_, _) in columns.items() if "String" in type_]
            if not texts:
                continue
            tests = [f"match(ifNull(toString({name}), ''), {{pattern:String}})" for name in texts]
            tests += [
                f"{name} IN {{ids:Array(String)}}" for name in ("customer_id", "root", "subject") if name in texts
            ]
            parameters = {
                "pattern": expression(person.names),
                "ids": sorted(person.names | person.customer_ids),
            }
            count = self._count(f"SELECT count() FROM {table} WHERE {' OR '.join(tests)}", parameters)
            if count:
                found[table] = count
        return found

    def _owned(self, table: str, person: Person) -> str | None:
        """The condition on rows that are the person's; None where no column says whose a row is."""
        conditions = [
            self._among(column, names)
            for column, names in (
                ("subject", person.names),
                ("identifier", person.names),
                ("root", person.names),
                ("customer_id", person.customer_ids),
            )
            if column in self._columns[table]
        ]
        if table == DAYS:
            hashed = "SELECT toString(cityHash64(arrayJoin({names:Array(String)})))"
            conditions.append(self._among("toString(owner)", self._strings(hashed, {"names": sorted(person.names)})))
        return " OR ".join(conditions) if conditions else None

    def _strip(self, person: Person) -> dict[str, int]:
        """Take the person's identifiers out of other people's interactions: write these anew, delete the old ones.

        Table: rows deleted. That there were others is forgotten first: a version of before might win over a new one.
        """
        is_theirs = self._among(_NAMED, person.names)
        mentions = f"arrayExists(one -> {is_theirs}, ids)"
        others = f"{mentions} AND NOT {self._among('subject', person.names)}"
        count = self._count(f"SELECT count() FROM {INTERACTIONS} WHERE {others}")
        erased = {INTERACTIONS: count}
        if count:
            event = "concat(toString({owner}), ' ', toString({event}))"
            told = event.format(owner="cityHash64(subject)", event="sipHash64(event_id)")
            events = self._strings(f"SELECT DISTINCT {told} FROM {INTERACTIONS} WHERE {others}", {})
            erased[DAYS] = self._delete(DAYS, self._among(event.format(owner="owner", event="event"), events))
            columns = [name for name, (_, default) in self._columns[INTERACTIONS].items() if default != "MATERIALIZED"]
            without = f"arrayFilter(one -> NOT {is_theirs}, ids)"
            chosen = ", ".join(f"{without} AS ids_" if name == "ids" else name for name in columns)
            self._client.command(
                f"INSERT INTO {INTERACTIONS} ({', '.join(columns)}) "
                f"SELECT {chosen} FROM {INTERACTIONS} FINAL WHERE {others}"
            )
            self._delete(INTERACTIONS, others)
            erased[BY_TIME] = self._delete(BY_TIME, others)
            erased[RESOLVED] = self._delete(RESOLVED, others)
        return erased

    def _wait_for_passes(self) -> None:
        """Return when the passes that are under way now have ended."""
        passes = self._strings(f"SELECT DISTINCT toString(pass) FROM {UNDER_WAY}", {})
        until = time.monotonic() + PASS_SECONDS
        still = f"SELECT count() FROM {UNDER_WAY} WHERE toString(pass) IN {{passes:Array(String)}}"
        while passes and self._count(still, {"passes": passes}) and time.monotonic() < until:
            time.sleep(LOOK_AGAIN_SECONDS)

    def _delete_letters(self, person: Person) -> int:
        """Delete dead letters that hold a name. It may be anywhere in any bytes, so its encoded forms are searched."""
        places = self._client.query(
            f"SELECT DISTINCT topic, partition, offset, epoch, payload_hash FROM {LETTERS} "
            "WHERE arrayExists(one -> position(payload, unhex(one)) > 0, {needles:Array(String)}) "
            "OR match(ifNull(key, ''), {pattern:String}) OR match(detail, {pattern:String})",
            {
                "needles": [needle.hex() for needle in needles(person.names)],
                "pattern": expression(person.names),
            },
        ).result_rows
        if not places:
            return 0
        listed = ", ".join(
            f"({_quoted(str(place[0]))}, {', '.join(str(int(n)) for n in place[1:])})" for place in places
        )
        return self._delete(LETTERS, f"(topic, partition, offset, epoch, payload_hash) IN ({listed})")

    def _delete(self, table: str, condition: str) -> int:
        count = self._count(f"SELECT count() FROM {table} WHERE {condition}")
        if count:
            self._client.command(f"ALTER TABLE {rows_of(self._client, table)} DELETE WHERE {condition}", settings=DONE)
        return count

    def _among(self, expression_: str, names: Iterable[str]) -> str:
        """SQL: whether an expression equals one of the names, which are hashed."""
        salt = self._salt.hex()
        hashes = (hashlib.sha256(self._salt + name.encode()).hexdigest().upper() for name in names)
        listed = ", ".join(f"'{one}'" for one in sorted(hashes))
        return f"has([{listed}], hex(SHA256(concat(unhex('{salt}'), {expression_}))))"

    def _count(self, sql: str, parameters: Mapping[str, Any] | None = None) -> int:
        return int(self._client.query(sql, dict(parameters or {})).result_rows[0][0])

    def _strings(self, sql: str, parameters: Mapping[str, Any]) -> list[str]:
        return [str(row[0]) for row in self._client.query(sql, dict(parameters)).result_rows]


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
