"""ClickHouse: whether it is there, lets us in and lets us write, and whether its clock and its tables fit."""

from __future__ import annotations

import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Any

import polars as pl
from clickhouse_connect.driver.exceptions import ClickHouseError

from schemas.endpoint import Endpoint
from schemas.service import open_url, refusal
from sinks.clickhouse.client import connect
from sinks.clickhouse.errors import ClickHouseRefusedError
from sinks.clickhouse.migrate import MigrationError, migrations, pending
from sinks.clickhouse.roles import PIPELINE, ROLES
from streams.doctor.finding import Finding
from streams.model.zones import is_zone, local
from streams.settings import Settings

CLOCK_SECONDS = 5.0
"""A clock further off than this makes latencies meaningless; events more than a day ahead are refused."""
OLDEST = (25, 3)
"""Nothing older has been tried."""
SECONDS = 10.0
_ELSEWHERE = "RIHLA_CLICKHOUSE or --clickhouse"
_FIRST = "0033_profile_flow"
"""The last migration of 0.1.0."""
_CODES = {
    "516": ("refuses this user and password", f"give another user or password, percent-encoded: {_ELSEWHERE}"),
    "194": ("refuses this user: a password is required", f"http://USER:PASSWORD@HOST:8123: {_ELSEWHERE}"),
    "192": ("knows no such user", f"CREATE USER there, or another: {_ELSEWHERE}"),
    "81": ("has no such database", "rihla migrate makes that of RIHLA_DATABASE; a database in the URL must be there"),
    "497": ("does not let this user do what is asked", "GRANT it what docs/deploying-a-worker.md lists"),
}
"""By ClickHouse's code: what it means, and what to do."""


def findings(settings: Settings) -> Iterator[Finding]:
    """All about ClickHouse and the database of the settings."""
    endpoint = settings.clickhouse_endpoint
    about = f"ClickHouse {endpoint.address}"
    wrong = _ping(endpoint)
    if wrong:
        yield Finding("problem", about, *wrong)
        return
    try:
        client = connect(endpoint, None)
    except (ConnectionError, ClickHouseRefusedError, ClickHouseError, ValueError) as error:
        yield Finding("problem", about, *_said(error))
        return
    try:
        yield _version(about, str(client.server_version))
        yield from rights(about, client.command)
        asked = time.time()
        theirs = float(client.command("SELECT toUnixTimestamp64Milli(now64(3))")) / 1000
        yield clock((asked + time.time()) / 2 - theirs)
        yield (applied := _migrations(client, settings))
        if applied.verdict == "ok":
            yield from states(settings.database, client.command)
            yield from clocks(settings.database, client.query)
        yield from roles(settings.database, client.query)
    except (ClickHouseError, OSError, ValueError) as error:
        yield Finding("problem", about, *_said(error))
    finally:
        client.close()


def _ping(endpoint: Endpoint) -> tuple[str, str] | None:
    """What is wrong with the service that answers at an address; None: it may be ClickHouse."""
    port = endpoint.port or (8443 if endpoint.scheme == "https" else 8123)
    base = replace(endpoint, port=port, path="").address
    try:
        with open_url(endpoint, urllib.request.Request(f"{base}/ping"), SECONDS) as answer:
            text = answer.read(1000)
    except urllib.error.HTTPError as error:
        text = error.read(1000)
        if error.code in (401, 403):
            return None  # it asks for credentials, which the connection has
    except (OSError, ValueError, HTTPException) as error:
        if (reason := refusal(endpoint, error, "RIHLA_CLICKHOUSE", port)) is not None:
            return reason.sentence, reason.remedy
        return _failure(error.reason if isinstance(error, urllib.error.URLError) else error, endpoint.host, port)
    if text.strip() in (b"Ok.", b""):
        return None
    if b"clickhouse-client" in text:
        return (f"port {port} is that of ClickHouse's native protocol", f"name its HTTP port, often 8123: {_ELSEWHERE}")
    return ("what answers there is not ClickHouse", f"name ClickHouse's HTTP port, often 8123: {_ELSEWHERE}")


def _failure(reason: Any, host: str | None, port: int) -> tuple[str, str]:
    if isinstance(reason, socket.gaierror):
        return f"there is no host of the name {host}", f"mend the name: {_ELSEWHERE}"
    if isinstance(reason, ConnectionRefusedError):
        return f"nothing listens on port {port}: Connection refused", f"start it, or name another port: {_ELSEWHERE}"
    if isinstance(reason, TimeoutError):
        return f"no answer within {SECONDS:.0f} s", "look at ClickHouse's log, and at firewalls between"
    detail = str(reason)
    if "clickhouse-client" in detail or "9000" in detail:
        return f"port {port} is that of ClickHouse's native protocol", f"name its HTTP port, often 8123: {_ELSEWHERE}"
    if "SSL" in detail or "WRONG_VERSION" in detail:
        return f"TLS fails: {detail}", f"http:// for a port without TLS, or mend the certificate: {_ELSEWHERE}"
    return f"does not answer in HTTP: {detail}", f"name ClickHouse's HTTP port, often 8123: {_ELSEWHERE}"


def _said(error: BaseException) -> tuple[str, str]:
    """What an error of ClickHouse's means, and what to do."""
    text = " ".join(str(error).split())
    for code, (what, remedy) in _CODES.items():
        if f"Code: {code}." in text or f"error code {code}" in text:
            return f"{what}: {text}", remedy
    if isinstance(error, ClickHouseRefusedError):
        return text, f"give another user, password or database: {_ELSEWHERE}"
    return text, "look at ClickHouse's own log"


def _version(about: str, version: str) -> Finding:
    major, minor = (int(part) if part.isdigit() else 0 for part in [*version.split("."), "0"][:2])
    if (major, minor) < OLDEST:
        detail = f"answers, version {version}; Rihla has been tried with none before {OLDEST[0]}.{OLDEST[1]}"
        return Finding("problem", about, detail, "upgrade ClickHouse to a release with long-term support")
    return Finding("ok", about, f"answers, version {version}")


def rights(about: str, ask: Callable[[str], Any]) -> Iterator[Finding]:
    """What a user lacks to work with. ask: given a query, the value that it returns."""
    if str(ask("SELECT getSetting('readonly')")) != "0":
        detail = "this user may only read (readonly): the sink and rihla migrate cannot work"
        yield Finding("problem", about, detail, f"ALTER USER ... SETTINGS readonly = 0, or another user: {_ELSEWHERE}")


def _migrations(client: Any, settings: Settings) -> Finding:
    about = f"database {settings.database}"
    there = client.command(
        "SELECT count() FROM system.databases WHERE name = {name:String}", {"name": settings.database}
    )
    if not int(there):
        return Finding("problem", about, "there is no such database", "rihla migrate makes it; or RIHLA_DATABASE")
    try:
        missing = [migration.name for migration in pending(client, settings.database)]
    except MigrationError as error:
        return Finding("problem", about, str(error), "this version of Rihla does not fit the database: use the newer")
    if missing:
        return Finding("problem", about, f"{len(missing)} migrations are missing", "rihla migrate")
    return Finding("ok", about, f"all {len(migrations())} migrations applied")


def states(database: str, ask: Callable[[str], Any]) -> Iterator[Finding]:
    """Whether stitch's states may be of a version that kept less, since no rebuild was begun after the upgrade.

    ask: given a query, the value that it returns.
    """
    about, remedy = f"states behind {database}", "rihla rebuild, once, with the workers stopped (docs/model.md)"
    upgraded = ask(
        f"SELECT if(minIf(applied_at, name > '{_FIRST}') > maxIf(applied_at, name <= '{_FIRST}') + INTERVAL 1 HOUR, "
        f"toString(minIf(applied_at, name > '{_FIRST}')), '') FROM {database}.schema_migrations FINAL"
    )
    before = f"FROM {database}.journeys_store WHERE started_at < parseDateTime64BestEffort('{upgraded}')"
    rebuilt = f"SELECT count() FROM {database}.models_store WHERE hash = ''"
    if upgraded and int(ask(f"SELECT count() {before}")) and not int(ask(rebuilt)):
        detail = (
            f"trips of before {str(upgraded)[:10]} were folded by 0.1.0, which did not keep where a stay was: what of "
            "them names no unit goes to the care centre"
        )
        yield Finding("note", about, detail, remedy)
    mute = "unit_basis IS NULL AND ifNull(unit, '') = '' AND status = 'open'"
    if number := int(ask(f"SELECT count() FROM {database}.cases WHERE {mute}")):
        detail = (
            f"{number:,} open case(s) of a version before 0.3.0 do not say who has to act; each does once its customer "
            "is heard of again"
        )
        yield Finding("note", about, detail, remedy)


def clocks(database: str, ask: Callable[[str], Any]) -> Iterator[Finding]:
    """Whether the clocks of the units show the same in ClickHouse as here, from a year ago to a year from now.

    ask: given a query, an answer with result_rows.
    """
    rows = ask(f"SELECT DISTINCT timezone FROM {database}.units WHERE timezone != '' ORDER BY timezone").result_rows
    for (name,) in rows:
        if not is_zone(name):
            continue  # `rihla units` refuses it; the views take it for UTC
        theirs = pl.DataFrame(
            ask(
                "SELECT toUnixTimestamp(toStartOfHour(now())) + (number - 365) * 86400 AS at, "
                f"timezoneOffset(toTimeZone(toDateTime(at, 'UTC'), '{name}')) FROM numbers(731)"
            ).result_rows,
            {"at": pl.Int64, "offset": pl.Int64},
            orient="row",
        )
        at = theirs["at"] * 1000
        differ = theirs.filter((local(at, name).cast(pl.Int64) - at) != theirs["offset"] * 1000)
        if differ.height:
            first = datetime.fromtimestamp(differ["at"][0], UTC).date()
            detail = (
                f"the clock of {name} is another in ClickHouse than here, first on {first}: days and hours of its "
                "units differ, and rihla verify tells of them"
            )
            remedy = "upgrade ClickHouse, or the Python package tzdata: whichever is older"
            yield Finding("problem", "time zones", detail, remedy)


def roles(database: str, ask: Callable[[str], Any]) -> Iterator[Finding]:
    """Whether the roles of a database are there, and whether a user who is no owner has that of the pipeline.

    ask: given a query, an answer with result_rows; raises clickhouse_connect's errors.
    """
    about = f"roles of {database}"
    wanted = {f"{database}_{role}" for role in ROLES}
    enabled = {str(row[0]) for row in ask("SELECT arrayJoin(enabledRoles())").result_rows}
    if enabled & {"owner", *ROLES}:  # the embedded engine has them from its start
        return
    if f"{database}_{PIPELINE}" in enabled:
        yield Finding("ok", about, f"this user has the role {database}_{PIPELINE}")
        return
    try:
        there = {str(row[0]) for row in ask("SELECT name FROM system.roles").result_rows}
    except ClickHouseError:
        detail = f"this user is no owner (it may not list roles), and has not the role {database}_{PIPELINE}"
        yield Finding(
            "problem", about, detail, f"as an owner: rihla migrate --roles, and GRANT {database}_{PIPELINE} TO ..."
        )
        return
    if missing := sorted(wanted - there):
        yield Finding(
            "note",
            about,
            f"missing: {', '.join(missing)}; who asks here has rights of its own",
            "rihla migrate --roles",
        )
    else:
        yield Finding("ok", about, "all are there; this user may list them, and has rights of its own")


def clock(ahead: float) -> Finding:
    """The finding for a clock that is `ahead` seconds ahead of ClickHouse's (negative: behind)."""
    if abs(ahead) > CLOCK_SECONDS:
        detail = f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} ClickHouse's"
        return Finding("problem", "clock", detail, "synchronise both machines (NTP): timedatectl set-ntp true")
    return Finding("ok", "clock", f"within {CLOCK_SECONDS:.0f} s of ClickHouse's")
