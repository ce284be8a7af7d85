"""E-mail over SMTP, by aiosmtplib. The connection is made to an address that was judged (streams.deliver.egress)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from email.message import EmailMessage

try:
    import aiosmtplib
except ImportError:
    aiosmtplib = None  # type: ignore[assignment]

from streams.deliver.egress import Network, addresses_of, judged
from streams.deliver.lane import Failure
from streams.deliver.message import Message
from streams.deliver.model import Email
from streams.deliver.senders import Undelivered
from streams.errors import RihlaError


def mailer(
    target: Email, password: str | None, private: Iterable[Network], timeout: float
) -> Callable[[Message], Awaitable[int | None]]:
    """A sender of messages to a target. timeout: seconds for each step. Raises RihlaError without aiosmtplib."""
    if aiosmtplib is None:
        raise RihlaError("e-mail needs aiosmtplib, which is not installed", "pip install 'rihla[deliver]'")
    named = tuple(private)

    async def send(message: Message) -> int | None:
        client = aiosmtplib.SMTP(
            hostname=target.host,
            port=None,
            sock=await _connected(target, named, timeout),
            timeout=timeout,
            use_tls=target.security == "tls",
            start_tls=target.security == "starttls",
            username=target.username,
            password=password,
        )
        try:
            async with client:
                await client.send_message(written(target, message))
        except aiosmtplib.SMTPAuthenticationError as error:
            raise Undelivered(Failure(f"the server refuses the password: {error.code}", error.code)) from None
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = [one.code for one in error.recipients]
            raise Undelivered(
                Failure(f"no recipient is taken: {codes}", codes[0], final=all(code >= 500 for code in codes))
            ) from None
        except aiosmtplib.SMTPResponseException as error:
            raise Undelivered(
                Failure(f"answered {error.code} {error.message}", error.code, final=error.code >= 550)
            ) from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise Undelivered(Failure(f"{type(error).__name__}: {error}")) from None
        return 250

    return send


async def _connected(target: Email, named: tuple[Network, ...], longest: float) -> socket.socket:
    """A socket that is connected to one of the server's addresses."""
    failed: Exception = OSError("no address")
    try:
        found = await addresses_of(target.host.strip("[]"), target.port)
        allowed = judged(target.host, [address for _, address in found], named)
    except OSError as error:
        raise Undelivered(Failure(f"{type(error).__name__}: {error}")) from None
    for family, address in found:
        if address not in allowed:
            continue
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            await asyncio.wait_for(asyncio.get_running_loop().sock_connect(sock, (address, target.port)), longest)
        except OSError as error:  # TimeoutError is one
            sock.close()
            failed = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise Undelivered(Failure(f"{target.host}:{target.port}: {type(failed).__name__}: {failed}"))


def written(target: Email, message: Message) -> EmailMessage:
    """The e-mail. Its Message-ID is the idempotency key, so a mailbox shows it once even if it is sent repeatedly."""
    mail = EmailMessage()
    mail["Subject"] = " ".join(message.subject.split())
    mail["From"], mail["To"] = target.sender, ", ".join(target.to)
    mail["Message-ID"] = f"<{message.key}@{target.sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text + "\n")
    if (file := message.attachment) is not None:
        kind, _, subtype = file.type.partition("/")
        said = {"charset": "utf-8"} if kind == "text" else None
        mail.add_attachment(file.content, maintype=kind, subtype=subtype, filename=file.name, params=said)
    return mail
