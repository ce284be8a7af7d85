"""The pages behind the links in messages: GET shows, POST answers, so a mail scanner that opens links does not answer.
A link needs no token of the API because it is itself a token, for one thing (streams.loop.links).
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, cast
from urllib.parse import parse_qs

from aiohttp import web

from streams.clock import now_ms
from streams.guest import events
from streams.loop import page
from streams.loop.answers import PAST, AnswerError, Verb, answer_event, letters
from streams.loop.links import PATH, BadLink, Link, opened
from streams.serve.answering import NotRecorded
from streams.serve.store import Store, digest, unpack
from streams.serve.view import stored_alert

ROUTE: Final = f"{PATH}{{token}}"
BODY: Final = 16 << 10
"""Bytes of a form."""
JUDGED: Final[Mapping[str, str]] = {"approve": "approved", "reject": "rejected"}
"""What people decide of a message to a guest."""

log = logging.getLogger(__name__)

Record = Callable[[Mapping[str, Any]], Awaitable[None]]
"""Makes an event durable. Raises NotRecorded."""


class Links:
    """The handlers. keys: signing keys, the current one first. record: see Record. clock: epoch ms."""

    def __init__(self, store: Store, keys: Sequence[bytes], record: Record, clock: Callable[[], int] = now_ms) -> None:
        self._store, self._keys, self._record, self._clock = store, keys, record, clock

    async def show(self, request: web.Request) -> web.StreamResponse:
        """The page about the alert or case of a link."""
        link, record, language, expired = self._found(request)
        if link is None or record is None:
            return _refused(language, link, expired)
        done = request.query.get("done")
        click = secrets.token_urlsafe(9)
        if link.kind == "message":
            return _page(page.draft(record, language, link.person, click, done if done in JUDGED.values() else None))
        return _page(
            page.form(link.kind, record, language, link.person, click, done if done in PAST.values() else None)
        )

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Record an answer, and send the browser to the page that says so."""
        link, record, language, expired = self._found(request)
        if link is None or record is None:
            return _refused(language, link, expired)
        said = await _form(request)
        verb, given = said.get("answer", ""), link.person or said.get("person", "")
        past = dict(JUDGED) if link.kind == "message" else {str(one): done for one, done in PAST.items()}
        if verb not in past or request.content_type != "application/x-www-form-urlencoded":
            return _page(page.notice(language, "wrong"), 400)
        now = self._clock()
        # Several people may open a link, so both are recorded: who says that they answered, and whom it was sent to.
        person = given if link.person is not None or not given.strip() else f"{given.strip()} ({link.sent_to})"
        shown = {**record, "version": said.get("version", "")[:20]}
        more: dict[str, Any] = {"to": said.get("to", "")} if verb == "assign" else {}
        more |= {"until": now + page.SNOOZE_MS} if verb == "snooze" else {}
        try:
            click = said.get("click", "")[:40]
            if link.kind == "message":
                event = events.judged(shown, verb == "approve", person, now)
            else:
                event = answer_event(
                    link.kind, shown, cast("Verb", verb), person, now, said.get("note"), click=click, **more
                )
        except AnswerError:
            return _page(page.notice(language, "wrong"), 400)
        try:
            await self._record(event)
        except NotRecorded as error:
            log.warning("an answer cannot be recorded now: %s", error)
            return _page(page.notice(language, "later"), 503, {"Retry-After": "60"})
        where = f"?done={past[verb]}&lang={language}"
        return web.Response(status=303, headers={**page.HEADERS, "Location": where})

    def _found(self, request: web.Request) -> tuple[Link | None, Mapping[str, Any] | None, str, bool]:
        """The link, its alert or case, the page's language, and whether the link has expired; None for those that do
        not exist."""
        asked, accepted = request.query.get("lang"), request.headers.get("Accept-Language", "")[:200]
        try:
            link = opened(request.match_info["token"], self._keys, self._clock())
        except BadLink as bad:
            return None, None, page.language_of(asked, None, accepted), bad.expired
        return link, _thing(self._store, link), page.language_of(asked, link.language, accepted), False


def _thing(store: Store, link: Link) -> Mapping[str, Any] | None:
    """The alert or case of a link; None if it no longer exists."""
    with store.reading() as view:
        if link.kind == "alert":
            stored = stored_alert(view, link.id.hex())
        elif link.kind == "message":
            stored = view.get(b"g" + digest(letters(link.id.hex())))
        else:
            under = view.get(b"y" + link.id)
            stored = None if under is None else view.get(under)
    row: Mapping[str, Any] | None = None if stored is None else unpack(stored)
    if row is None or row.get("withdrawn"):
        return None
    return {"case_id": None, "touchpoint": None, "handler": None, **row}


async def _form(request: web.Request) -> dict[str, str]:
    octets = b""
    async for piece in request.content.iter_chunked(BODY):
        octets += piece
        if len(octets) > BODY:
            return {}
    said = parse_qs(octets.decode("utf-8", "replace"), max_num_fields=20)
    return {name: values[0] for name, values in said.items()}


def _refused(language: str, link: Link | None, expired: bool) -> web.Response:
    if link is not None or expired:
        return _page(page.notice(language, "gone" if link is not None else "expired"), 410)
    return _page(page.notice(language, "bad"), 404)


def _page(html: str, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    whole = {**page.HEADERS, **(headers or {})}
    return web.Response(text=html, status=status, content_type="text/html", headers=whole)
