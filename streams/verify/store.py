"""Reads what ClickHouse holds, in the columns that `recompute` takes and returns."""

from __future__ import annotations

import time
from base64 import b64decode
from collections.abc import Sequence
from typing import Any

import polars as pl

from schemas.decode import BatchDecoder
from schemas.records import fields, polars_schema
from schemas.registry import Registry, RegistryError
from sinks.clickhouse.migrate import migrate, migrations, pending
from sinks.clickhouse.resolved import TABLE as RESOLVED
from sinks.clickhouse.resolved import Resolver
from streams.errors import RihlaError
from streams.model.dead_letter import EXPIRED, UNDECODABLE, UNPROCESSABLE
from streams.model.groups import LABELS
from streams.model.prayer import Times
from streams.verify import attribution, groups, money, now, prayers, units
from streams.verify.recompute import COLUMNS

BLOCK_ROWS = 200_000
"""Rows that ClickHouse sends at a time: bounds the memory that is used twice while a table is read."""

LOOK_AGAIN_SECONDS = 0.5
STORE = "interactions_store"
"""The table of interactions, with every copy of an event."""

BY_TIME = "interactions_by_time_store"
"""The same in the order of time."""

LEFT_OUT = "left_out"
"""Those that are in no other table, because stitch could not process them, by epoch."""

_IDENTIFIERS = pl.List(pl.Struct({"kind": pl.String, "value": pl.String}))
_LOG = ("subject", *COLUMNS)
SAID = ("unit_basis", "owner", "brand")
"""What cases say of who has to act: streams.verify.owners compares it."""
_NOT_SHOWN = {"version", "withdrawn", "duplicates"}

VIEWS: dict[str, dict[str, pl.DataType]] = {
    "interactions": dict.fromkeys(("subject", "event_id", "customer_id", "journey_id"), pl.String()),
    **{
        table: {name: polars_schema(record)[name] for name in fields(record) if name not in {*_NOT_SHOWN, *SAID}}
        for table, record in (("journeys", "journey"), ("customers", "customer"), ("cases", "case"))
    },
    "segments": dict.fromkeys(("segment", "customer_id"), pl.String()),
    "identities": {"kind": pl.String(), "value": pl.String(), "customer_id": pl.String(), "shared": pl.Boolean()},
}
"""The exact views and what is read of them; in the frame form of their records."""
VIEWS["customers"]["identifiers"] = _IDENTIFIERS

_UNITS = {
    "units": {name: polars_schema("unit")[name] for name in fields("unit") if name not in _NOT_SHOWN},
    "unit_levels": {**units.SHOWN, "valid_from": pl.Int64(), "valid_until": pl.Int64()},
}
"""The views of units: what is said of them, and what holds."""

ATTRIBUTED = {
    "interactions_attributed": ("subject", "event_id"),
    "journeys_attributed": ("journey_id",),
    "cases_attributed": ("case_id", "customer_id"),
}
"""The views that say whose doing it was, and what tells their rows apart. Alerts and moves are observations; what their
views add to them is what interactions_attributed says of their events."""

_PERIOD = {
    **dict.fromkeys(("customer_id", "group_id"), pl.String()),
    **dict.fromkeys(("since", "until", "said_at"), pl.Int64()),
    **dict.fromkeys(LABELS, pl.String()),
}
GROUPS: dict[str, tuple[tuple[str, ...], dict[str, pl.DataType]]] = {
    "memberships": (tuple(_PERIOD), _PERIOD),
    "group_cells": (groups.CELL, {**dict.fromkeys(groups.CELL, pl.String()), **groups.SUMS}),
}
"""The views of groups that verify compares: what tells their rows apart, and what is read of them."""

_SELECTED = {
    **{name: f"if({name} IS NULL, NULL, toString({name}))" for name in ("planned_arrival", "planned_departure")},
    "date": "toInt32(date)",
    **{
        name: f"if({name} IS NULL, NULL, toUnixTimestamp64Milli(assumeNotNull({name})))"
        for name in (*Times._fields, "next_fajr")
    },
    "ends_at": "if(ends_at IS NULL, NULL, toUnixTimestamp64Milli(assumeNotNull(ends_at)))",
    "spend": "CAST(spend, 'Array(Tuple(currency String, amount_minor Int64))')",
    **{name: f"toString(toInt128({name} * 10000))" for name in ("spend_booked", "spend_kept", "spend_lost")},
    "attributes": "CAST(attributes, 'Array(Tuple(key String, value String))')",
}
"""Columns that are not, as they stand, in the frame form."""


def bring_up_to_date(client: Any, database: str) -> None:
    """Apply the migrations that a folder's tables lack where an older version made them, and resolve what the sink has
    not come to; where there are no tables, do nothing."""
    if len(pending(client, database)) < len(migrations()):
        migrate(client, database)


def check(client: Any, database: str) -> None:
    """Raise RihlaError unless the database has the tables, as this version has them."""
    answer = client.query(
        "SELECT name FROM system.tables WHERE database = {database:String}", parameters={"database": database}
    )
    found = {name for (name,) in answer.result_rows}
    if STORE in found and (older := pending(client, database)):
        raise RihlaError(
            f"the tables in {database} are of an older version of Rihla, which lacks {older[0].name}",
            "rihla migrate brings those of a server up to date, rihla up those of a folder",
        )
    views = {
        *VIEWS,
        *_UNITS,
        *ATTRIBUTED,
        "contacts",
        "journey_spend",
        "journeys_now",
        "models",
        "deliveries",
        "answers",
        "consents",
        "invitations",
        "messages",
        "next_actions",
        *GROUPS,
    }
    views |= {"prayer_times", "interactions_local"}
    missing = sorted({STORE, BY_TIME, RESOLVED, LEFT_OUT, *views} - found)
    if missing:
        raise RihlaError(
            f"there is no {database}.{missing[0]} in that ClickHouse",
            "is --database right? rihla migrate makes what is missing on a server, rihla run or rihla up in a folder",
        )


def interactions(client: Any) -> pl.DataFrame:
    """All stored interactions, each (subject, event_id) once: `subject` and recompute.COLUMNS, in frame form."""
    schema = polars_schema("interaction")
    return _read(client, f"{STORE} FINAL", {name: schema[name] for name in _LOG})


def log(client: Any, columns: Sequence[str]) -> pl.DataFrame:
    """All interactions that are in tables, `subject` and these fields of interaction.avsc, in frame form."""
    schema = polars_schema("interaction")
    left = f"(subject, event_id, epoch) NOT IN (SELECT subject, event_id, epoch FROM {LEFT_OUT})"
    return _read(
        client, f"{STORE} FINAL WHERE {left}", {name: schema[name] for name in dict.fromkeys(("subject", *columns))}
    )


def contacts(client: Any) -> pl.DataFrame:
    """The view contacts: its key, and whose each is."""
    return _read(client, "contacts", dict.fromkeys(("subject", "event_id", "customer_id"), pl.String()))


def in_order_of_key(client: Any) -> pl.DataFrame:
    """Every stored interaction as interactions_store has it: its key, its version, and a hash of its content."""
    return _versions(client, STORE, "version")


def in_order_of_time(client: Any) -> pl.DataFrame:
    """The same of interactions_by_time_store."""
    return _versions(client, BY_TIME, "intDiv(rank, 2)")


def resolved(client: Any) -> pl.DataFrame:
    """The same of the interactions with customer and journey, which the views read."""
    return _versions(client, RESOLVED, "r.content")


def wait_until_resolved(client: Any, seconds: float) -> int:
    """Wait until the sink has resolved customers and journeys, for so long at most. Returns the marks that are left.

    client: of clickhouse-connect, on the database of the tables.
    """
    resolver, until = Resolver(client, client.database), time.monotonic() + seconds
    while (marks := resolver.marks()) and time.monotonic() < until:
        time.sleep(LOOK_AGAIN_SECONDS)
    return marks


def _versions(client: Any, table: str, version: str) -> pl.DataFrame:
    content = ", ".join((*fields("interaction"), "epoch"))
    rows = (
        f"SELECT subject, event_id, toString({version}) AS version, toString(cityHash64(tuple({content}))) AS content"
    )
    schema: dict[str, pl.DataType] = dict.fromkeys(("subject", "event_id", "version", "content"), pl.String())
    return _read(client, f"({rows} FROM {table} AS r FINAL)", schema)


def left_out(client: Any) -> pl.DataFrame:
    """`subject` and `event_id` of the stored interactions that are in no table."""
    table = f"{STORE} FINAL WHERE (subject, event_id, epoch) IN (SELECT subject, event_id, epoch FROM {LEFT_OUT})"
    return _read(client, table, dict.fromkeys(("subject", "event_id"), pl.String()))


class Letters:
    """The dead letters of this history that were not replayed.

    registry: knows the schemas of the records in them. unread: how many could not be read, as it does not.
    """

    def __init__(self, client: Any, registry: Registry) -> None:
        self._client, self._registry = client, registry
        self.unread: dict[str, str] = {}
        """Topic: why letters of it cannot be read."""

    def _letters(self, topic: str, reasons: Sequence[str]) -> list[tuple[str, bytes]]:
        """Key and payload of each letter of a topic (its name without prefix)."""
        these = (
            "topic IN (SELECT DISTINCT topic FROM dead_letters_store WHERE endsWith(topic, {topic:String})) "
            "AND reason IN {reasons:Array(String)}"
        )
        name = "topic, partition, offset, epoch, payload_hash"
        # Of what was replayed only these letters: a set of all replays may take more memory than a query may have.
        rows = self._client.query(
            f"SELECT base64Encode(ifNull(key, '')), base64Encode(payload) FROM dead_letters_store FINAL WHERE {these} "
            f"AND epoch = (SELECT max(epoch) FROM {STORE}) AND ({name}) NOT IN (SELECT {name} FROM replays_store "
            f"WHERE ({name}) IN (SELECT {name} FROM dead_letters_store WHERE {these}))",
            {"topic": f".{topic}", "reasons": list(reasons)},
        ).result_rows
        return [(b64decode(key).decode("utf-8", "replace"), b64decode(payload)) for key, payload in rows]

    def refused(self, record: str, topic: str, reasons: Sequence[str], columns: Sequence[str]) -> pl.DataFrame:
        """What the records say, `columns` in frame form. record: their schema. Raises RihlaError where the registry
        does not answer."""
        payloads = [payload for _, payload in self._letters(topic, reasons)]
        try:
            decoded = BatchDecoder(record, self._registry).decode(payloads, columns)
        except RegistryError as error:
            raise RihlaError(
                f"dead letters of {topic} cannot be read, and are part of what is verified: {error}",
                "is --registry right, and does it answer?",
            ) from error
        if decoded.errors:
            self.unread[topic] = f"{len(decoded.errors)} dead letters of {topic} cannot be read: {decoded.errors[0][1]}"
        return decoded.frame

    def links(self) -> set[tuple[str, str]]:
        """The links (subject, identifier) that identity could not process."""
        return set(self.refused("link", "links", [UNPROCESSABLE], ["subject", "identifier"]).iter_rows())

    def not_stored(self, stored: pl.DataFrame) -> pl.DataFrame:
        """The interactions that the sink could not store, as `interactions` has the others (`stored`)."""
        found = self.refused("interaction", "interactions", [UNPROCESSABLE, "unstorable"], _LOG)
        return found.join(stored, on=["subject", "event_id"], how="anti").unique(["subject", "event_id"], keep="first")

    def unheard(self) -> set[str]:
        """The subjects of news and parts that stitch could not process."""
        of_both = (self._letters(topic, [UNPROCESSABLE, UNDECODABLE]) for topic in ("identities", "parts"))
        return {key for letters in of_both for key, _ in letters if key}


def of_units(client: Any, name: str) -> pl.DataFrame:
    """The rows of a view of units: `units` or `unit_levels`."""
    return _read(client, name, _UNITS[name])


def attributed(client: Any, name: str) -> pl.DataFrame:
    """The key of each row of one of ATTRIBUTED, and whose doing it was."""
    return _read(client, name, {**dict.fromkeys(ATTRIBUTED[name], pl.String()), **attribution.SHOWN})


def of_groups(client: Any, name: str) -> pl.DataFrame:
    """The rows of one of GROUPS; a time that is null is 0, as all of a row of memberships is its key."""
    rows = _read(client, name, GROUPS[name][1])
    return rows.with_columns(pl.col(pl.Int64).fill_null(0))


def prayer_times(client: Any) -> pl.DataFrame:
    """The stored times of prayer, those of the newest revision."""
    return _read(client, "prayer_times_store FINAL", prayers.TIMES_SHOWN)


def interactions_local(client: Any) -> pl.DataFrame:
    """The view interactions_local: its key, and whose day each was."""
    return _read(client, "interactions_local", {**dict.fromkeys(prayers.LOCAL_KEY, pl.String()), **prayers.LOCAL_SHOWN})


def hijri(client: Any) -> pl.DataFrame:
    """The Hijri calendar: `date`, epoch days, and `hijri_date`, YYYY-MM-DD."""
    parts = [f"leftPad(toString({name}), 2, '0')" for name in ("hijri_month", "hijri_day")]
    hijri_date = f"concat(toString(hijri_year), '-', {parts[0]}, '-', {parts[1]})"
    rows = client.query(f"SELECT toInt32(date), {hijri_date} FROM hijri").result_rows
    return pl.DataFrame(rows, {"date": pl.Int32, "hijri_date": pl.String}, orient="row")


def journey_spend(client: Any) -> pl.DataFrame:
    """The view journey_spend, amounts in ten-thousandths."""
    return _read(client, "journey_spend", {**dict.fromkeys(money.KEY, pl.String()), **money.SHOWN})


def journeys_now(client: Any) -> tuple[pl.DataFrame, int, int]:
    """The view journeys_now, and the database's clock before and after it was read, epoch ms."""
    clock = "SELECT toUnixTimestamp64Milli(now64(3))"
    before = int(client.command(clock))
    shown = _read(client, "journeys_now", {**dict.fromkeys(now.KEY, pl.String()), **now.SHOWN})
    return shown, before, int(client.command(clock))


def model(client: Any) -> tuple[str, str, str] | None:
    """(hash, name, source) of the model that the tables are made under, as a sink recorded it; None: none has."""
    newest = "SELECT hash, name, source FROM models ORDER BY recorded_at DESC, hash DESC LIMIT 1"
    rows = client.query(newest).result_rows
    return None if not rows else (str(rows[0][0]), str(rows[0][1]), str(rows[0][2]))


def view(client: Any, name: str) -> pl.DataFrame:
    """The rows of one of VIEWS."""
    return _read(client, name, VIEWS[name])


def missed(client: Any) -> list[str]:
    """Records that were deleted before a worker had read them (streams.kafka.missed): a sentence for each range."""
    rows = client.query(
        "SELECT topic, partition, detail, failed_at FROM dead_letters WHERE reason = {reason:String} "
        "ORDER BY failed_at DESC LIMIT 20",
        {"reason": EXPIRED},
    ).result_rows
    return [f"{at:%Y-%m-%d %H:%M}: {topic}[{partition}]: {detail}" for topic, partition, detail, at in rows]


def _read(client: Any, table: str, schema: dict[str, pl.DataType]) -> pl.DataFrame:
    columns = ", ".join(f"{_SELECTED[name]} AS {name}_" if name in _SELECTED else name for name in schema)
    settings = {"max_block_size": BLOCK_ROWS, "output_format_arrow_string_as_string": 1}
    parts = [pl.DataFrame(schema=schema)]
    with client.query_arrow_stream(f"SELECT {columns} FROM {table}", settings=settings) as blocks:
        for block in blocks:
            part = pl.from_arrow(block)
            assert isinstance(part, pl.DataFrame)
            part = part.rename({f"{name}_": name for name in _SELECTED}, strict=False)
            parts.append(part.select(_as(name, part.schema[name], dtype) for name, dtype in schema.items()))
    return pl.concat(parts, rechunk=True)


def _as(name: str, stored: pl.DataType, wanted: pl.DataType) -> pl.Expr:
    """A column of a table in frame form: timestamps as epoch milliseconds, a record that is not there as null."""
    column = pl.col(name)
    if isinstance(wanted, pl.Struct) and isinstance(stored, pl.Struct):
        nobody = pl.all_horizontal(column.struct.field(field.name).is_null() for field in stored.fields)
        column = pl.when(~nobody).then(column)
    return column.cast(wanted)
