"""Finds out why Kafka refuses a connection: a sentence for each reason.

aiokafka logs what goes wrong while it connects and raises "Unable to bootstrap" for everything. So the first broker is
asked again, step by step, with nothing in between: name, port, TLS, protocol, SASL.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Mapping
from typing import Any

from aiokafka.conn import create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from schemas import tls
from schemas.masking import hidden
from schemas.tls import Reason
from streams.errors import RihlaError
from streams.settings import Settings

STEP_SECONDS = 10.0
_API_VERSIONS = struct.pack(">ihhih5s", 15, 18, 0, 1, 5, b"rihla")
"""ApiVersions, version 0: what every broker answers to anybody who speaks its protocol."""


class BrokerRefusedError(KafkaConnectionError, RihlaError):  # type: ignore[misc]  # aiokafka is untyped
    """No connection to a broker; the message says why.

    heals: the same attempt may succeed later, because something may come back; else somebody must change something.
    """

    def __init__(self, reason: Reason) -> None:
        RihlaError.__init__(self, reason.sentence, reason.remedy)
        self.heals = reason.heals

    def __str__(self) -> str:
        return str(self.args[0])


async def explain(settings: Settings, options: Mapping[str, Any], error: BaseException) -> BrokerRefusedError:
    """The error to raise in the place of one of aiokafka's.

    options: of the client that failed, streams.kafka.clients.client_options.
    """
    reasons = []
    for address in settings.broker_list:
        host, _, port = address.rpartition(":")
        found = await _reason(settings, options, host.strip("[]"), int(port))
        if found is not None and not found.heals:
            return BrokerRefusedError(found)
        reasons.append(found)
    first = next((found for found in reasons if found is not None), None)
    if first is None:
        said = f"no connection to {settings.brokers}, which answers by now: {hidden(str(error))}"
        first = Reason(said, "try again", heals=True)
    return BrokerRefusedError(first)


async def _reason(settings: Settings, options: Mapping[str, Any], host: str, port: int) -> Reason | None:
    """Why one broker cannot be talked to; None where it can."""
    at = f"{host}:{port}"
    context = options.get("ssl_context")
    reached = await asyncio.to_thread(_reach, host, port)
    if reached is not None:
        return reached
    if context is not None:
        refused = await asyncio.to_thread(_over_tls, host, port, context, settings.ssl)
    else:
        refused = await asyncio.to_thread(_without_tls, host, port)
    return refused or await _let_in(settings, options, host, port, at)


def _reach(host: str, port: int) -> Reason | None:
    at = f"{host}:{port}"
    try:
        socket.create_connection((host, port), STEP_SECONDS).close()
    except socket.gaierror:
        return Reason(f"there is no host {host}", "is the name right? RIHLA_BROKERS", heals=True)
    except ConnectionRefusedError:
        return Reason(f"nothing listens at {at}", "start the broker, or name another: RIHLA_BROKERS", heals=True)
    except TimeoutError:
        said = f"{at} does not answer within {STEP_SECONDS:.0f} s"
        return Reason(said, "is a firewall between? RIHLA_BROKERS", heals=True)
    except OSError as error:
        return Reason(f"{at} cannot be reached: {error.strerror or error}", "RIHLA_BROKERS", heals=True)
    return None


def _speaks(connection: socket.socket) -> bool:
    """Whether a broker's protocol is spoken at the other end."""
    connection.sendall(_API_VERSIONS)
    head = b""
    while len(head) < 8:
        more = connection.recv(8 - len(head))
        if not more:
            return False
        head += more
    size, correlation = struct.unpack(">ii", head)
    return bool(correlation == 1 and 0 < size < 1 << 20)


def _over_tls(host: str, port: int, context: ssl.SSLContext, ours: tls.Tls) -> Reason | None:
    at = f"{host}:{port}"
    try:
        with (
            socket.create_connection((host, port), STEP_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=host) as wrapped,
        ):
            if _speaks(wrapped):
                return None
    except OSError as error:
        reason = tls.reason(error, at, "RIHLA_SSL", ours)
        if reason is not None and "does not speak TLS" not in reason.sentence:
            return reason
    try:
        with socket.create_connection((host, port), STEP_SECONDS) as plain:
            if _speaks(plain):
                said = f"{at} does not speak TLS: it is a port for PLAINTEXT or SASL_PLAINTEXT"
                return Reason(said, "set RIHLA_SECURITY_PROTOCOL to what it speaks, or name its TLS port")
    except OSError:
        pass
    return Reason(f"{at} speaks neither TLS nor Kafka's protocol", "is it a broker's port? RIHLA_BROKERS")


def _without_tls(host: str, port: int) -> Reason | None:
    at = f"{host}:{port}"
    try:
        with socket.create_connection((host, port), STEP_SECONDS) as plain:
            if _speaks(plain):
                return None
    except OSError:
        pass
    if not tls.speaks_tls(host, port, STEP_SECONDS):
        return Reason(f"{at} does not speak Kafka's protocol", "is it a broker's port? RIHLA_BROKERS")
    return Reason(f"{at} speaks TLS, and RIHLA_SECURITY_PROTOCOL is without", "set it to SSL or SASL_SSL")


async def _let_in(settings: Settings, options: Mapping[str, Any], host: str, port: int, at: str) -> Reason | None:
    """Why a broker that speaks as we do does not know us, or says nothing to us."""
    arguments = {name: value for name, value in options.items() if name != "bootstrap_servers"}
    who = f"user {settings.sasl_username}" if settings.sasl_username else "we"
    mechanism = settings.sasl_mechanism
    try:
        connection = await create_conn(host, port, request_timeout_ms=int(STEP_SECONDS * 1000), **arguments)
    except UnsupportedSaslMechanismError as error:
        enabled = str(error).rpartition("Enabled mechanisms are: ")[2] if "Enabled" in str(error) else ""
        said = f"{at} does not take {mechanism}" + (f", but {enabled}" if enabled else "")
        return Reason(said, "set RIHLA_SASL_MECHANISM to one that this listener has enabled")
    except IllegalSaslStateError:
        said = f"{at} asks for no user: it is a port without SASL"
        return Reason(said, "set RIHLA_SECURITY_PROTOCOL to PLAINTEXT or SSL, or name its SASL port")
    except (SaslAuthenticationFailed, AuthenticationFailedError) as error:
        return _not_known(settings, at, who, error)
    except RihlaError as error:
        return Reason(str(error), error.hint or "")
    except (KafkaError, OSError, TimeoutError, ValueError, AssertionError) as error:
        if settings.security_protocol.startswith("SASL_") and not isinstance(error, KafkaConnectionError | OSError):
            return _not_known(settings, at, who, error)
        return Reason(f"{at} ends the connection: {_said(error)}", "see the broker's log", heals=True)
    try:
        await connection.send(MetadataRequest([]))
    except KafkaError:
        if settings.security_protocol.startswith("SASL_"):
            return Reason(f"{at} ends the connection", "see the broker's log", heals=True)
        said = f"{at} asks for a user (SASL), and RIHLA_SECURITY_PROTOCOL is {settings.security_protocol}"
        return Reason(said, "set it to SASL_PLAINTEXT or SASL_SSL, with RIHLA_SASL_MECHANISM and who you are")
    except (OSError, TimeoutError) as error:
        return Reason(f"{at} ends the connection: {_said(error)}", "see the broker's log", heals=True)
    finally:
        connection.close()
    return None


def _not_known(settings: Settings, at: str, who: str, error: BaseException) -> Reason:
    if settings.sasl_mechanism == "OAUTHBEARER":
        said = f"{at} does not take the token: {_said(error)}"
        return Reason(said, "is it still valid? RIHLA_SASL_TOKEN_FILE or RIHLA_SASL_TOKEN_COMMAND")
    said = f"{at} does not let {who} in by {settings.sasl_mechanism}: wrong user or password"
    return Reason(said, "see RIHLA_SASL_USERNAME and RIHLA_SASL_PASSWORD (or RIHLA_SASL_PASSWORD_FILE)")


def _said(error: BaseException) -> str:
    return hidden(str(error)) or type(error).__name__
