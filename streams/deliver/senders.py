"""The ways to a target: each sends one message, and raises Undelivered where that fails."""

from __future__ import annotations

import asyncio
import email.utils
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson

from schemas.masking import hidden
from streams.deliver import sign, template
from streams.deliver.chat import slack, teams
from streams.deliver.egress import EgressError, Resolver, Sockets
from streams.deliver.lane import Failure
from streams.deliver.message import Message
from streams.deliver.model import Apprise, Email, KafkaTopic, Log, Slack, Teams, Webhook
from streams.deliver.routes import Book, RoutesError
from streams.text.scrub import scrub_text

Send = Callable[[Message], Awaitable[int | None]]
"""Sends a message; returns the status of the answer, if there is one. Raises Undelivered."""

REFUSED = frozenset({400, 405, 406, 410, 411, 413, 414, 415, 422, 431, 501})
"""Statuses after which the same message would be refused again. (401, 403 and 404 can be corrected by people.)"""
ANSWER_BYTES = 300
"""Characters of an unsuccessful answer that are kept for display."""

log = logging.getLogger(__name__)


class Undelivered(Exception):
    """A message was not accepted, or it is unknown whether it was."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.detail)
        self.failure = failure


class Senders:
    """The senders of all targets of a file of routes. `async with`: they share one pool of connections."""

    def __init__(self, book: Book, app: Any, prefix: str) -> None:
        """prefix: of Rihla's own topics. Raises RoutesError for a target that this machine cannot send to."""
        self._book, self._app = book, app
        self._session: aiohttp.ClientSession | None = None
        self.ways: dict[str, Send] = {name: self._way(name, prefix) for name in book.routes.targets}

    async def start(self) -> None:
        """Open the pool."""
        private = self._book.private
        connector = aiohttp.TCPConnector(
            resolver=Resolver(private), socket_factory=Sockets(private), use_dns_cache=False, limit=0
        )
        self._session = aiohttp.ClientSession(
            connector=connector, trust_env=False, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
        )

    async def stop(self) -> None:
        """Close it."""
        if self._session is not None:
            await self._session.close()

    def _way(self, name: str, prefix: str) -> Send:
        target, book = self._book.routes.targets[name], self._book
        if isinstance(target, Webhook):
            return self._webhook(name, target)
        if isinstance(target, Slack):
            return lambda message: self._post(name, orjson.dumps(slack(message)), {})
        if isinstance(target, Teams):
            return lambda message: self._post(name, orjson.dumps(teams(message)), {})
        if isinstance(target, Email):
            from streams.deliver.mail import mailer

            return mailer(target, book.secrets.get((name, "password_file")), book.private, book.timeout(name))
        if isinstance(target, Apprise):
            from streams.deliver.apprise_url import notifier

            return notifier(name, book.secrets[name, "url_file"], book.timeout(name))
        if isinstance(target, KafkaTopic):
            if target.topic.startswith((f"{prefix}.", f"{prefix}-", "__")):
                raise RoutesError(
                    f"{book.source}: targets.{name}: {target.topic} is a topic of Rihla's own or of Kafka's"
                )
            return self._kafka(target)
        assert isinstance(target, Log)
        return _log

    def _webhook(self, name: str, target: Webhook) -> Send:
        keys = self._book.keys(name)
        authorization = self._book.secrets.get((name, "authorization_file"))
        further = dict(target.headers) | ({} if authorization is None else {"Authorization": authorization})

        async def send(message: Message) -> int | None:
            made = message.body if target.body is None else template.fill(target.body, message.fields)
            body = orjson.dumps(made)
            headers = {**further, "Idempotency-Key": message.key}
            if keys:
                headers |= sign.headers(keys, message.key, int(time.time()), body)
            url = template.fill_path(self._book.url(name), message.fields)
            return await self._post(name, body, headers, target.method, url)

        return send

    async def _post(
        self, name: str, body: bytes, headers: dict[str, str], method: str = "POST", url: str | None = None
    ) -> int:
        assert self._session is not None, "started"
        url, timeout = url or self._book.url(name), aiohttp.ClientTimeout(total=self._book.timeout(name))
        said = {"Content-Type": "application/json", "User-Agent": "rihla", **headers}
        try:
            async with self._session.request(
                method, url, data=body, headers=said, timeout=timeout, allow_redirects=False
            ) as answer:
                if 200 <= answer.status < 300:
                    return answer.status
                shown = (await answer.content.read(ANSWER_BYTES)).decode("utf-8", "replace")
                raise Undelivered(_refusal(answer.status, answer.headers.get("Retry-After"), shown, time.time()))
        except TimeoutError:
            raise Undelivered(Failure(f"no answer within {timeout.total:g} s")) from None
        except (aiohttp.ClientError, OSError) as error:
            if isinstance(error.__cause__, EgressError):
                raise Undelivered(Failure(str(error.__cause__))) from None
            # the address may be a secret, such as that of a chat's webhook
            why = str(error).replace(url, urlsplit(url).hostname or "")
            raise Undelivered(Failure(f"{type(error).__name__}: {why}")) from None

    def _kafka(self, target: KafkaTopic) -> Send:
        async def send(message: Message) -> int | None:
            key = message.key.rpartition(".")[0].encode()
            marks = [("idempotency-key", message.key.encode())]
            try:
                producer = self._app.producer._ensure_producer()
                await producer.send_and_wait(target.topic, orjson.dumps(message.body), key, headers=marks)
            except Exception as error:
                raise Undelivered(Failure(f"{type(error).__name__}: {error}")) from None
            return None

        return send


async def _log(message: Message) -> int | None:
    log.info("%s (%s)", message.subject, message.key)
    return None


def _refusal(status: int, retry_after: str | None, shown: str, now: float) -> Failure:
    """The failure that an unsuccessful answer means."""
    detail = f"answered {status}"
    if 300 <= status < 400:
        detail += "; redirects are not followed: name the address that it redirects to"
    elif shown.strip():
        detail += f": {' '.join(shown.split())}"
    pause = retry_pause(retry_after, now) if status in (429, 503) else None
    return Failure(detail, status, status in REFUSED, 1000 if status == 429 and pause is None else pause)


def retry_pause(text: str | None, now: float) -> int | None:
    """Milliseconds that a Retry-After header asks for (seconds, or an HTTP date; now: seconds of the epoch)."""
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit():
        return int(text[:9]) * 1000
    try:
        at = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0, round((at.timestamp() - now) * 1000))


async def attempt(send: Send, message: Message, longest: float) -> Failure | int | None:
    """One attempt: the failure, or the status of a success. longest: seconds until it is cancelled in any case.

    The failure repeats neither a secret nor personal data: it is stored and shown, and a target may answer with the
    request that it refuses.
    """
    try:
        return await asyncio.wait_for(send(message), longest)
    except Undelivered as undelivered:
        failure = undelivered.failure
        return replace(failure, detail=scrub_text(hidden(failure.detail)))
    except TimeoutError:
        return Failure(f"no answer within {longest:g} s")
    except (
        Exception
    ) as error:  # an error of this message alone (a header, a template's cast): report it to its lane, which goes on
        return Failure(f"it cannot be sent: {type(error).__name__}", final=True)
