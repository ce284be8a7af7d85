"""Probes what listens at an address with one small request of Kafka's protocol, which any broker answers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import Literal, NamedTuple

SECONDS = 5.0
"""Patience for a connection, and for an answer."""
_CORRELATION = 0x52494841
_BODY = struct.pack(">hhih", 18, 0, _CORRELATION, 5) + b"rihla"  # ApiVersions, version 0, correlation id, client id
_REQUEST = struct.pack(">i", len(_BODY)) + _BODY
_WEB_REQUEST, _WEB = b"GET / HTTP/1.0\r\n\r\n", b"HTTP/"

What = Literal["kafka", "unresolvable", "refused", "silent", "unreachable", "http", "tls", "closed", "other"]


class Answer(NamedTuple):
    """What was found, and a sentence about it."""

    what: What
    detail: str


async def ask(address: str) -> Answer:
    """Find out what listens at HOST:PORT."""
    answer = await _ask(address, _REQUEST)
    # A web server waits for the end of a line, which Kafka's requests need not have.
    if answer.what == "silent" and (await _ask(address, _WEB_REQUEST)).what == "http":
        return judge(_WEB)
    return answer


async def _ask(address: str, request: bytes) -> Answer:
    host, _, port = address.rpartition(":")
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(host.strip("[]"), int(port)), SECONDS)
    except socket.gaierror:
        return Answer("unresolvable", f"there is no host of the name {host}")
    except ConnectionRefusedError:
        return Answer("refused", f"nothing listens on port {port} of {host}")
    except TimeoutError:
        return Answer("silent", f"no connection within {SECONDS:.0f} s")
    except OSError as error:
        return Answer("unreachable", error.strerror or str(error))
    try:
        writer.write(request)
        await writer.drain()
        first = await asyncio.wait_for(reader.read(64), SECONDS)
    except TimeoutError:
        return Answer("silent", f"a connection, but no answer within {SECONDS:.0f} s")
    except OSError:
        first = b""
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    return judge(first)


def judge(first: bytes) -> Answer:
    """What the first bytes of an answer tell."""
    if not first:
        return Answer("closed", "the connection was closed without an answer")
    if first.startswith(_WEB) or first.lstrip().startswith(b"<"):
        return Answer("http", "a web server answers there, not Kafka")
    if first[0] in (0x15, 0x16) and first[1:2] == b"\x03":
        return Answer("tls", "the listener speaks TLS, and was asked without")
    if len(first) >= 8 and struct.unpack(">i", first[4:8])[0] == _CORRELATION:
        return Answer("kafka", "answers")
    return Answer("other", "what answers there does not speak Kafka's protocol")
