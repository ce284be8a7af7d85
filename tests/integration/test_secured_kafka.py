"""A secured Kafka: every way in, every reason to be kept out, and each worker and command with no right too many."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import NewTopic

from schemas.foreign import ForeignReader
from sinks.clickhouse.client import connect
from streams.kafka import clients
from streams.kafka.acl_check import AclError, missing, require
from streams.kafka.acls import ACCESS, CREATE, DESCRIBE, FEED, PIPELINE, Acl, acls, feed_group
from streams.kafka.refusals import BrokerRefusedError
from streams.kafka.topics import TopicDeniedError, ensure_topics
from streams.serve.tokens import entry
from streams.settings import Settings, environment
from streams.sources.mapping.model import load
from streams.sources.topics import Read, feed_topic
from streams.topology import PROCESSES, WORKERS_BY_NAME
from tests.support.clickhouse import ClickHouse
from tests.support.secured import Secured, password, secured, token
from tests.support.waiting import wait_until
from tests.support.workers import administering, producing

__all__ = ["secured"]

pytestmark = pytest.mark.kafka
WAYS = (
    "SSL",
    "SASL_PLAINTEXT PLAIN",
    "SASL_PLAINTEXT SCRAM-SHA-256",
    "SASL_PLAINTEXT OAUTHBEARER",
    "SASL_SSL PLAIN",
    "SASL_SSL SCRAM-SHA-512",
    "SASL_SSL OAUTHBEARER",
)
STRONG = "SASL_SSL SCRAM-SHA-512"


async def topics_seen(settings: Settings) -> list[str]:
    """The topics that the broker shows to a user."""
    admin = clients.admin(settings)
    try:
        await admin.start()
        return list(await admin.list_topics())
    finally:
        await admin.close()


@pytest.mark.parametrize("way", WAYS)
def test_every_way_in(secured: Secured, topic_prefix: str, way: str) -> None:
    settings = secured.who("doctor", way, topic_prefix)
    asyncio.run(ensure_topics(secured.anybody(topic_prefix, partitions=1)))
    secured.grant("doctor", [Acl("topic", f"{topic_prefix}.", DESCRIBE, True)])
    assert settings.topic("booking") in asyncio.run(topics_seen(settings))


REFUSALS: list[tuple[str, str, dict[str, Any], str]] = [
    ("a wrong password", STRONG, {"sasl_password": "wrong-one"}, "does not let user enrich in by SCRAM-SHA-512: wrong"),
    ("a wrong password", "SASL_PLAINTEXT PLAIN", {"sasl_password": "wrong-one"}, "in by PLAIN: wrong user or password"),
    ("nobody known", STRONG, {"sasl_username": "ghost"}, "does not let user ghost in"),
    ("an expired certificate", "SSL", {"brokers": "EXPIRED"}, "certificate of .* has expired"),
    ("another host's certificate", "SSL", {"brokers": "ELSEWHERE"}, "is for another host name"),
    ("an unknown authority", STRONG, {"ssl_ca": "other-ca.pem"}, "signed by an authority that is not trusted"),
    ("the system's authorities", STRONG, {"ssl_ca": None}, "signed by an authority that is not trusted"),
    (
        "without TLS on a TLS port",
        "SASL_PLAINTEXT PLAIN",
        {"brokers": "SASL_SSL"},
        "speaks TLS, and RIHLA_SECURITY_PROT",
    ),
    ("TLS on a port without", STRONG, {"brokers": "SASL_PLAINTEXT"}, "does not speak TLS"),
    ("SASL on a port without", "SASL_PLAINTEXT PLAIN", {"brokers": "PLAINTEXT"}, "asks for no user"),
    ("no SASL on a port with", "SSL", {"brokers": "SASL_SSL"}, r"asks for a user \(SASL\)"),
    ("a mechanism not enabled", "SASL_SSL SCRAM-SHA-256", {}, "does not take SCRAM-SHA-256"),
    ("no client certificate", "SSL", {"ssl_certificate": None}, "asks for a client certificate, and none is set"),
    ("a client certificate of others", "SSL", {"ssl_certificate": "foreign.pem"}, "client certificate"),
]


@pytest.mark.parametrize(("what", "way", "changes", "said"), REFUSALS, ids=[f"{one[0]}, {one[1]}" for one in REFUSALS])
def test_each_refusal_has_its_own_sentence(
    secured: Secured, what: str, way: str, changes: dict[str, Any], said: str
) -> None:
    if what.endswith("of others"):
        import trustme

        made = trustme.CA().issue_cert("stranger.example")
        made.private_key_and_cert_chain_pem.write_to_path(str(secured.folder / "foreign.pem"))
    full = dict(changes)
    if "brokers" in full:
        full["brokers"] = secured.process.at(full["brokers"])
    for name in ("ssl_ca", "ssl_certificate"):
        if full.get(name):
            full[name] = str(secured.folder / full[name])
    with pytest.raises(BrokerRefusedError, match=said) as told:
        asyncio.run(topics_seen(secured.who("enrich", way, **full)))
    assert told.value.hint
    assert not told.value.heals
    assert password("enrich") not in str(told.value)


def test_a_token_that_is_none_and_one_that_has_ended(secured: Secured, tmp_path: Path) -> None:
    for text in ("no.token.", token("enrich", seconds=-3600)):
        file = tmp_path / "token"
        file.write_text(text)
        with pytest.raises(BrokerRefusedError, match="does not take the token") as told:
            asyncio.run(topics_seen(secured.who("enrich", "SASL_PLAINTEXT OAUTHBEARER", sasl_token_file=str(file))))
        assert text not in str(told.value)


def test_a_command_makes_the_token_and_what_it_fails_with_is_told(secured: Secured, tmp_path: Path) -> None:
    (tmp_path / "make").write_text(f"#!/bin/sh\necho '{token('enrich')}'\n")
    (tmp_path / "fail").write_text("#!/bin/sh\necho 'the vault is sealed' >&2\nexit 3\n")
    for file in tmp_path.iterdir():
        file.chmod(0o755)
    way = {"sasl_token_file": None, "sasl_token_command": str(tmp_path / "make")}
    asyncio.run(topics_seen(secured.who("enrich", "SASL_PLAINTEXT OAUTHBEARER", **way)))
    way["sasl_token_command"] = str(tmp_path / "fail")
    with pytest.raises(BrokerRefusedError, match="ended with status 3: the vault is sealed"):
        asyncio.run(topics_seen(secured.who("enrich", "SASL_PLAINTEXT OAUTHBEARER", **way)))


def test_certificates_renewed_on_disk_are_taken_at_the_next_connection(secured: Secured, tmp_path: Path) -> None:
    ours = tmp_path / "ours.pem"
    shutil.copy(secured.folder / "doctor.pem", ours)
    options = clients.client_options(secured.who("doctor", "SSL", ssl_certificate=str(ours)))
    context = options["ssl_context"]

    async def subject() -> str:
        reader, writer = await asyncio.open_connection("localhost", secured.process.ports["SSL"], ssl=context)
        writer.close()
        return str(reader)

    asyncio.run(subject())
    before = context._stamps
    ours.write_bytes((secured.folder / "enrich.pem").read_bytes())
    os.utime(ours, ns=(1, 1))
    asyncio.run(subject())
    assert context._stamps != before
    ours.write_text("half a file")
    asyncio.run(subject())  # goes on with what it had


@pytest.fixture
def topics(secured: Secured, topic_prefix: str) -> str:
    """A prefix whose topics and changelogs are there."""
    asyncio.run(ensure_topics(secured.anybody(topic_prefix, partitions=1)))
    return topic_prefix


@pytest.mark.parametrize("who", [name for name in ACCESS if name != "repartition"])
def test_a_missing_right_is_named_with_the_command_that_grants_it(secured: Secured, topics: str, who: str) -> None:
    settings = secured.who(who, STRONG, topics)
    asyncio.run(ensure_changelog_topics(secured, settings, who))
    rights = acls(settings, who, create=False)
    single = [right for right in rights if not right.prefixed]
    secured.grant(who, [right for right in rights if right.prefixed])
    if single:
        with pytest.raises(AclError) as told:
            asyncio.run(require(settings, who))
        assert all(str(right) in str(told.value) for right in single if right.operation != DESCRIBE)
        secured.grant(who, single[:-1])
        lacking = asyncio.run(missing(settings, who))
        assert lacking == single[-1:]
        with pytest.raises(AclError) as told:
            asyncio.run(require(settings, who))
        assert f"user {who} may not {single[-1]}" in str(told.value)
        assert told.value.hint is not None
        assert f"--allow-principal User:{who} --operation {single[-1].operation}" in told.value.hint
        secured.grant(who, single[-1:])
    asyncio.run(require(settings, who))


async def ensure_changelog_topics(secured: Secured, settings: Settings, who: str) -> None:
    """Make a worker's changelogs."""
    from streams.kafka.topics import ensure_changelogs

    tables = ACCESS[who].changelogs
    names = {f"{settings.group(who)}-{table}-changelog": 1 for table in tables}
    await ensure_changelogs(secured.anybody(settings.prefix), names)


MAPPING = """source = "pms"
[[events]]
name = "booked"
key = ["no"]
touchpoint = { value = "booking.confirmed" }
medium = { value = "web" }
occurred_at = "at"
booking_ref = "no"
ids = [{ kind = "email_sha256", column = "email" }]
"""


def test_a_topic_of_another_system_is_read_with_the_rights_of_feed_and_no_more(
    secured: Secured, topics: str, tmp_path: Path
) -> None:
    (tmp_path / "m.toml").write_text(MAPPING)
    settings, topic = secured.who("produce", STRONG, topics, partitions=1), f"pms-{topics}"
    group = f"{topics}-of-mine"

    async def put() -> None:
        async with administering(secured.anybody(topics)) as admin:
            await admin.create_topics([NewTopic(topic, 1, 1)])
        async with producing(secured.anybody(topics)) as producer:
            told = {"no": "1", "at": "2025-03-01T09:30:00Z", "email": "amina@example.com"}
            await producer.send_and_wait(topic, json.dumps(told).encode())

    def feed(group: str | None) -> Read:
        mapping, joined = load(str(tmp_path / "m.toml")), group or feed_group(settings, topic)
        return asyncio.run(feed_topic(settings, topic, mapping, ForeignReader(None), group=joined, to_end=True))

    asyncio.run(put())
    secured.grant("produce", acls(settings, "produce"))
    for named in (None, group):
        with pytest.raises(AclError, match=f"READ topic {topic}|READ group {named or feed_group(settings, topic)}"):
            feed(named)
        secured.grant("produce", acls(settings, f"{FEED}{topic}", group=named))
        assert feed(named).events == {"booking": 1}


def test_who_may_not_make_a_topic_is_told_which(secured: Secured, topic_prefix: str) -> None:
    settings = secured.who("produce", STRONG, topic_prefix)
    with pytest.raises(TopicDeniedError, match=f"may not CREATE topic {topic_prefix}"):
        asyncio.run(ensure_topics(settings))


EVENTS = """\
{"channel": "booking", "event_id": "6f3c2a52-3d0e-4f6c-9a0f-1d1f0f7f0a01", "occurred_at": "2025-02-01T09:30:00Z", "ids": [{"kind": "customer", "value": "C-1001"}, {"kind": "device", "value": "phone-7"}], "booking_ref": "UMR-77", "touchpoint": "booking.confirmed", "medium": "web"}
{"channel": "post_travel", "event_id": "6f3c2a52-3d0e-4f6c-9a0f-1d1f0f7f0a03", "occurred_at": "2025-03-12T18:00:00Z", "ids": [{"kind": "device", "value": "phone-7"}], "touchpoint": "post_travel.review_posted", "medium": "app"}
{"channel": "stay", "event_id": "none", "occurred_at": "2025-03-12T18:00:00Z", "ids": [], "touchpoint": "stay.arrived", "medium": "app"}
"""  # noqa: E501
BY = {
    "enrich": STRONG,
    "identity": "SSL",
    "stitch": "SASL_PLAINTEXT PLAIN",
    "deliver": STRONG,
    "sink": "SASL_PLAINTEXT OAUTHBEARER",
    "collect": STRONG,
    "serve": "SSL",
    "produce": "SASL_PLAINTEXT SCRAM-SHA-256",
    "replay": STRONG,
    "verify": "SSL",
    "forget": "SASL_PLAINTEXT OAUTHBEARER",
    "doctor": STRONG,
}


class Site:
    """Workers and commands, each as a user of its own with the rights that `rihla acls` prints, and no other."""

    def __init__(self, secured: Secured, prefix: str, folder: Path, clickhouse: ClickHouse) -> None:
        self.folder = folder
        (folder / "tokens.toml").write_text(entry("desk", "agent", "only for this test"))
        where = {"clickhouse": clickhouse.url, "database": clickhouse.database}
        where |= {"collect_port": 0, "collect_token": "only for this test"}
        where |= {"serve_port": 0, "serve_folder": str(folder), "serve_tokens": str(folder / "tokens.toml")}
        self.settings = {user: secured.who(user, way, prefix, partitions=2, **where) for user, way in BY.items()}
        for user, settings in self.settings.items():
            secured.grant(user, acls(settings, user))
        self.stack = ExitStack()

    def environment(self, user: str) -> dict[str, str]:
        """A user's environment."""
        return {**os.environ, **environment(self.settings[user]), "RIHLA_ERASURE_KEY": "0123456789abcdef" * 2}

    def start(self, worker: str) -> None:
        """Start a worker as a process, stopped by the stack."""
        log = self.stack.enter_context((self.folder / f"{worker}.log").open("w"))
        command = [sys.executable, "-m", "streams.cli", "worker", worker, "--metrics-port", "0"]
        process = subprocess.Popen(command, env=self.environment(worker), stdout=log, stderr=log)
        self.stack.callback(process.wait)
        self.stack.callback(process.terminate)

    def said(self, worker: str) -> str:
        """What a worker has logged."""
        return (self.folder / f"{worker}.log").read_text()

    def rihla(self, user: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command as a user."""
        command = [sys.executable, "-m", "streams.cli", *arguments]
        return subprocess.run(command, env=self.environment(user), capture_output=True, text=True, check=False)


@pytest.fixture
def site(secured: Secured, topic_prefix: str, tmp_path: Path, clickhouse: ClickHouse) -> Iterator[Site]:
    """The whole pipeline on the secured Kafka and the embedded engine."""
    made = Site(secured, topic_prefix, tmp_path, clickhouse.migrated())
    with made.stack:
        yield made


def test_workers_and_commands_need_no_more_than_is_listed(site: Site, tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text(EVENTS)
    produced = site.rihla("produce", "produce", str(tmp_path / "events.jsonl"))
    assert produced.returncode == 3, produced.stderr  # one of the events is none
    for worker in PROCESSES:
        site.start(worker)
    for service, said in (("collect", "collecting http"), ("serve", "serving http")):
        wait_until(lambda one=service, text=said: text in site.said(one), seconds=1800, what=f"{service} to listen")

    def stored() -> bool:
        for worker in PROCESSES:
            assert "Traceback" not in site.said(worker), site.said(worker)
            assert "worker stopped" not in site.said(worker), site.said(worker)
            assert "may not" not in site.said(worker), site.said(worker)
        with closing(connect(site.settings["sink"].clickhouse, site.settings["sink"].database)) as client:
            counts = [int(client.command(f"SELECT count() FROM {table}")) for table in ("interactions", "dead_letters")]
            customers = client.command("SELECT count() FROM journeys WHERE customer_id = 'C-1001'")
        return counts == [2, 1] and int(customers) > 0

    wait_until(stored, seconds=1800, what="the events to be stored")
    verified = site.rihla(
        "verify", "verify", "--clickhouse", site.settings["verify"].clickhouse, "--source", "topics", "--settle", "1"
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr
    replayed = site.rihla("replay", "replay")
    assert replayed.returncode == 0, replayed.stderr
    assert "1  letters sent" in replayed.stdout
    forgotten = site.rihla("forget", "forget", "C-1001", "--delete-records")
    assert forgotten.returncode == 0, forgotten.stdout + forgotten.stderr
    assert "not deleted" not in forgotten.stdout
    looked = site.rihla("doctor", "doctor")
    assert "answers" in looked.stdout
    assert "no problems" in looked.stdout, looked.stdout


def test_the_whole_pipeline_runs_as_one_user(secured: Secured, topic_prefix: str, tmp_path: Path) -> None:
    settings = secured.who(PIPELINE, STRONG, topic_prefix, partitions=1)
    secured.grant(PIPELINE, acls(settings, PIPELINE))
    (tmp_path / "events.jsonl").write_text("".join(EVENTS.splitlines(keepends=True)[:2]))
    done = subprocess.run(
        [sys.executable, "-m", "streams.cli", "run", "events.jsonl", "--data", "data", "--broker", settings.brokers],
        cwd=tmp_path, env={**os.environ, **environment(settings), "PYTHONPATH": os.getcwd()},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Every event is accounted for" in done.stdout
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or password(PIPELINE).encode() not in file.read_bytes(), file


def test_a_worker_without_its_rights_says_so_and_ends_with_1(secured: Secured, topics: str) -> None:
    settings = secured.who("nobody", STRONG, topics)
    done = subprocess.run(
        [sys.executable, "-m", "streams.cli", "worker", "enrich", "--metrics-port", "0"],
        env={**os.environ, **environment(settings)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "rihla: user nobody may not READ group" in done.stderr
    assert f"WRITE topic {topics}.links" in done.stderr
    assert "kafka-acls.sh" in done.stderr


def test_a_pipeline_needs_what_its_parts_need() -> None:
    rights = set(acls(Settings(), PIPELINE))
    for one in (*WORKERS_BY_NAME, "produce"):
        assert rights >= set(acls(Settings(), one))
    assert not {right for right in rights if right.operation in ("Delete", "AlterConfigs")}
    assert not any(right.operation == CREATE for right in acls(Settings(prefix="p"), "enrich", create=False))
