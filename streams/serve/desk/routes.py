"""The routes of the desk: its page, signing in and out, and what its views ask for besides the API.

Signing in exchanges a token for a cookie that scripts cannot read and other sites cannot send. A request that changes
something must also have a header, which a page of another site cannot add.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson
from aiohttp import web

from streams.clock import now_ms
from streams.loop.answers import AnswerError, answer_event
from streams.loop.corrections import correction_event
from streams.model.whose import owner_of
from streams.serve import tokens
from streams.serve.answering import NotRecorded
from streams.serve.api import COOKIE, FROM_DESK, Api, concerns
from streams.serve.asked import Problem, day_asked
from streams.serve.customer import contact_of, document
from streams.serve.day import day_of, latest_day
from streams.serve.desk import assets
from streams.serve.desk.company_sign_in import CompanySignIn
from streams.serve.desk.figure_routes import FIGURE_ROUTES, FigureRoutes, json, unit_asked
from streams.serve.desk.figures import Figures
from streams.serve.desk.pipeline import Pipeline, PipelineUnavailableError
from streams.serve.desk.said import Said, Wrong, said_in
from streams.serve.inbox import Deadlines, inbox, open_record, units_known
from streams.serve.links import Record
from streams.serve.openid import BACK, BEGIN, Accounts
from streams.serve.sessions import LONGEST, Sessions
from streams.serve.store import Store
from streams.serve.story import story_of
from streams.serve.tokens import Bearer, Tokens

if TYPE_CHECKING:
    from streams.serve.openid_provider import Provider

DESK = "/desk"
ROUTES = (
    DESK,
    "/desk/assets/{name}",
    "/desk/session",
    BEGIN,
    BACK,
    "/desk/data/sign-in",
    "/desk/data/me",
    "/desk/data/inbox",
    "/desk/data/events",
    "/desk/data/day",
    *FIGURE_ROUTES,
    "/desk/data/story",
    "/desk/data/pipeline",
    "/desk/data/answer",
    "/desk/data/correction",
)
LONGEST_TOKEN = 4096
LISTS = ("arrivals", "in_house", "departures")
NEWS = frozenset(("alert", "case"))


class Desk:
    """Adds the desk to an API.

    deadlines: of alerts and cases, by the model. figures, pipeline: sources of its last two views.
    answers: writes people's answers; None: they are not accepted.
    public_url: address at which people reach it, perhaps through a proxy: with https there, cookies are Secure.
    company: by which company accounts may also sign in; None: by tokens alone.
    """

    def __init__(
        self,
        api: Api,
        store: Store,
        allowed: Tokens,
        sessions: Sessions,
        deadlines: Deadlines,
        figures: Figures | None = None,
        pipeline: Pipeline | None = None,
        answers: Record | None = None,
        public_url: str | None = None,
        company: tuple[Provider, Accounts] | None = None,
    ) -> None:
        self._api, self._store, self._tokens, self._sessions = api, store, allowed, sessions
        self._deadlines = deadlines
        self._pipeline, self._answers = pipeline, answers
        public = urlsplit(public_url or "")
        self._secure_host = public.hostname if public.scheme == "https" else None
        self._by_company = company is not None
        self._assets = assets.load()
        self._generation = 0
        self._inboxes: dict[frozenset[str] | None, tuple[int, asyncio.Task[dict[str, Any]]]] = {}
        works = (
            ("GET", "/desk", self._page),
            ("GET", "/desk/assets/{name}", self._asset),
            ("POST", "/desk/session", self._sign_in),
            ("DELETE", "/desk/session", self._sign_out),
            ("GET", "/desk/data/sign-in", self._ways),
            ("GET", "/desk/data/me", self._me),
            ("GET", "/desk/data/inbox", self._inbox),
            ("GET", "/desk/data/events", self._events),
            ("GET", "/desk/data/day", self._day),
            ("GET", "/desk/data/story", self._story),
            ("GET", "/desk/data/pipeline", self._lag),
            ("POST", "/desk/data/answer", self._answer_event),
            ("POST", "/desk/data/correction", self._correction),
        )
        for method, path, work in works:
            api.app.router.add_route(method, path, api.counted(path, work))
        FigureRoutes(api, figures, self._listed)
        if company is not None:
            ways = CompanySignIn(*company, public_url, self._is_secure, self._begin)
            api.app.router.add_get(BEGIN, api.counted(BEGIN, ways.begin))
            api.app.router.add_get(BACK, api.counted(BACK, ways.back))
        api.app.router.add_get("/", self._home)

    def changed(self, applied: Mapping[str, Iterable[Any]]) -> None:
        """Note that rows are in the store: what was computed before is out of date."""
        if not NEWS.isdisjoint(applied):
            self._generation += 1

    async def _home(self, request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("/desk")

    async def _page(self, request: web.Request) -> web.StreamResponse:
        return self._assets["index.html"].answer(request)

    async def _asset(self, request: web.Request) -> web.StreamResponse:
        asset = self._assets.get(request.match_info["name"])
        if asset is None:
            raise Problem(404, "the desk has no such file")
        return asset.answer(request)

    async def _sign_in(self, request: web.Request) -> web.StreamResponse:
        _from_desk(request)
        body = await request.read()
        try:
            said = orjson.loads(body)
        except orjson.JSONDecodeError:
            said = None
        token = said.get("token") if isinstance(said, dict) else None
        if not isinstance(token, str) or not 0 < len(token) <= LONGEST_TOKEN:
            raise Problem(422, 'send {"token": "..."}')
        bearer = self._tokens.bearer(f"Bearer {token.strip()}")
        if bearer is None:
            raise Problem(401, "nobody has this token")
        answer = json(_described(bearer, []))
        self._begin(request, answer, bearer)
        return answer

    def _begin(self, request: web.Request, answer: web.StreamResponse, bearer: Bearer) -> None:
        """Begin a session by an answer; the one before ends."""
        self._sessions.end(request.cookies.get(COOKIE))
        answer.set_cookie(
            COOKIE,
            self._sessions.begin(bearer),
            max_age=int(LONGEST),
            httponly=True,
            samesite="Strict",
            secure=self._is_secure(request),
            path="/",
        )

    def _is_secure(self, request: web.Request) -> bool:
        return self._secure_host is not None and request.url.host == self._secure_host

    async def _ways(self, request: web.Request) -> web.StreamResponse:
        return json({"company": self._by_company})

    async def _sign_out(self, request: web.Request) -> web.StreamResponse:
        _from_desk(request)
        self._sessions.end(request.cookies.get(COOKIE))
        answer = web.Response(status=204, headers={"Cache-Control": "no-store", "Clear-Site-Data": '"cache"'})
        answer.del_cookie(COOKIE, path="/", samesite="Strict", httponly=True)
        return answer

    async def _me(self, request: web.Request) -> web.StreamResponse:
        bearer = self._known(request)
        with self._store.reading() as view:
            units = sorted(bearer.units) if bearer.units is not None else units_known(view)
        return json(_described(bearer, units))

    async def _inbox(self, request: web.Request) -> web.StreamResponse:
        bearer = self._api.bearer(request, tokens.ALERTS)
        units, as_of = self._units(request, bearer), self._api.fresh()
        return self._api.answer(request, await self._current(units), as_of)

    async def _current(self, units: frozenset[str] | None) -> dict[str, Any]:
        """The inbox of some units, cached until a row changes."""
        known = self._inboxes.get(units)
        if known is None or known[0] != self._generation:
            self._inboxes = {key: one for key, one in self._inboxes.items() if one[0] == self._generation}
            known = (self._generation, asyncio.ensure_future(asyncio.to_thread(self._read_inbox, units)))
            self._inboxes[units] = known
        return await asyncio.shield(known[1])

    def _read_inbox(self, units: frozenset[str] | None) -> dict[str, Any]:
        with self._store.reading() as view:
            return inbox(view, self._deadlines, units)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        bearer = self._api.bearer(request, tokens.ALERTS)
        units = self._units(request, bearer)

        def shown(record: str, row: Mapping[str, Any]) -> dict[str, Any] | None:
            owner = owner_of(row)
            return {"unit": owner} if record in NEWS and (units is None or owner in units) else None

        return await self._api.stream(request, shown)

    async def _day(self, request: web.Request) -> web.StreamResponse:
        bearer = self._api.bearer(request, tokens.DAY)
        unit = unit_asked(request, bearer)
        day = day_asked(request)
        nearest = request.query.get("nearest", "false") == "true"
        as_of = self._api.fresh()
        told = await asyncio.to_thread(self._read_day, unit, day, nearest)
        people = dict.fromkeys(one["customer_id"] for name in LISTS for one in told[name])
        self._listed(bearer, "arrivals", people)
        return self._api.answer(request, told, as_of)

    def _listed(self, bearer: Bearer, asked: str, people: Collection[str]) -> None:
        """Record who was listed. Raises Problem if that fails, or if it would be too many."""
        if (wait := bearer.wait_to_list(len(people))) > 0:
            raise Problem(429, "too many customers in a minute", {"Retry-After": str(math.ceil(wait))})
        self._api.write_down(bearer, asked, people, None)

    def _read_day(self, unit: str, day: date, nearest: bool) -> dict[str, Any]:
        """A day of a unit. nearest: if that day has nobody, the latest day before it with an arrival."""
        with self._store.reading() as view:
            told = day_of(view, unit, day)
            if nearest and not any(told["counts"].values()) and (known := latest_day(view, unit, day)) is not None:
                told = day_of(view, unit, known)
            return told

    async def _story(self, request: web.Request) -> web.StreamResponse:
        bearer = self._api.bearer(request, tokens.CUSTOMER)
        self._api.fresh()
        told = await asyncio.to_thread(self._read_story, bearer.units)
        if told is None:
            raise Problem(404, "nothing is open to tell of")
        self._listed(bearer, "story", (told["customer_id"],))
        return json(told)

    def _read_story(self, units: frozenset[str] | None) -> dict[str, Any] | None:
        with self._store.reading() as view:
            return story_of(view, self._deadlines, units)

    async def _lag(self, request: web.Request) -> web.StreamResponse:
        self._api.bearer(request, tokens.PIPELINE)
        if self._pipeline is None:
            raise Problem(503, "there is no broker to ask")
        try:
            return json(await self._pipeline.read())
        except PipelineUnavailableError as error:
            raise Problem(503, str(error), {"Retry-After": "5"}) from None

    async def _answer_event(self, request: web.Request) -> web.StreamResponse:
        """Takes, answers, settles, declines, snoozes or reassigns an alert or a case: writes an event, 202."""
        bearer = self._api.bearer(request, tokens.ANSWER)
        said = said_in(await request.read(), Said)
        self._api.fresh()
        with self._store.reading() as view:
            record = open_record(view, said.kind, said.customer_id, said.id)
        if record is None:
            raise Problem(404, "this is not open, or not here")
        if bearer.units is not None and owner_of(record) not in bearer.units:
            raise Problem(403, "this is not for one of your units")
        try:
            event = answer_event(
                said.kind,
                record,
                said.verb,
                bearer.name,
                now_ms(),
                said.note,
                to=said.to,
                until=said.until,
                click=said.click,
            )
        except AnswerError as error:
            raise Problem(422, str(error)) from None
        return await self._recorded(event)

    async def _correction(self, request: web.Request) -> web.StreamResponse:
        """Says what a text of a customer really says: writes an event, 202. Counts as a look-up of the customer."""
        bearer = self._api.bearer(request, tokens.ANSWER)
        said = said_in(await request.read(), Wrong)
        self._api.fresh()
        with self._store.reading() as view:
            told = document(view, said.customer_id)
            contact = contact_of(view, said.customer_id, said.event_id)
        allowed = told is not None and concerns(told, bearer)
        self._api.look(bearer, "correction", [said.customer_id] if allowed else [], None)
        if told is not None and not allowed:
            raise Problem(403, "this customer was not at one of your units")
        if contact is None or "text" not in contact:
            raise Problem(404, "there is no such text among the last contacts")
        try:
            event = correction_event(said.customer_id, contact, said.verdict, bearer.name, now_ms(), said.click)
        except AnswerError as error:
            raise Problem(422, str(error)) from None
        return await self._recorded(event)

    async def _recorded(self, event: Mapping[str, Any]) -> web.StreamResponse:
        """202 once the event is recorded. Raises Problem."""
        if self._answers is None:
            raise Problem(503, "answers cannot be written here")
        try:
            await self._answers(event)
        except NotRecorded:
            raise Problem(503, "the answer is not written yet: send it again", {"Retry-After": "2"}) from None
        return web.Response(
            status=202, body=orjson.dumps({"event_id": event["event_id"]}), content_type="application/json"
        )

    def _known(self, request: web.Request) -> Bearer:
        bearer = self._api.known(request)
        if bearer is None:
            raise Problem(401, "sign in", {"WWW-Authenticate": "Bearer"})
        return bearer

    def _units(self, request: web.Request, bearer: Bearer) -> frozenset[str] | None:
        """The requested unit, if the bearer may see it; None: all."""
        asked = frozenset(request.query.getall("unit", []))
        if any(not bearer.may_see(unit) for unit in asked):
            raise Problem(403, "this unit is not one of yours")
        return asked or bearer.units


def _from_desk(request: web.Request) -> None:
    if request.headers.get(FROM_DESK) != "1":
        raise Problem(403, f"send the header {FROM_DESK}: 1")


def _described(bearer: Bearer, units: list[str]) -> dict[str, Any]:
    return {
        "name": bearer.name,
        "role": bearer.role,
        "units": units,
        "all_units": bearer.units is None,
        "may": sorted(tokens.ROLES[bearer.role]),
    }
