"""The pages behind the links of invitations: GET shows, POST answers (streams.guest.page).

A link needs no token of the collector because it is itself a token, for one invitation. The id of an answer is made of
its invitation and question, so the first one counts and later ones are duplicates, in any process. A process knows at
once which invitations were answered through it, and of the others by the topic of invitations.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qs

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import UnknownTopicOrPartitionError
from starlette.requests import Request
from starlette.responses import Response

from schemas.decode import BatchDecoder
from schemas.registry import Registry
from streams.clock import now_ms
from streams.guest import page
from streams.guest.links import PATH, Ask, opened
from streams.guest.plan import ANSWERED_
from streams.kafka import clients
from streams.kafka.fetch import hand_out_columns
from streams.kafka.record_batch import RecordColumns
from streams.loop.first import First
from streams.loop.links import BadLink
from streams.loop.page import language_of
from streams.model.guests import LANGUAGES
from streams.settings import Settings

ROUTE: Final = f"{PATH}{{token}}"
BODY: Final = 32 << 10
"""Bytes of a form."""
WAIT_MS = 500
AGAIN_SECONDS = 5.0

log = logging.getLogger(__name__)

Record = Callable[[Request, Sequence[bytes]], Awaitable[None]]
"""Makes events (JSON lines) durable. Raises what the collector's other routes do."""


class Answered:
    """The invitations that have been answered: from the topic of invitations, and from answers to this process."""

    def __init__(self) -> None:
        self._until: dict[str, int] = {}

    def __contains__(self, invitation: str) -> bool:
        return invitation in self._until

    def add(self, invitation: str, until: int) -> None:
        """until: epoch ms at which its link expires."""
        self._until[invitation] = until

    def forget(self, now: int) -> None:
        """Forget those whose links have expired."""
        self._until = {one: until for one, until in self._until.items() if until > now}


class Follower:
    """Reads the whole topic of invitations for as long as it runs. Pages work without it too: a second answer is a
    duplicate."""

    def __init__(self, answered: Answered, settings: Settings, registry: Registry) -> None:
        self._answered, self._settings = answered, settings
        self._decoder = BatchDecoder("invitation", registry)
        self._following: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin."""
        self._following = asyncio.create_task(self._follow(), name="invitations")

    async def stop(self) -> None:
        """End."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)

    async def _follow(self) -> None:
        while True:
            try:
                await self._read()
            except Exception as error:
                log.warning("who has answered is read again: %s", type(error).__name__)
                await asyncio.sleep(AGAIN_SECONDS)

    async def _read(self) -> None:
        consumer = clients.consumer(self._settings, group_id=None, enable_auto_commit=False)
        try:
            await consumer.start()
            hand_out_columns(consumer)
            topic = self._settings.topic("invitations")
            partitions = await clients.partitions_of(consumer, topic)
            if not partitions:
                raise UnknownTopicOrPartitionError(topic)
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            while True:
                await self._take(consumer)
        finally:
            await consumer.stop()

    async def _take(self, consumer: AIOKafkaConsumer) -> None:
        found: dict[TopicPartition, RecordColumns] = await consumer.getmany(timeout_ms=WAIT_MS)
        for records in found.values():
            decoded = self._decoder.decode(records.values, ("invitation_id", "status", "expires_at"))
            for invitation, status, until in decoded.frame.iter_rows():
                if status == ANSWERED_:
                    self._answered.add(invitation, until)
        self._answered.forget(now_ms())


class Surveys:
    """The handlers. keys: signing keys, the current one first. record: see Record. clock: epoch ms."""

    def __init__(
        self, keys: Sequence[bytes], answered: Answered, record: Record, clock: Callable[[], int] = now_ms
    ) -> None:
        self._keys, self._answered, self._record, self._clock = keys, answered, record, clock
        self._first = First()

    async def show(self, request: Request) -> Response:
        """The page of an invitation."""
        ask, language, refusal = self._found(request)
        if ask is None:
            return refusal
        if ask.invitation in self._answered:
            return _page(page.notice(language, "thanks" if "done" in request.query_params else "already"))
        return _page(page.form(ask, language))

    async def answer(self, request: Request) -> Response:
        """Take an answer, and send the browser to the page that thanks."""
        ask, language, refusal = self._found(request)
        if ask is None:
            return refusal
        if ask.invitation in self._answered:
            return _page(page.notice(language, "already"), 409)
        made = page.answers(ask, await _form(request), self._clock(), language)
        if not made:
            return _page(page.form(ask, language, "empty"), 400)
        await self._record(request, [orjson.dumps(self._first.of(one)) for one in made])
        self._answered.add(ask.invitation, ask.until * 1000)
        return Response(status_code=303, headers={**page.HEADERS, "Location": f"?done=1&lang={language}"})

    def _found(self, request: Request) -> tuple[Ask | None, str, Response]:
        """The content of a link, the page's language, and the response if the link is not valid."""
        asked, accepted = request.query_params.get("lang"), request.headers.get("Accept-Language", "")[:200]
        try:
            ask = opened(request.path_params["token"], self._keys, self._clock())
        except BadLink as bad:
            language = language_of(asked, None, accepted, LANGUAGES)
            key = "expired" if bad.expired else "bad"
            return None, language, _page(page.notice(language, key), 410 if bad.expired else 404)
        return ask, language_of(asked, ask.language, accepted, LANGUAGES), Response()


def unrecorded(request: Request) -> Response:
    """The page that says that an answer could not be taken now."""
    accepted = request.headers.get("Accept-Language", "")[:200]
    language = language_of(request.query_params.get("lang"), None, accepted, LANGUAGES)
    return _page(page.notice(language, "later"), 503, {"Retry-After": "60"})


async def _form(request: Request) -> Mapping[str, str]:
    octets = b""
    async for piece in request.stream():
        octets += piece
        if len(octets) > BODY:
            return {}
    try:
        said: dict[str, Any] = parse_qs(octets.decode("utf-8", "replace"), max_num_fields=20)
    except ValueError:
        return {}
    return {name: values[0] for name, values in said.items()}


def _page(text: str, status: int = 200, more: Mapping[str, str] | None = None) -> Response:
    return Response(text, status, {**page.HEADERS, **(more or {})}, media_type="text/html; charset=utf-8")
