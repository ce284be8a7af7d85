"""Every client of Kafka is made here: consumers, producers, admin clients, and the credentials of a worker's app.

The settings become keyword arguments of aiokafka. A client that cannot connect asks why (streams.kafka.refusals) and
says so: aiokafka itself raises the same error for all reasons.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import shlex
import subprocess
import time
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition, conn
from aiokafka.abc import AbstractTokenProvider
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError, KafkaError

from schemas.masking import hidden, learn
from schemas.tls import TlsError
from streams.errors import RihlaError
from streams.kafka.refusals import explain
from streams.settings import Settings, SettingsError

COMMAND_SECONDS = 30.0
RENEW_BEFORE = 30.0
"""Seconds before a token's end from which on a new one is asked for."""
KEPT = 60.0
"""Seconds for which a command's token is kept if it does not say when it expires."""


class TokenError(KafkaError, RihlaError):  # type: ignore[misc]  # aiokafka is untyped
    """There is no token to be had; the message says why, and no token."""

    def __init__(self, message: str) -> None:
        RihlaError.__init__(self, message, "see RIHLA_SASL_TOKEN_FILE or RIHLA_SASL_TOKEN_COMMAND")

    def __str__(self) -> str:
        return str(self.args[0])


class Tokens(AbstractTokenProvider):  # type: ignore[misc]
    """OAUTHBEARER's token for each new connection: from a file, read anew, or from a command, run when it is due."""

    def __init__(self, file: str | None, command: str | None) -> None:
        self._file, self._command = file, command
        self._kept, self._until = "", 0.0

    async def token(self) -> str:
        """The token as it is now. Raises TokenError."""
        if time.time() >= self._until:
            found = await asyncio.to_thread(self._read if self._command is None else self._run)
            if not found:
                raise TokenError("the token is empty")
            learn(found)
            self._kept = found
            self._until = 0.0 if self._command is None else (expiry(found) or time.time() + KEPT + RENEW_BEFORE)
            self._until -= RENEW_BEFORE
        return self._kept

    def _read(self) -> str:
        try:
            return Path(self._file or "").read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise TokenError(f"the token's file {self._file} cannot be read: {error}") from error

    def _run(self) -> str:
        """What the command prints; it is run without a shell."""
        words = shlex.split(self._command or "")
        try:
            done = subprocess.run(
                words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError) as error:
            raise TokenError(f"the token's command {words[0]} did not run: {type(error).__name__}") from error
        if done.returncode:
            said = hidden(done.stderr.strip().splitlines()[-1]) if done.stderr.strip() else "it said nothing"
            raise TokenError(f"the token's command {words[0]} ended with status {done.returncode}: {said}")
        return done.stdout.strip()


class _Answering(conn.OAuthAuthenticator):  # type: ignore[misc]
    """aiokafka mistakes a broker's refusal of a token, which gives the reason and waits for an answer, for success.

    The answer is one octet (RFC 7628, 3.2.3); the broker then ends the authentication with an error.
    """

    _answered = False

    async def step(self, payload: bytes | None) -> tuple[bytes, bool] | None:
        """The next token to send, None after the last one."""
        if payload and self._token_sent and not self._answered:
            self._answered = True
            return b"\x01", True
        following: tuple[bytes, bool] | None = await super().step(payload)
        return following


conn.OAuthAuthenticator = _Answering


def expiry(token: str) -> float | None:
    """When a JSON web token ends, seconds since 1970; None where it does not say, or is none."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return float(claims["exp"])
    except (binascii.Error, ValueError, KeyError, TypeError):
        return None


def client_options(settings: Settings) -> dict[str, Any]:
    """Keyword arguments of aiokafka's clients: where the brokers are, and who we are there.

    Raises SettingsError where a file of a certificate cannot be used.
    """
    options: dict[str, Any] = {
        "bootstrap_servers": settings.broker_list,
        "security_protocol": settings.security_protocol,
    }
    if settings.security_protocol.endswith("SSL"):
        try:
            options["ssl_context"] = settings.ssl.context()
        except TlsError as error:
            raise SettingsError(str(error)) from error
    if settings.security_protocol.startswith("SASL_"):
        options["sasl_mechanism"] = settings.sasl_mechanism
        if settings.sasl_mechanism == "OAUTHBEARER":
            options["sasl_oauth_token_provider"] = Tokens(settings.sasl_token_file, settings.sasl_token_command)
        else:
            options["sasl_plain_username"] = settings.sasl_username
            options["sasl_plain_password"] = settings.sasl_password
    return options


class _Explaining:
    """A client that says why it could not connect."""

    settings: Settings

    async def start(self) -> None:
        """See aiokafka. Raises BrokerRefusedError in the place of KafkaConnectionError."""
        try:
            await super().start()  # type: ignore[misc]
        except KafkaConnectionError as error:
            raise await explain(self.settings, client_options(self.settings), error) from error


class _Consumer(_Explaining, AIOKafkaConsumer):  # type: ignore[misc]
    pass


class _Producer(_Explaining, AIOKafkaProducer):  # type: ignore[misc]
    pass


class _Admin(_Explaining, AIOKafkaAdminClient):  # type: ignore[misc]
    pass


def consumer(settings: Settings, *topics: str, **options: Any) -> AIOKafkaConsumer:
    """A consumer, to be started; options: those of aiokafka.

    Where it has no offset it begins at the earliest. aiokafka's own default, the latest, is asked for as soon as a
    partition is assigned, and may be answered after a `seek_to_beginning`: then all that is there would be passed over.
    """
    made = _Consumer(*topics, **client_options(settings), **{"auto_offset_reset": "earliest"} | options)
    made.settings = settings
    return made


def producer(settings: Settings, **options: Any) -> AIOKafkaProducer:
    """A producer, to be started; options: those of aiokafka."""
    made = _Producer(**client_options(settings), **options)
    made.settings = settings
    return made


def admin(settings: Settings, **options: Any) -> AIOKafkaAdminClient:
    """An admin client, to be started; options: those of aiokafka."""
    made = _Admin(**client_options(settings), **options)
    made.settings = settings
    return made


def credentials(settings: Settings) -> Any:
    """The same as Faust takes it: for `broker_credentials` of an app; None for PLAINTEXT."""
    from faust.auth import OAuthCredentials, SASLCredentials, SSLCredentials

    options = client_options(settings)
    context, mechanism = options.get("ssl_context"), options.get("sasl_mechanism")
    if mechanism == "OAUTHBEARER":
        return OAuthCredentials(oauth_cb=options["sasl_oauth_token_provider"], ssl_context=context)
    if mechanism is not None:
        return SASLCredentials(
            username=options["sasl_plain_username"],
            password=options["sasl_plain_password"],
            ssl_context=context,
            mechanism=mechanism,
        )
    return None if context is None else SSLCredentials(context)


async def partitions_of(consumer: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    """The partitions that a topic has now, whatever the settings say; none where there is no such topic.

    consumer: started. Raises aiokafka's errors.
    """
    numbers = consumer.partitions_for_topic(topic)
    if numbers is None:
        await consumer._client.force_metadata_update()
        cluster = await consumer._client.fetch_all_metadata()
        numbers = cluster.partitions_for_topic(topic) or set()
    return [TopicPartition(topic, number) for number in sorted(numbers)]
