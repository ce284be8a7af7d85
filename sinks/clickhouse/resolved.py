"""Keeps customer and journey right in `interactions_resolved_store` (migration 0067).

Whatever may change the customer or the journey of an interaction leaves a mark in `unresolved_store`. A pass takes
marks, and goes through the rows of their subjects:

1. The marks are copied to `resolving_store`: what this pass is about. Marks that come from now on are the next one's.
2. The rows that are not as identities and journeys have them now, and those of copies that do not count, are found,
   reading nothing but keys. What to write instead goes to `resolution_store`.
3. It is written to `interactions_resolved_store`: one insert, which adds what is right and deletes what was wrong.
4. 2 and 3 again, until nothing is found.
5. The marks are taken back.

What is wrong is found by what is stored, so a pass may break off anywhere: its marks are there still. Two passes at
once do no harm: who has written what is out of date by now finds that in step 4. Should a pass die just then, when
another has taken back the marks, those in `resolving_store` are found by a later pass, which does that one again.
"""

from __future__ import annotations

import re
from typing import Any

TABLE = "interactions_resolved_store"
"""The interactions with customer and journey."""
UNDER_WAY = "resolving_store"
"""Whom the passes that are under way are about."""
MARKS = 50_000
"""Marks taken by a pass at most. It bounds the memory: a few rows for each, of keys alone, some 300 MB."""
FEW = 300
"""Marks up to which a pass finds its rows by the skip indexes. The subjects of more marks lie in nearly every granule,
so that asking the index of each would cost more than reading all keys."""
ONCE = "insert_deduplicate = 0, max_insert_threads = 1, insert_distributed_sync = 1"
"""Settings of each insert: it is carried out even if the same rows were inserted before, and is readable on return."""

ABANDONED = 600
"""Seconds after which a pass that has not ended is done again."""

Mark = tuple[str, str, int]
"""(subject, customer, token)."""

_TAKE = """
INSERT INTO {db}.resolving_store (pass, subject, customer_id, token)
SELECT {it}, subject, customer_id, token FROM {db}.unresolved_store FINAL WHERE sign = 1
ORDER BY subject, customer_id LIMIT {marks}
SETTINGS {once}
"""
_SUBJECTS = """
    SELECT subject FROM {db}.resolving_store WHERE pass = {it} AND subject != ''
    UNION ALL
    -- Whoever was ever that customer: one too many does no harm.
    SELECT identifier AS subject FROM {db}.identities_store WHERE customer_id IN
        (SELECT customer_id FROM {db}.resolving_store WHERE pass = {it} AND customer_id != '')
    UNION ALL
    SELECT arrayJoin([concat('customer:', customer_id), customer_id]) AS subject
    FROM {db}.resolving_store WHERE pass = {it} AND customer_id != ''
"""
"""Whose rows a pass goes through: the subjects that are marked, and those of the customers that are."""
_FIND = """
INSERT INTO {db}.resolution_store (pass, week, customer_id, subject, event_id, to_customer, to_journey, gone)
WITH
    -- Booking journeys of the customer whose span, widened by 30 days on both sides, contains the event.
    arrayFilter(
        trip -> trip.1 - INTERVAL 30 DAY <= e.occurred_at AND e.occurred_at <= trip.3 + INTERVAL 30 DAY, j.bookings
    ) AS around,
    -- The latest start not after the event, else the earliest start; of equal starts, the smaller booking reference.
    arraySort(
        trip -> (trip.1 > e.occurred_at,
                 if(trip.1 > e.occurred_at, 1, -1) * toUnixTimestamp64Milli(trip.1),
                 trip.2),
        around
    ) AS candidates,
    multiIf(
        e.booking_ref IS NOT NULL, concat(e.now_of, '/', e.booking_ref),
        notEmpty(around), candidates[1].2,
        nullIf(arrayFirst(visit -> visit.1 <= e.occurred_at AND e.occurred_at <= visit.3, j.visits).2, '')
    ) AS journey,
    arrayFilter(one -> NOT (one.content = e.content AND one.customer = e.now_of), e.stored) AS wrong,
    arrayExists(
        one -> one.content = e.content AND one.customer = e.now_of AND one.journey = ifNull(journey, ''), e.stored
    ) AS there,
    arrayConcat(
        arrayMap(one -> (one.week, one.customer, one.customer, CAST(NULL, 'Nullable(String)'), 1), wrong),
        if(there, [], [(e.source.week, e.source.customer, e.now_of, journey, 0)])
    ) AS written
SELECT {it}, one.1, one.2, subject, event_id, one.3, one.4, one.5
FROM
(
    SELECT
        r.subject AS subject, r.event_id AS event_id, r.stored AS stored, r.content AS content, r.source AS source,
        r.source.occurred_at AS occurred_at, r.source.booking_ref AS booking_ref,
        -- An identifier that was never linked with another is a customer of its own.
        coalesce(
            nullIf(who.customer_id, ''),
            if(startsWith(r.subject, 'customer:'), substring(r.subject, 10), r.subject)
        ) AS now_of
    FROM
    (
        SELECT
            subject, event_id, max(content) AS content,
            groupArray(CAST(
                (toMonday(toDate(s.occurred_at)), s.customer_id, ifNull(s.journey_id, ''), s.content),
                'Tuple(week Date, customer String, journey String, content UInt64)'
            )) AS stored,
            argMax(CAST(
                (toMonday(toDate(s.occurred_at)), s.customer_id, s.occurred_at, s.booking_ref),
                'Tuple(week Date, customer String, occurred_at DateTime64(3, \\'UTC\\'), booking_ref Nullable(String))'
            ), s.content) AS source
        FROM {db}.interactions_resolved_store AS s FINAL
        WHERE subject IN ({subjects})
        GROUP BY subject, event_id
    ) AS r
    LEFT ANY JOIN
    (
        SELECT identifier, customer_id FROM {db}.identities_store FINAL
        WHERE identifier IN ({subjects})
    ) AS who ON who.identifier = r.subject
) AS e
LEFT ANY JOIN
(
    SELECT
        customer_id,
        groupArrayIf((assumeNotNull(span_start), journey_id, assumeNotNull(span_end)), kind = 'booking') AS bookings,
        groupArrayIf((started_at, journey_id, last_event_at), kind = 'visit') AS visits
    FROM {db}.journeys_store FINAL
    WHERE customer_id IN
    (
        SELECT customer_id FROM {db}.identities_store WHERE identifier IN ({subjects})
        UNION ALL
        SELECT if(startsWith(subject, 'customer:'), substring(subject, 10), subject) FROM ({subjects})
    )
    GROUP BY customer_id
) AS j ON j.customer_id = e.now_of AND e.booking_ref IS NULL
ARRAY JOIN written AS one
SETTINGS {once}, use_skip_indexes = {few}, use_skip_indexes_if_final = {few}
"""
_WRITE = """
INSERT INTO {db}.interactions_resolved_store ({columns}, content, customer_id, journey_id, stamp, gone)
SELECT
    {named}, s.content, w.to_customer, w.to_journey, toUInt64(toUnixTimestamp64Micro(now64(6))), w.gone
FROM {db}.interactions_resolved_store AS s FINAL
INNER JOIN {db}.resolution_store AS w
    ON w.week = toMonday(toDate(s.occurred_at)) AND w.customer_id = s.customer_id AND w.subject = s.subject
    AND w.event_id = s.event_id
WHERE (toMonday(toDate(s.occurred_at)), s.customer_id, s.subject, s.event_id) IN
    (SELECT week, customer_id, subject, event_id FROM {db}.resolution_store WHERE pass = {it})
    AND w.pass = {it}
SETTINGS {once}
"""
_TAKE_BACK = """
INSERT INTO {db}.unresolved_store (subject, customer_id, token, sign)
SELECT subject, customer_id, token, -1 FROM {db}.resolving_store WHERE pass = {it}
SETTINGS {once}
"""
_MARK_ALL = """
INSERT INTO {db}.unresolved_store (subject, customer_id, token, sign)
SELECT subject, '', max(rand64()), 1 FROM {db}.interactions_resolved_store GROUP BY subject
SETTINGS {once}
"""
_OWN = ("content", "customer_id", "journey_id", "stamp", "gone")
_ENGINE = re.compile(r"Distributed\('((?:[^'\\]|\\.)*)', '(\w+)', '(\w+)'")


def mark_all(client: Any, database: str) -> None:
    """Mark every subject: for those who delete who is who, or journeys, without an insert that marks.

    client: of clickhouse-connect.
    """
    client.command(_MARK_ALL.format(db=database, once=ONCE), use_database=False)


class Resolver:
    """Makes passes on one database. client: of clickhouse-connect. Blocking, and not for several threads at once."""

    def __init__(self, client: Any, database: str) -> None:
        self._client, self._database = client, database
        self._columns: list[str] = []

    def marks(self) -> int:
        """Marks that no pass has taken back."""
        return self._count("unresolved_store FINAL WHERE sign = 1")

    def first_mark(self) -> Mark | None:
        """The first of them in the order in which passes take them; None: there is none."""
        asked = "SELECT subject, customer_id, token FROM {}.unresolved_store FINAL WHERE sign = 1 ORDER BY ALL LIMIT 1"
        rows = self._client.query(asked.format(self._database)).result_rows
        return None if not rows else (str(rows[0][0]), str(rows[0][1]), int(rows[0][2]))

    def settle(self) -> int:
        """Make passes until there are no marks. Returns the number of rows written."""
        written = 0
        while self.marks():
            written += self.one_pass()
        return written

    def backfill(self) -> None:
        """Resolve what was stored before there was a table of it, and merge its parts: until then each question would
        read every row two or three times."""
        if self.settle():
            self._command(f"OPTIMIZE TABLE {self._place(TABLE)} FINAL")

    def one_pass(self) -> int:
        """Make a pass. Returns the number of rows written; those that delete count, too."""
        now = int(self._command("SELECT toUnixTimestamp64Micro(now64(6))"))
        left = f"SELECT min(pass) FROM {self._database}.{UNDER_WAY} WHERE pass < {now - ABANDONED * 1_000_000}"
        it = int(self._command(left)) or now
        if it == now:
            self._run(_TAKE, it, marks=MARKS)
        marks = self._count(f"{UNDER_WAY} WHERE pass = {it}")
        written = 0
        while marks and (found := self._find(it, marks)):
            named = ", ".join(f"s.{name}" for name in self._columns)
            self._run(_WRITE, it, columns=", ".join(self._columns), named=named)
            written += found
        self._run(_TAKE_BACK, it)
        self._drop("resolution_store", it)
        self._drop(UNDER_WAY, it)
        return written

    def _find(self, it: int, marks: int) -> int:
        """Find what a pass has to write. Returns how many rows that is."""
        if not self._columns:
            self._columns = self._read_columns()
        self._drop("resolution_store", it)
        subjects = _SUBJECTS.format(db=self._database, it=it)
        self._run(_FIND, it, few=int(marks <= FEW), subjects=subjects)
        return self._count(f"resolution_store WHERE pass = {it}")

    def _read_columns(self) -> list[str]:
        """The columns of an interaction, as they stand there; `rank` is made of others."""
        rows = self._client.query(
            "SELECT name FROM system.columns WHERE database = {database:String} "
            "AND table = 'interactions_resolved_store' AND default_kind != 'MATERIALIZED' ORDER BY position",
            {"database": self._database},
        ).result_rows
        return [str(name) for (name,) in rows if name not in _OWN]

    def _drop(self, table: str, it: int) -> None:
        """Drop the rows of a pass."""
        self._command(f"ALTER TABLE {self._place(table)} DROP PARTITION {it}")

    def _place(self, table: str) -> str:
        """The table whose rows those are, on every shard (see streams.erasure.shards)."""
        asked = "SELECT engine_full FROM system.tables WHERE database = {database:String} AND name = {table:String}"
        rows = self._client.query(asked, {"database": self._database, "table": table}).result_rows
        front = _ENGINE.match(str(rows[0][0]))
        return f"{front[2]}.{front[3]} ON CLUSTER '{front[1]}'" if front else f"{self._database}.{table}"

    def _run(self, sql: str, it: int, **filled: object) -> None:
        self._command(sql.format(db=self._database, once=ONCE, it=it, **filled))

    def _count(self, table: str) -> int:
        return int(self._command(f"SELECT count() FROM {self._database}.{table}"))

    def _command(self, sql: str) -> Any:
        return self._client.command(sql, use_database=False)
