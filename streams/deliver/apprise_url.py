"""WhatsApp, SMS, Telegram and the other services that Apprise supports.

Apprise makes its connections itself, so only services with an address of their own are taken: what may be anywhere (a
JSON webhook, a mail server) is a target of type webhook or email, which are held to [egress].
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

try:
    import apprise
except ImportError:
    apprise = None

from streams.deliver.lane import Failure
from streams.deliver.message import Message
from streams.deliver.senders import Undelivered
from streams.errors import RihlaError


def notifier(name: str, url: str, timeout: float) -> Callable[[Message], Awaitable[int | None]]:
    """A sender of messages by an Apprise URL. name: the target's, for error messages. timeout: seconds for an answer.

    Raises RihlaError without Apprise, for an invalid URL, and for a service without an address of its own.
    """
    if apprise is None:
        raise RihlaError(f"the target {name} needs Apprise, which is not installed", "pip install 'rihla[deliver]'")
    service = apprise.Apprise.instantiate(url.strip(), suppress_exceptions=True)
    if service is None:
        raise RihlaError(f"the target {name}: its url_file holds no URL that Apprise knows", "apprise.org lists them")
    if "host" in service.template_tokens or not service.secure_protocol:
        raise RihlaError(
            f"the target {name}: {service.service_name} may be anywhere", 'use a target of type "webhook" or "email"'
        )
    service.redirects = False
    service.socket_connect_timeout = service.socket_read_timeout = timeout

    def notify(message: Message) -> bool:
        return bool(service.notify(body=message.text, title=message.subject))

    async def send(message: Message) -> int | None:
        try:
            taken = await asyncio.to_thread(notify, message)
        except Exception as error:  # it has some hundred plugins
            raise Undelivered(Failure(f"{type(error).__name__}: {error}")) from None
        if not taken:
            raise Undelivered(Failure(f"{service.service_name} has not taken it"))
        return None

    return send
