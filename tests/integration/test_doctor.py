"""Broken set-ups, each told apart with what mends it: on a real Apache Kafka, the real engine, and stand-ins.

And nothing is changed by the look.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import NewPartitions

from schemas import records
from sinks.clickhouse.migrate import migrate
from streams import compiled
from streams.cli import main
from streams.doctor import clickhouse as doctor_clickhouse
from streams.doctor import installation, probe, topics
from streams.doctor.broker import session, session_limits
from streams.doctor.finding import Finding
from streams.embedded.clickhouse.http_interface import Served
from streams.kafka.topics import config_of, ensure_topics
from streams.settings import Settings
from streams.topology import TOPICS
from tests.support import standins
from tests.support.brokers import Broker, until
from tests.support.clickhouse import ClickHouse
from tests.support.workers import administering, create_topic

NOWHERE = "127.0.0.1:1"
HOUR = {"retention.ms": "3600000"}


def examined(settings: Settings, *arguments: str) -> dict[str, Finding]:
    """The problems that `rihla doctor` finds, by what they are about; it must end with 1 if there are any."""
    options = {
        "--brokers": settings.brokers,
        "--prefix": settings.prefix,
        "--partitions": str(settings.partitions),
        "--replication": str(settings.replication),
        "--wire": settings.wire,
        "--clickhouse": settings.clickhouse,
        "--database": settings.database,
    }
    if settings.registry:
        options["--registry"] = settings.registry
    return doctor(*(part for option in options.items() for part in option), *arguments)


def doctor(*arguments: str) -> dict[str, Finding]:
    """The problems that `rihla doctor` finds with some arguments."""
    out = _output("doctor", "--format", "json", *arguments)
    found = [Finding(**json.loads(line)) for line in out[1].splitlines()]
    problems = [finding for finding in found if finding.verdict == "problem"]
    assert out[0] == bool(problems)
    assert all(finding.remedy for finding in problems)
    return {finding.about: finding for finding in problems}


def _output(*arguments: str) -> tuple[int, str]:
    import io

    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = main.main(arguments)
    return code, out.getvalue()


# -- settings and installation ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "said", "remedy"),
    [
        ({"RIHLA_BROKER": "k:9092"}, "is RIHLA_BROKERS meant", "unset RIHLA_BROKER; export RIHLA_BROKERS=..."),
        ({"RIHLA_XYZZY_PLUGH": "1"}, "counts for nothing", "unset RIHLA_XYZZY_PLUGH"),
        ({"RIHLA_WIRE": "confluent"}, "there is no registry", "RIHLA_REGISTRY"),
        ({"RIHLA_REGISTRY": "https//x"}, "'https//x' is not an http", "RIHLA_"),
        ({"RIHLA_REGISTRY": "http://h:99999"}, "'http://h:99999' is not", "RIHLA_"),
        ({"RIHLA_CLICKHOUSE": "http//h"}, "'http//h' is not an http", "RIHLA_"),
        ({"RIHLA_SESSION_TIMEOUT": "2000"}, "not between 1 and 1800", "RIHLA_"),
        ({"RIHLA_EPOCH": "soon"}, "'soon' is not a number", "RIHLA_"),
        ({"RIHLA_BROKERS": "kafka"}, "'kafka' is not HOST:PORT", "RIHLA_"),
    ],
)
def test_settings(variables: dict[str, str], said: str, remedy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = doctor()
    assert said in found["settings"].detail
    assert remedy in (found["settings"].remedy or "")


def test_a_password_is_in_no_message_about_a_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIHLA_REGISTRY", "http://user:SECRET@h:99999")
    assert "SECRET" not in _output("doctor")[1]


def test_alert_rules_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text("[late]\nseverty = 'high'\n")
    monkeypatch.setenv("RIHLA_ALERT_RULES", str(rules))
    assert "alert rules" in doctor()
    monkeypatch.setenv("RIHLA_ALERT_RULES", str(tmp_path / "nowhere.toml"))
    assert "nowhere.toml" in doctor()["alert rules"].detail


def test_stale_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "stale", lambda root=None: [Path("streams/stitch/fold.py")])
    assert "fold.py" in doctor()["compiled modules"].detail


def test_a_data_folder_that_is_a_file_or_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "data"
    file.write_text("")
    (found,) = installation.folder(file / "below")
    assert (found.verdict, found.detail) == ("problem", f"{file} is a file")
    (good,) = installation.folder(tmp_path / "to" / "be" / "made")
    assert good.verdict == "ok"
    monkeypatch.setattr(installation, "SCARCE_BYTES", 1 << 62)
    (full,) = installation.folder(tmp_path)
    assert "MiB are free" in full.detail
    monkeypatch.setattr(os, "access", lambda *about: False)  # root may write anywhere
    (refused,) = installation.folder(tmp_path)
    assert "chmod u+rwx" in (refused.remedy or "")


# -- broker ----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _at(address: str) -> Iterator[str]:
    yield address


@contextlib.contextmanager
def _web() -> Iterator[str]:
    with standins.web(lambda method, path: (200, "<html>hello</html>")) as server:
        yield server.address


TLS_ALERT = b"\x15\x03\x03\x00\x02\x02\x46"


@pytest.mark.parametrize(
    ("place", "said", "remedy"),
    [
        (lambda: _at(NOWHERE), "nothing listens on port 1", "start the broker, or name the port"),
        (lambda: _at("no-such-host.invalid:9092"), "no host of the name no-such-host.invalid", "mend the name"),
        (_web, "a web server answers there, not Kafka", "name Kafka's own port"),
        (lambda: standins.port(TLS_ALERT), "the listener speaks TLS", "plaintext listener"),
        (lambda: standins.port(b""), "closed without an answer", "TLS or SASL"),
        (lambda: standins.port(b"SSH-2.0-OpenSSH_9.6\r\n"), "does not speak Kafka's protocol", "name Kafka's port"),
        (lambda: standins.port(None), "no answer within", "firewall"),
    ],
)
def test_what_is_no_broker(
    place: Callable[[], AbstractContextManager[str]], said: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if said == "no answer within":
        monkeypatch.setattr(probe, "SECONDS", 0.5)
    with place() as address:
        found = doctor("--brokers", address)[f"broker {address}"]
    assert said in found.detail
    assert remedy in (found.remedy or "")
    assert "start it" not in (found.remedy or "")


def test_a_broker_that_is_one_says_so(broker: Broker) -> None:
    assert asyncio.run(probe.ask(broker.address)).what == "kafka"


@pytest.fixture
def clean(kafka_broker: Broker, topic_prefix: str) -> Settings:
    """Settings whose topics are as Rihla makes them, on Apache Kafka."""
    settings = kafka_broker.settings(topic_prefix, partitions=2, clickhouse=f"http://{NOWHERE}")
    asyncio.run(ensure_topics(settings))
    return settings


async def _state(settings: Settings) -> Any:
    """All topics of the broker, and the partitions of each."""
    async with administering(settings) as admin:
        described = await admin.describe_topics(await admin.list_topics())
        return sorted((topic["topic"], len(topic["partitions"])) for topic in described)


def _only_topics(found: dict[str, Finding]) -> dict[str, Finding]:
    return {about: finding for about, finding in found.items() if not about.startswith("ClickHouse")}


@pytest.mark.kafka
def test_topics_as_rihla_makes_them_are_right(clean: Settings) -> None:
    assert _only_topics(examined(clean)) == {}


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("topic", "config", "said"),
    [
        ("links", HOUR, "retention.ms is 3600000, and should be -1"),
        ("journeys", {"cleanup.policy": "delete"}, "cleanup.policy is delete, and should be compact"),
        ("erasures", {"cleanup.policy": "delete"}, "cleanup.policy is delete, and should be compact"),
        ("interactions", {"cleanup.policy": "compact"}, "cleanup.policy is compact, and should be delete"),
        ("dead-letters", HOUR, "retention.ms is 3600000, and should be 2592000000"),
        ("customers", {"min.insync.replicas": "2"}, "min.insync.replicas is 2, with 1 replica"),
    ],
)
def test_settings_of_topics(
    kafka_broker: Broker, topic_prefix: str, topic: str, config: dict[str, str], said: str
) -> None:
    settings = kafka_broker.settings(topic_prefix, partitions=2)
    (declared,) = (one for one in TOPICS if one.name == topic)

    async def broken() -> None:
        await create_topic(settings, topic, declared.partitions or 2, {**config_of(declared), **config})
        await ensure_topics(settings)

    asyncio.run(broken())
    found = _only_topics(examined(settings))
    name = settings.topic(topic)
    assert found.keys() == {f"topic {name}"}
    assert said in found[f"topic {name}"].detail
    assert re.match(
        rf"kafka-configs.sh --bootstrap-server {kafka_broker.address} --alter .*--entity-name {name} --add-config",
        found[f"topic {name}"].remedy or "",
    )


@pytest.mark.kafka
def test_partitions_unlike_the_settings_and_unlike_each_other(clean: Settings) -> None:
    more = Settings(brokers=clean.brokers, prefix=clean.prefix, partitions=6, clickhouse=clean.clickhouse)
    found = examined(more)["topics"]
    assert "partitions is 6" in found.detail
    assert "RIHLA_PARTITIONS=2" in (found.remedy or "")

    async def grow(name: str, count: int) -> None:
        async with administering(clean) as admin:
            await admin.create_partitions({clean.topic(name): NewPartitions(count)})

        async def seen() -> bool:
            return dict(await _state(clean))[clean.topic(name)] == count

        await until(seen, what="the new partitions")

    command = ("doctor", "--brokers", clean.brokers, "--prefix", clean.prefix, "--partitions", "2")
    asyncio.run(grow("parts", 3))
    out = _output(*command)[1]
    assert f"{clean.topic('parts')} 3" in out
    assert "rihla repartition --to 3" in out
    asyncio.run(grow("links", 2))
    assert f"{clean.topic('links')} has 2 partitions and must have one" in _output(*command)[1]


@pytest.mark.kafka
def test_topics_that_could_not_be_made_are_told_and_none_is_made(kafka_broker: Broker, topic_prefix: str) -> None:
    settings = kafka_broker.settings(topic_prefix, replication=3)
    before = asyncio.run(_state(settings))
    found = examined(settings)["topics"]
    assert "replication is 3, and the cluster has 1 broker" in found.detail
    assert "RIHLA_REPLICATION=1" in (found.remedy or "")
    good = kafka_broker.settings(topic_prefix)
    assert "topics" not in examined(good)
    assert asyncio.run(_state(settings)) == before


@pytest.mark.kafka
def test_what_the_broker_itself_would_refuse_is_told(kafka_broker: Broker, topic_prefix: str) -> None:
    settings = kafka_broker.settings(topic_prefix, replication=3)

    async def found() -> list[Finding]:
        async with administering(settings) as admin:
            return await topics.findings(admin, settings, brokers=3)  # as it may be where some of them are down

    before = asyncio.run(_state(settings))
    refused = asyncio.run(found())
    assert len(refused) == len(TOPICS)
    assert f"would refuse {settings.topic('links')}: InvalidReplicationFactorError" in " ".join(
        one.detail for one in refused
    )
    assert asyncio.run(_state(settings)) == before


@pytest.mark.parametrize(("seconds", "remedy"), [(2, "RIHLA_SESSION_TIMEOUT=6"), (900, "RIHLA_SESSION_TIMEOUT=300")])
def test_a_session_timeout_that_the_brokers_refuse(seconds: float, remedy: str) -> None:
    (found,) = session(Settings(session_timeout=seconds), 6, 300)
    assert found.detail == f"session_timeout is {seconds} s; the brokers take at least 6 s and at most 300 s"
    assert (found.remedy or "").startswith(remedy)
    assert session(Settings(session_timeout=30), 6, 300) == session(Settings(session_timeout=seconds), None, None) == []


@pytest.mark.kafka
def test_the_brokers_tell_which_session_timeouts_they_take(kafka_broker: Broker, topic_prefix: str) -> None:
    async def limits() -> tuple[float | None, float | None]:
        async with administering(kafka_broker.settings(topic_prefix)) as admin:
            node = (await admin.describe_cluster())["brokers"][0]["node_id"]
            return await session_limits(admin, node)

    assert asyncio.run(limits()) == (1.0, 1800.0)


def test_topics_on_the_embedded_broker_are_not_made(embedded_broker: Broker, topic_prefix: str) -> None:
    settings = embedded_broker.settings(topic_prefix)
    before = asyncio.run(_state(settings))
    examined(settings)
    assert asyncio.run(_state(settings)) == before


# -- registry --------------------------------------------------------------------------------------------------------


def ours() -> dict[str, Any]:
    """All our schemas, by subject."""
    schemas = [records.raw(name) for name in records.NAMES]
    return {f"{schema['namespace']}.{schema['name']}": schema for schema in schemas}


def booking_without_time() -> dict[str, Any]:
    subjects = ours()
    booking = subjects["rihla.Booking"]
    booking["fields"] = [one for one in booking["fields"] if one["name"] != "occurred_at"]
    return subjects


@pytest.mark.parametrize(
    ("answers", "said", "remedy"),
    [
        (lambda *_: (200, "<html>Welcome</html>"), "with a web page", "mend the URL"),
        (lambda *_: (200, '{"version": "9.1"}'), "with no list", "mend the URL"),
        (lambda *_: (404, "not found"), "has no /subjects", "mend the URL"),
        (lambda *_: (401, "who are you"), "refuses these credentials (401)", "user and password"),
        (lambda *_: (503, "later"), "with status 503", "registry's own log"),
        (standins.registry(booking_without_time()), "rihla.Booking there cannot be read as ours", "register ours"),
    ],
)
def test_what_is_no_registry_of_ours(answers: standins.Answers, said: str, remedy: str) -> None:
    with standins.web(answers) as server:
        found = doctor("--registry", f"http://me:SECRET@{server.address}")[f"registry {server.url}"]
    assert said in found.detail
    assert remedy in (found.remedy or "")
    assert {method for method, _ in server.asked} == {"GET"}


@pytest.mark.parametrize("wire", ["confluent", "single-object"])
@pytest.mark.parametrize("subjects", [{}, ours()])
def test_a_registry_is_only_read(subjects: dict[str, Any], wire: str) -> None:
    with standins.web(standins.registry(subjects)) as server:
        assert doctor("--registry", server.url, "--wire", wire) == {}
    assert server.asked[0] == ("GET", "/subjects")
    assert {method for method, _ in server.asked} == {"GET"}


def test_a_registry_that_is_not_there() -> None:
    assert "nothing listens on port 1" in doctor("--registry", f"http://{NOWHERE}")[f"registry http://{NOWHERE}"].detail
    found = doctor("--registry", "http://no-such-host.invalid:8081")["registry http://no-such-host.invalid:8081"]
    assert "no host of the name" in found.detail


# -- ClickHouse ------------------------------------------------------------------------------------------------------

NATIVE = "Port 9000 is for clickhouse-client program\nYou must use port 8123 for HTTP.\n"
DENIED = "Code: 516. DB::Exception: default: Authentication failed: password is incorrect. (AUTHENTICATION_FAILED)"


def _denied(method: str, path: str) -> tuple[int, str]:
    return (200, "Ok.\n") if path == "/ping" else (403, DENIED)


@pytest.mark.parametrize(
    ("answers", "headers", "said", "remedy"),
    [
        (lambda *_: (400, NATIVE), {}, "native protocol", "HTTP port, often 8123"),
        (lambda *_: (200, "<html>"), {}, "not ClickHouse", "HTTP port, often 8123"),
        (_denied, {"X-ClickHouse-Exception-Code": "516"}, "refuses this user and password", "another user or password"),
    ],
)
def test_what_is_no_clickhouse_of_ours(
    answers: standins.Answers, headers: dict[str, str], said: str, remedy: str
) -> None:
    with standins.web(answers, headers) as server:
        found = doctor("--clickhouse", f"http://me:SECRET@{server.address}")[f"ClickHouse {server.url}"]
    assert said in found.detail
    assert remedy in (found.remedy or "")
    assert "SECRET" not in found.detail


def test_the_native_port_of_clickhouse() -> None:
    """It answers HTTP by hand: without headers that a client would take."""
    with standins.port(b"HTTP/1.0 400 Bad Request\r\n\r\n" + NATIVE.encode()) as address:
        assert "native protocol" in doctor("--clickhouse", f"http://{address}")[f"ClickHouse http://{address}"].detail


def test_a_clickhouse_that_is_not_there() -> None:
    assert "nothing listens" in doctor("--clickhouse", f"http://{NOWHERE}")[f"ClickHouse http://{NOWHERE}"].detail


def test_the_database(clickhouse: ClickHouse, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    url, about = clickhouse.url, f"ClickHouse {clickhouse.address}"
    settings = Settings(clickhouse=url, database=clickhouse.database)

    def found(**changes: str) -> dict[str, Finding]:
        options = {"--clickhouse": url, "--database": settings.database, **{f"--{k}": v for k, v in changes.items()}}
        return doctor(*(part for option in options.items() for part in option))

    assert "migrations are missing" in found()[f"database {settings.database}"].detail
    assert found()[f"database {settings.database}"].remedy == "rihla migrate"
    nowhere = found(database="nowhere")["database nowhere"]
    assert nowhere.detail == "there is no such database"
    migrate(clickhouse.client, settings.database)
    assert found() == {}
    ahead = doctor_clickhouse.time.time
    monkeypatch.setattr(doctor_clickhouse.time, "time", lambda: ahead() + 60)
    assert "60 s ahead of ClickHouse's" in found()["clock"].detail
    monkeypatch.undo()
    monkeypatch.setattr(doctor_clickhouse, "OLDEST", (99, 1))
    assert "tried with none before 99.1" in found()[about].detail
    clickhouse.client.command("ALTER TABLE schema_migrations UPDATE checksum = 'x' WHERE 1 SETTINGS mutations_sync = 1")
    assert "another content" in found()[f"database {settings.database}"].detail


def test_a_user_who_may_only_read() -> None:
    (found,) = doctor_clickhouse.rights("ClickHouse here", lambda query: "1" if "readonly" in query else "")
    assert "may only read" in found.detail
    assert "another user" in (found.remedy or "")
    assert not list(doctor_clickhouse.rights("ClickHouse here", lambda query: 0))


def test_findings_for_people_keep_their_form() -> None:
    code, out = _output("doctor", "--brokers", NOWHERE)
    assert code == 1
    lines = out.splitlines()
    at = lines.index(f"problem  broker {NOWHERE}: nothing listens on port 1 of 127.0.0.1")
    assert lines[at + 1].startswith("           start the broker")
    assert lines[-1] == "1 problem"
