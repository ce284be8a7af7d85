"""The HTTP interface of the view: docs/serve.md, and /openapi.json for machines.

Every answer about a person says how old it is (`as_of`, and `Age` in seconds), has an ETag, and is recorded as a
look-up. Before the view has been filled, and while its age is unknown, the answer is 503 with Retry-After.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

import orjson
from aiohttp import web

from streams import metrics
from streams.clock import now_ms
from streams.model.company import Model, built_in
from streams.model.whose import owner_of
from streams.serve import links as links_
from streams.serve import openapi, tokens
from streams.serve.asked import BODY, Problem, body_asked, day_asked, identifier_asked, reveal_asked, units_asked
from streams.serve.customer import alert, document, find, open_alerts, search, to_do, unit_day
from streams.serve.links import Links
from streams.serve.lookups import Lookup, Lookups
from streams.serve.masking import masked, shown_in_search
from streams.serve.sessions import Sessions
from streams.serve.store import Store, Transaction
from streams.serve.tokens import Bearer, Tokens

BATCH = 500
"""Most customers in one look-up of several."""
TOO_OLD = 60.0
"""Age in seconds beyond which an answer is too old to act on: it is 503 then."""
RETRY_AFTER = 2
ALERTS = 200
WAITING = 1000
"""Most events that wait for the reader of a stream; a slower reader is disconnected."""
HEARTBEAT = 15.0
COOKIE = "rihla_desk"
FROM_DESK = "X-Rihla-Desk"
"""Header that only our own page can send, whereas browsers add the cookie to requests of any page (CSRF)."""


ROUTES = (
    "/v1/customers/{identifier}",
    "/v1/customers/{identifier}/events",
    "/v1/lookup",
    "/v1/search",
    "/v1/units/{unit}/arrivals",
    "/v1/alerts/events",
    "/v1/alerts",
    "/openapi.json",
)
EVERY_ROUTE = (*ROUTES, links_.ROUTE)
STATUSES = (
    *("200", "202", "204", "300", "302", "303", "304", "400", "401", "403", "404", "410", "413", "422", "429", "500"),
    "503",
)


class Api:
    """The application. age: seconds since the view was last complete.

    sessions: of the desk, whose cookies stand for a bearer as tokens do; None: there is no desk. model: what it says of
    actions and stages; None: Rihla's own.
    """

    def __init__(
        self,
        store: Store,
        allowed: Tokens,
        lookups: Lookups,
        age: Callable[[], float],
        links: Links | None = None,
        sessions: Sessions | None = None,
        model: Model | None = None,
    ) -> None:
        self._model = built_in() if model is None else model
        self._store, self._tokens, self._lookups, self._age = store, allowed, lookups, age
        self._sessions = Sessions() if sessions is None else sessions
        self._streams: set[asyncio.Queue[tuple[str, Mapping[str, Any]]]] = set()
        works = (
            self._customer,
            self._customer_events,
            self._batch,
            self._search,
            self._day,
            self._alert_events,
            self._alerts,
            self._openapi,
        )
        self.app = web.Application(client_max_size=BODY)
        for path, work in zip(ROUTES, works, strict=True):
            self.app.router.add_route("POST" if path == "/v1/lookup" else "GET", path, self.counted(path, work))

        if links is not None:
            self.app.router.add_route("GET", links_.ROUTE, self.counted(links_.ROUTE, links.show))
            self.app.router.add_route("POST", links_.ROUTE, self.counted(links_.ROUTE, links.answer))

    def changed(self, applied: Mapping[str, Iterable[Mapping[str, Any]]]) -> None:
        """Send rows that are now in the store to the streams."""
        if not self._streams:
            return
        for record, rows in applied.items():
            for row in rows:
                for queue in list(self._streams):
                    if queue.full():
                        self._streams.discard(queue)  # its reader ends at the next look
                    else:
                        queue.put_nowait((record, row))

    def counted(self, path: str, work: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Any:
        async def answer(request: web.Request) -> web.StreamResponse:
            began, status = time.perf_counter(), 500
            try:
                response = await work(request)
                status = response.status
            except Problem as error:
                response, status = error.response(), error.status
            except web.HTTPException as error:
                status = error.status
                raise
            except web.RequestPayloadError:
                status = 400
                raise
            finally:
                metrics.SERVE_SECONDS.labels(path).observe(time.perf_counter() - began)
                metrics.SERVE_REQUESTS.labels(path, str(status)).inc()
            return response

        return answer

    def known(self, request: web.Request) -> Bearer | None:
        """The bearer of the token, or of the desk's cookie, which is not enough for a change (see FROM_DESK)."""
        if "Authorization" in request.headers:
            return self._tokens.bearer(request.headers["Authorization"])
        if request.method != "GET" and request.headers.get(FROM_DESK) != "1":
            return None
        session = self._sessions.find(request.cookies.get(COOKIE))
        return None if session is None else session.bearer

    def bearer(self, request: web.Request, what: str) -> Bearer:
        """The bearer. Raises Problem for an unknown one, and if the role does not allow it."""
        bearer = self.known(request)
        if bearer is None:
            raise Problem(401, "send Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"})
        if not bearer.may(what):
            raise Problem(403, f"the role {bearer.role} may not ask for this")
        return bearer

    def fresh(self) -> float:
        """As of when the view is complete, epoch s: what is read after this is at least as new. Raises Problem if that
        is too long ago."""
        age = self._age()
        if age > TOO_OLD:
            why = "the view is being filled" if math.isinf(age) else f"what is known here is {age:.0f} s old"
            raise Problem(503, why, {"Retry-After": str(RETRY_AFTER)})
        return time.time() - age

    def look(self, bearer: Bearer, asked: str, customers: Iterable[str], why: str | None) -> None:
        """Record look-ups. Raises Problem if that fails, or if the bearer has made too many."""
        found = list(customers)
        if (wait := bearer.wait(max(len(found), 1))) > 0:
            raise Problem(429, "too many customers in a minute", {"Retry-After": str(math.ceil(wait))})
        self.write_down(bearer, asked, found, why)

    def write_down(self, bearer: Bearer, asked: str, customers: Iterable[str], why: str | None) -> None:
        """Record look-ups. Raises Problem if that fails."""
        for customer_id in customers:
            if not self._lookups.write(Lookup(bearer.name, bearer.role, asked, customer_id, why)):
                raise Problem(503, "look-ups cannot be written down now", {"Retry-After": str(RETRY_AFTER)})

    async def _customer(self, request: web.Request) -> web.StreamResponse:
        bearer = self.bearer(request, tokens.CUSTOMER)
        reveal, why = reveal_asked(request, bearer)
        as_of, identifier = self.fresh(), identifier_asked(request.match_info["identifier"])
        with self._store.reading() as view:
            found = self._theirs(view, bearer, find(view, identifier), why)
            told = self._with_actions(view, found[0]) if len(found) == 1 else None
        self.look(bearer, "customer", found if told is None else found[:1], why)
        if told is None:
            return self.answer(request, {"customers": found}, as_of, status=300)
        return self.answer(request, told if reveal else masked(told), as_of)

    def _with_actions(self, view: Transaction, customer_id: str) -> dict[str, Any] | None:
        """A customer's document, with what to do next."""
        told = document(view, customer_id)
        return (
            None if told is None else told | {"next_actions": to_do(view, customer_id, self._model.actions, now_ms())}
        )

    def _theirs(self, view: Transaction, bearer: Bearer, found: list[str], why: str | None) -> list[str]:
        """Those of some customers whom the bearer may see. Raises where there is none, which counts as a look-up: to
        know whether somebody is a customer is to know something."""
        theirs = found
        if bearer.units is not None:
            told = ((name, document(view, name)) for name in found)
            theirs = [name for name, one in told if one is not None and concerns(one, bearer)]
        if not theirs:
            self.look(bearer, "customer", (), why)
            if found:
                raise Problem(403, "this customer was not at one of your units")
            raise Problem(404, "nobody is known by this")
        return theirs

    async def _batch(self, request: web.Request) -> web.StreamResponse:
        bearer = self.bearer(request, tokens.BATCH)
        reveal, why = reveal_asked(request, bearer)
        body = await body_asked(request)
        asked = body.get("identifiers") if isinstance(body, dict) else None
        if not isinstance(asked, list) or not all(isinstance(one, str) for one in asked):
            raise Problem(422, 'send {"identifiers": ["...", ...]}')
        if len(asked) > BATCH:
            raise Problem(422, f"{len(asked)} identifiers; at most {BATCH} at once")
        as_of = self.fresh()
        answers: list[dict[str, Any]] = []
        seen: list[str] = []
        read: dict[str, dict[str, Any] | None] = {}  # once for each customer: several identifiers may name the same
        with self._store.reading() as view:
            for identifier in asked:
                found = find(view, identifier_asked(identifier))
                if len(read.keys() | found) > BATCH:
                    raise Problem(422, f"these are more than {BATCH} customers: ask for fewer identifiers")
                for name in found:
                    if name not in read:
                        one = document(view, name)
                        told = None if one is None or not concerns(one, bearer) else one
                        read[name] = told if told is None or reveal else masked(told)
                shown = [one for name in found if (one := read[name]) is not None]
                seen += [name for name in found if read[name] is not None]
                answers.append({"identifier": identifier, "customers": shown})
        self.look(bearer, "batch", seen, why)
        return self.answer(request, {"answers": answers}, as_of)

    async def _search(self, request: web.Request) -> web.StreamResponse:
        bearer = self.bearer(request, tokens.SEARCH)
        if (wait := bearer.wait_to_search()) > 0:
            raise Problem(429, "too many searches in a minute", {"Retry-After": str(math.ceil(wait))})
        as_of = self.fresh()
        text = identifier_asked(request.query.get("q", ""))
        with self._store.reading() as view:
            found = search(view, text)
            if bearer.units is not None:
                told = {one["customer_id"]: document(view, one["customer_id"]) for one in found}
                theirs = {name for name, one in told.items() if one is not None and concerns(one, bearer)}
                found = [one for one in found if one["customer_id"] in theirs]
        self.write_down(bearer, "search", dict.fromkeys(one["customer_id"] for one in found), None)
        return self.answer(request, {"found": [shown_in_search(one, text) for one in found]}, as_of)

    async def _day(self, request: web.Request) -> web.StreamResponse:
        bearer = self.bearer(request, tokens.DAY)
        unit = identifier_asked(request.match_info["unit"])
        if not bearer.may_see(unit):
            raise Problem(403, "this unit is not one of yours")
        day = day_asked(request).isoformat()
        as_of = self.fresh()
        with self._store.reading() as view:
            found = unit_day(view, unit, day)
        self.look(bearer, "arrivals", [one["customer"]["customer_id"] for one in found["arrivals"]], None)
        found["arrivals"] = [{**one, "customer": masked(one["customer"])} for one in found["arrivals"]]
        return self.answer(request, found, as_of)

    async def _alerts(self, request: web.Request) -> web.StreamResponse:
        bearer = self.bearer(request, tokens.ALERTS)
        units = units_asked(request, bearer)
        as_of = self.fresh()
        with self._store.reading() as view:
            return self.answer(request, {"alerts": open_alerts(view, units, ALERTS)}, as_of)

    async def _alert_events(self, request: web.Request) -> web.StreamResponse:
        bearer = self.bearer(request, tokens.ALERTS)
        units = units_asked(request, bearer)

        def shown(record: str, row: Mapping[str, Any]) -> dict[str, Any] | None:
            return alert(row) if record == "alert" and (units is None or owner_of(row) in units) else None

        return await self.stream(request, shown)

    async def _customer_events(self, request: web.Request) -> web.StreamResponse:
        bearer = self.bearer(request, tokens.CUSTOMER)
        _, why = reveal_asked(request, bearer)
        self.fresh()
        identifier = identifier_asked(request.match_info["identifier"])
        with self._store.reading() as view:
            found = self._theirs(view, bearer, find(view, identifier), why)
        if len(found) != 1:
            self.look(bearer, "customer", (), why)
            raise Problem(404, "several are known by this: ask for one of them")
        self.look(bearer, "customer", found, why)

        def shown(record: str, row: Mapping[str, Any]) -> dict[str, Any] | None:
            if row.get("customer_id") != found[0]:
                return None
            with self._store.reading() as view:
                told = self._with_actions(view, found[0])
            return None if told is None or not concerns(told, bearer) else masked(told)

        return await self.stream(request, shown)

    async def stream(
        self, request: web.Request, shown: Callable[[str, Mapping[str, Any]], dict[str, Any] | None]
    ) -> web.StreamResponse:
        """Server-sent events with the rows as `shown` renders them, for as long as the caller is authorised."""
        queue: asyncio.Queue[tuple[str, Mapping[str, Any]]] = asyncio.Queue(WAITING)
        self._streams.add(queue)

        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        try:
            await response.write(b": connected\n\n")
            while queue in self._streams and self.known(request) is not None:
                try:
                    record, row = await asyncio.wait_for(queue.get(), HEARTBEAT)
                except TimeoutError:
                    await response.write(b": still here\n\n")
                    continue
                if self.known(request) is None:
                    break
                if (told := shown(record, row)) is not None:
                    await response.write(b"event: " + record.encode() + b"\ndata: " + orjson.dumps(told) + b"\n\n")
        except ConnectionResetError:
            pass  # the reader is gone
        finally:
            self._streams.discard(queue)
        return response

    def answer(self, request: web.Request, told: dict[str, Any], as_of: float, status: int = 200) -> web.StreamResponse:
        """JSON with its ETag and age; 304 if the client has it already. as_of: what `fresh` said before it was read."""
        body = orjson.dumps(told)
        tag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
        at = datetime.fromtimestamp(as_of, UTC).isoformat(timespec="milliseconds")
        headers = {"ETag": tag, "Age": str(max(0, int(time.time() - as_of))), "Cache-Control": "private, no-cache"}
        if status == 200 and tag in request.headers.get("If-None-Match", ""):
            return web.Response(status=304, headers=headers)
        whole = b'{"as_of":"' + at.replace("+00:00", "Z").encode() + b'",' + body[1:]
        return web.Response(body=whole, status=status, headers=headers, content_type="application/json")

    async def _openapi(self, request: web.Request) -> web.StreamResponse:
        return web.Response(body=_described(), content_type="application/json")


@cache
def _described() -> bytes:
    return orjson.dumps(openapi.document())


def concerns(told: Mapping[str, Any], bearer: Bearer) -> bool:
    """Whether a customer is, was or will be at one of the bearer's units."""
    if bearer.units is None:
        return True
    journeys = [*told["open_journeys"], *told["past_journeys"]]
    units = {one["plan"].get("unit") for one in journeys}
    units |= {one["owner"] for part in ("open_cases", "open_alerts") for one in told[part]}
    units |= {one.get("unit") for part in ("last_contacts", "open_cases", "open_alerts") for one in told[part]}
    return not units.isdisjoint(bearer.units)
