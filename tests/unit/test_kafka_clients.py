"""Clients of Kafka are made in one place, from the settings, and say who we are."""

from __future__ import annotations

import ast
import asyncio
import base64
import json
from pathlib import Path

import pytest
from aiokafka import TopicPartition

from streams.kafka import clients
from streams.kafka.clients import TokenError, Tokens, client_options, credentials, expiry
from streams.kafka.topics import ensure_topics
from streams.settings import Settings, SettingsError
from streams.topology import SCHEMAS
from tests.support.brokers import Broker

ROOT = Path(__file__).parents[2]
MAKERS = {"AIOKafkaConsumer", "AIOKafkaProducer", "AIOKafkaAdminClient", "AIOKafkaClient"}
HERE = "streams/kafka/clients.py"


def test_no_client_is_made_elsewhere() -> None:
    found = []
    for file in (*ROOT.glob("streams/**/*.py"), *ROOT.glob("schemas/**/*.py"), *ROOT.glob("sinks/**/*.py")):
        name = str(file.relative_to(ROOT))
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            named = {keyword.arg for keyword in node.keywords}
            if (called in MAKERS or "bootstrap_servers" in named) and name != HERE:
                found.append(f"{name}:{node.lineno}")
    assert not found, "made outside of streams.kafka.clients, so without TLS and without a user"


def test_the_app_of_a_worker_has_the_same_credentials() -> None:
    text = (ROOT / "streams/kafka/app.py").read_text("utf-8")
    assert "broker_credentials=clients.credentials(settings)" in text


async def test_who_begins_at_the_beginning_passes_nothing_over(memory_broker: Broker, topic_prefix: str) -> None:
    """aiokafka asks for the latest offset by default as soon as a partition is assigned, and that may be answered
    after `seek_to_beginning`: one read in four passed everything over."""
    settings = memory_broker.settings(topic_prefix)
    await ensure_topics(settings)
    partition = TopicPartition(settings.topic(SCHEMAS), 0)
    producer = clients.producer(settings)
    await producer.start()
    await producer.send_and_wait(partition.topic, b"value", b"key", partition=0)
    await producer.stop()

    async def first() -> int:
        consumer = clients.consumer(settings, group_id=None)
        await consumer.start()
        consumer.assign([partition])
        await consumer.end_offsets([partition])
        await consumer.seek_to_beginning(partition)
        position: int = await consumer.position(partition)
        await consumer.stop()
        return position

    assert [await first() for _ in range(30)] == [0] * 30


def test_options() -> None:
    plain = client_options(Settings(brokers="a:1,b:2"))
    assert plain == {"bootstrap_servers": ["a:1", "b:2"], "security_protocol": "PLAINTEXT"}
    assert credentials(Settings()) is None
    scram = Settings(
        security_protocol="SASL_SSL", sasl_mechanism="SCRAM-SHA-512", sasl_username="u", sasl_password="secret"
    )
    options = client_options(scram)
    assert (options["sasl_mechanism"], options["sasl_plain_username"], options["sasl_plain_password"]) == (
        "SCRAM-SHA-512", "u", "secret",
    )  # fmt: skip
    assert options["ssl_context"].check_hostname
    told = credentials(scram)
    assert (told.protocol.value, told.mechanism.value, told.password) == ("SASL_SSL", "SCRAM-SHA-512", "secret")
    assert "secret" not in repr(told)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"security_protocol": "TLS"}, "is not one of PLAINTEXT, SSL"),
        ({"security_protocol": "SASL_SSL"}, "PLAIN needs sasl_username and sasl_password"),
        ({"security_protocol": "SASL_SSL", "sasl_mechanism": "GSSAPI"}, "is not one of PLAIN"),
        ({"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER"}, "needs sasl_token_file or"),
        (
            {"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER", "sasl_token_command": "say 'x"},
            "sasl_token_command is no command: No closing quotation",
        ),
        ({"brokers": "u:S3CR3T@h:9092"}, r"brokers: '\*\*\*@h:9092' is not HOST:PORT"),
        ({"sasl_username": "u"}, "of no use with security_protocol PLAINTEXT"),
        ({"ssl_ca": "x"}, "of no use with security_protocol PLAINTEXT"),
    ],
)
def test_what_does_not_fit_together_is_told(given: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        Settings(**given)  # type: ignore[arg-type]


def test_files_that_are_no_certificates_are_told(tmp_path: Path) -> None:
    (tmp_path / "nothing").write_text("nothing")
    for name, file, said in (
        ("ssl_ca", "missing", "ssl_ca: .*missing cannot be read: No such file"),
        ("ssl_ca", "nothing", "ssl_ca: .*nothing holds no certificate"),
        ("ssl_certificate", "nothing", "ssl_certificate: .*nothing are no certificate"),
        ("ssl_key", "nothing", "ssl_key is set and ssl_certificate is not"),
    ):
        with pytest.raises(SettingsError, match=said):
            client_options(Settings(security_protocol="SSL", **{name: str(tmp_path / file)}))  # type: ignore[arg-type]


def test_tokens_are_read_anew_and_kept_as_long_as_they_last(tmp_path: Path) -> None:
    file = tmp_path / "token"
    tokens = Tokens(str(file), None)
    for text in ("first-token", "second-token"):
        file.write_text(f"{text}\n")
        assert asyncio.run(tokens.token()) == text
    file.unlink()
    with pytest.raises(TokenError, match="cannot be read"):
        asyncio.run(tokens.token())
    count = tmp_path / "count"
    claims = base64.urlsafe_b64encode(json.dumps({"exp": 4_000_000_000}).encode()).decode().rstrip("=")
    (tmp_path / "make").write_text(f"#!/bin/sh\necho x >> {count}\necho a.{claims}.c\n")
    (tmp_path / "make").chmod(0o755)
    tokens = Tokens(None, str(tmp_path / "make"))
    assert asyncio.run(tokens.token()) == asyncio.run(tokens.token()) == f"a.{claims}.c"
    assert count.read_text() == "x\n"
    assert expiry(f"a.{claims}.c") == 4_000_000_000
    assert expiry("opaque") is None
    assert expiry("a.b.c") is None
