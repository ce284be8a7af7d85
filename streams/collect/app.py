"""The collector's routes: who asks, what is asked, and the answer, which comes once Kafka has what was taken."""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec
import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from streams import metrics
from streams.clock import now_ms
from streams.collect import bodies, openapi, signatures
from streams.collect.bodies import BadBody, Held, Waiting
from streams.collect.configuration import Access, Client, Hook
from streams.collect.forms import CALLS, cloudevent_of_headers
from streams.collect.hooks import MOST_EVENTS, Hooks, TooMany
from streams.collect.intake import CLOUDEVENT, OWN, SEGMENT, Intake, Refused, Sender, Taken, calls_of, objects_of
from streams.collect.surveys import ROUTE, Answered, Surveys, unrecorded
from streams.collect.throttle import Full, Lobby, Room
from streams.collect.writer import WORKER, NotWritten, Part, Writer
from streams.kafka.batch_producer import larger_than
from streams.model.dead_letter import UNPROCESSABLE
from streams.topology import channel_topic
from streams.tracing import Tracing
from streams.worker.sift import described, sift

EVENTS, CLOUDEVENTS, CALLED, WEBHOOKS, SURVEYS = "events", "cloudevents", "segment", "webhooks", "surveys"
OTHER = "other"
ROUTES: Final = (EVENTS, CLOUDEVENTS, CALLED, WEBHOOKS, SURVEYS, OTHER)
STATUSES: Final = (
    "200",
    "202",
    "303",
    "400",
    "401",
    "403",
    "404",
    "405",
    "408",
    "409",
    "410",
    "413",
    "415",
    "429",
    "500",
    "503",
)
RESULTS: Final = ("accepted", "refused", "ignored")

HELD_BYTES: Final = 80 << 20
"""Bytes of all requests from known senders together; one sender may have half of it."""
UNKNOWN_BYTES: Final = 16 << 20
"""Bytes of all webhook requests together whose signature is not checked yet, which needs the whole body."""
MOST_ERRORS: Final = 100
"""Errors that one answer lists at most."""
SLICE: Final = 250
"""Events that are judged before other requests get their turn."""
AGAIN_SECONDS: Final = 5
"""Seconds after which a client may retry a request that was refused because Kafka was slow (Retry-After)."""

JSON = ("application/json", "text/json")
LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/jsonlines",
         "application/x-jsonlines", "application/json-lines")  # fmt: skip
STRUCTURED, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"


log = logging.getLogger(__name__)


class Problem(Exception):
    """A request that is refused with this answer (RFC 9457)."""

    def __init__(self, status: int, detail: str, **headers: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Collector:
    """The ASGI application. writer: started."""

    def __init__(
        self,
        access: Access,
        intake: Intake,
        hooks: Hooks,
        writer: Writer,
        link_keys: Sequence[bytes] = (),
        answered: Answered | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        """link_keys: keys that sign guests' links; without them there are no pages for guests. answered: the
        invitations that have been answered. tracing: None traces nothing."""
        self._tracing = tracing
        self._access, self._intake, self._hooks, self._writer = access, intake, hooks, writer
        self._held, self._lobby = Room(HELD_BYTES), Lobby(UNKNOWN_BYTES)
        self._document = orjson.dumps(openapi.document())
        routes = [
            Route("/openapi.json", self._openapi, methods=["GET"]),
            Route("/v1/events", self._counted(EVENTS, self._events), methods=["POST"]),
            _route(
                "/v1/webhooks/{name}",
                GET=self._counted(WEBHOOKS, self._verified),
                POST=self._counted(WEBHOOKS, self._webhook),
            ),
            Route("/v1/batch", self._counted(CALLED, self._batch), methods=["POST"]),
            *(Route(f"/v1/{call}", self._counted(CALLED, self._call), methods=["POST"]) for call in CALLS),
        ]
        if link_keys:
            surveys = Surveys(link_keys, Answered() if answered is None else answered, self._record)
            show, take = (self._counted(SURVEYS, one, unrecorded) for one in (surveys.show, surveys.answer))
            routes.append(_route(ROUTE, GET=show, POST=take))
        self.app = Starlette(routes=routes, exception_handlers={HTTPException: self._unknown})

    def _counted(
        self,
        route: str,
        handler: Callable[[Request], Awaitable[Response]],
        sorry: Callable[[Request], Response] | None = None,
    ) -> Callable[[Request], Awaitable[Response]]:
        """The handler with metrics, and with each Problem turned into its answer. sorry: makes the page for a person
        whose answer could not be taken."""

        async def answer(request: Request) -> Response:
            began = time.perf_counter()
            request.state.route, request.state.came = route, time.time()
            try:
                response = await handler(request)
            except Problem as error:
                response = _problem(error.status, error.detail, error.headers)
            except BadBody as error:
                response = _problem(error.status, error.detail, {"Connection": "close"})
            except TooMany as error:
                response = _problem(413, str(error), {})
            except Full:
                response = _problem(503, "too much is held at the moment", {"Retry-After": "1", "Connection": "close"})
            except NotWritten:
                detail = "Kafka has not acknowledged it: send all of it again; events that it has by now count once"
                response = _problem(503, detail, {"Retry-After": str(AGAIN_SECONDS)})
            except Exception as error:
                response = _problem(500, _noted(error), {})
            if sorry is not None and response.status_code >= 500:
                response = sorry(request)
            said = request.state.route
            metrics.COLLECT_REQUESTS.labels(said, str(response.status_code)).inc()
            metrics.COLLECT_REQUEST_SECONDS.labels(said).observe(time.perf_counter() - began)
            metrics.COLLECT_HELD.set(self._held.held + self._lobby.held)
            return response

        return answer

    async def _unknown(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        metrics.COLLECT_REQUESTS.labels(OTHER, str(error.status_code)).inc()
        return _problem(error.status_code, error.detail, dict(error.headers or {}))

    async def _openapi(self, request: Request) -> Response:
        return Response(self._document, media_type="application/json")

    async def _events(self, request: Request) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        binary = "ce-specversion" in request.headers
        if binary or kind in (STRUCTURED, BATCH):
            request.state.route = CLOUDEVENTS
        client = self._client(request)
        source = request.headers.get("rihla-source") or request.query_params.get("source")
        sender = client.as_source(source)
        if sender is None:
            raise Problem(403, "this token may not send events of this source")
        if kind not in (*JSON, *LINES, STRUCTURED, BATCH):
            raise Problem(415, f"Content-Type is none of {', '.join((JSON[0], LINES[0], STRUCTURED, BATCH))}")
        with Held(self._held, client.name) as held:
            body = await bodies.read(request, held)
            items: Sequence[bytes | dict[str, Any]]
            if binary and kind in JSON:
                items = [cloudevent_of_headers(request.headers, _json(body))]
                return await self._take(request, client, sender, CLOUDEVENT, [*enumerate(items)], held)
            if kind in LINES:
                lines = [(at, line) for at, line in enumerate(body.splitlines()) if line.strip()]
                return await self._take(request, client, sender, OWN, lines, held)
            items = _split(objects_of, body)
            if kind in JSON:
                return await self._take(request, client, sender, OWN, [*enumerate(items)], held)
            if (kind == BATCH) != (body.lstrip()[:1] == b"["):
                raise Problem(400, f"{BATCH} is an array, and {STRUCTURED} one object")
            return await self._take(request, client, sender, CLOUDEVENT, [*enumerate(items)], held)

    async def _batch(self, request: Request) -> Response:
        return await self._segment(request, None)

    async def _call(self, request: Request) -> Response:
        return await self._segment(request, request.url.path.rpartition("/")[2])

    async def _segment(self, request: Request, kind: str | None) -> Response:
        client = self._client(request)
        with Held(self._held, client.name) as held:
            body = await bodies.read(request, held)
            items = _split(calls_of, body) if kind is None else [body]
            return await self._take(request, client, client.sender, SEGMENT, [*enumerate(items)], held, kind)

    async def _webhook(self, request: Request) -> Response:
        hook = self._access.hooks.get(request.path_params["name"])
        if hook is None:
            raise Problem(404, "there is no webhook of this name")
        if wait := hook.throttle.wait():
            raise Problem(429, "more requests than this webhook may send", Retry_After=str(wait))
        self._check(hook, request, None)
        address = request.client.host if request.client is not None else ""
        with Held(self._held, f"webhook:{hook.name}") as held:
            with Waiting(self._lobby, address) as waiting:
                body = await waiting.read(request)
                self._check(hook, request, body)
                held.take(len(body))
            hook.throttle.take(1)
            came = await asyncio.to_thread(self._hooks.take, hook, body, now_ms())
            await self._write(request, [*came.parts, *await self._letters(came.letters)], held)
        for letter in came.letters:
            metrics.DEAD_LETTERS.labels(WORKER, letter.reason).inc()
        answer = {"accepted": came.events, "dead_letters": len(came.letters), "ignored": came.ignored}
        for result, number in zip(RESULTS, answer.values(), strict=True):
            metrics.COLLECT_EVENTS.labels(WEBHOOKS, result).inc(number)
        return _answer(202, answer)

    async def _record(self, request: Request, lines: Sequence[bytes]) -> None:
        """Write the events that this process makes of guests' answers."""
        with Held(self._held, SURVEYS) as held:
            held.take(sum(map(len, lines)))
            taken = self._sifted(OWN, [*enumerate(lines)], Sender(SURVEYS), None)
            assert not taken.refused, taken.refused
            parts = [Part(channel_topic(one.channel), one.keys, one.values) for one in taken.ready]
            await self._write(request, parts, held)
        metrics.COLLECT_EVENTS.labels(SURVEYS, "accepted").inc(len(lines))

    async def _verified(self, request: Request) -> Response:
        """Meta's request to verify a webhook when it is set up."""
        hook = self._access.hooks.get(request.path_params["name"])
        if hook is None or hook.verify is None:
            raise Problem(404, "there is no webhook of this name that verifies (verify_file)")
        try:
            return PlainTextResponse(signatures.challenge(request.query_params, hook.verify))
        except signatures.BadSignature as error:
            raise Problem(403, str(error)) from None

    def _check(self, hook: Hook, request: Request, body: bytes | None) -> None:
        """Raises Problem if the signature is wrong. Without a body, only if that already shows in the headers."""
        raw, query = request.scope.get("raw_path") or request.url.path.encode(), request.scope["query_string"]
        target = b"?".join(part for part in (raw, query) if part).decode("latin-1")
        about = signatures.Request(request.headers, request.query_params, body or b"", request.method, target)
        try:
            signatures.SCHEMES[hook.scheme](about, hook.secret, time.time(), hook.tolerance)
        except signatures.WrongSignature as error:
            if body is not None:
                raise Problem(401, str(error)) from None
        except signatures.BadSignature as error:
            raise Problem(401, str(error)) from None

    async def _letters(self, letters: Sequence[Any]) -> list[Part]:
        return self._hooks.encoded(letters, await self._writer.room("dead-letters")) if letters else []

    def _client(self, request: Request) -> Client:
        """The sender. Raises Problem for an unknown one, and for one that has exceeded its rate."""
        client = self._access.client(_token(request.headers.get("authorization", "")))
        if client is None:
            raise Problem(401, "the token is wrong or missing", WWW_Authenticate='Bearer realm="rihla"')
        if wait := client.throttle.wait():
            raise Problem(429, "more events than this token may send", Retry_After=str(wait))
        return client

    async def _take(
        self,
        request: Request,
        client: Client,
        sender: Sender,
        form: str,
        items: Sequence[tuple[int, bytes | dict[str, Any]]],
        held: Held,
        kind: str | None = None,
    ) -> Response:
        if len(items) > MOST_EVENTS:
            raise TooMany(len(items))
        client.throttle.take(len(items))
        parts: list[Part] = []
        refused: list[Refused] = []
        for first in range(0, len(items), SLICE):
            taken = self._sifted(form, items[first : first + SLICE], sender, kind)
            refused += taken.refused
            for ready in taken.ready:
                topic = channel_topic(ready.channel)
                room = await self._writer.room(topic)
                if large := larger_than(room, ready.keys, ready.values):
                    detail = f"the event is larger than its topic takes: {room} bytes"
                    refused += [Refused(ready.indices[row], "too_long", detail) for row in large]
                left = [row for row in range(len(ready.values)) if row not in large]
                if left:
                    parts.append(Part(topic, [ready.keys[at] for at in left], [ready.values[at] for at in left]))
            await asyncio.sleep(0)
        accepted = len(items) - len(refused)
        await self._write(request, parts, held)
        route = request.state.route
        metrics.COLLECT_EVENTS.labels(route, "accepted").inc(accepted)
        metrics.COLLECT_EVENTS.labels(route, "refused").inc(len(refused))
        answer: dict[str, Any] = {"accepted": accepted, "refused": len(refused)}
        if form == SEGMENT:
            answer["success"] = accepted > 0 or not refused
        answer["errors"] = sorted(refused)[:MOST_ERRORS]  # orjson writes dataclasses
        good = 200 if form == SEGMENT else 202  # Segment's library for Python takes no other for a success
        return _answer(good if accepted or not refused else 400, answer)

    def _sifted(
        self, form: str, items: Sequence[tuple[int, bytes | dict[str, Any]]], sender: Sender, kind: str | None
    ) -> Taken:
        """The results for some items. An item at which our own code raises is refused; the others go on."""
        now = now_ms()
        sifted = sift(
            len(items), lambda some: self._intake.take(form, items[some.start : some.stop], sender, now, kind)
        )
        taken = Taken()
        for _, part in sifted.done:
            taken.ready += part.ready
            taken.refused += part.refused
        for at, error in sifted.faults:
            taken.refused.append(Refused(items[at][0], UNPROCESSABLE, _noted(error)))
        return taken

    async def _write(self, request: Request, parts: Sequence[Part], held: Held) -> None:
        if not parts:
            return
        held.take(sum(len(value) for part in parts for value in part.values))
        spans = None
        if self._tracing is not None:  # after the sender is known: nobody else may have anything traced
            events = sum(len(part.values) for part in parts)
            spans = self._tracing.request(request.state.route, request.headers, request.state.came, events)
        if spans is None:
            await self._writer.write(parts)
            return
        traced = spans.headers()[0]
        with spans.handling():  # one event of each topic goes on with the trace, however many the request has
            first = {part.topic: at for at, part in reversed([*enumerate(parts)])}
            await self._writer.write(
                [part._replace(traced=traced) if first[part.topic] == at else part for at, part in enumerate(parts)]
            )


def _noted(error: BaseException) -> str:
    """Count and log that our own code raised; returns the sentence, which quotes nothing that was sent."""
    detail = described("collect", error)
    log.error("what was sent cannot be processed: %s", detail)
    metrics.UNPROCESSABLE.labels(WORKER, "collect").inc()
    return detail


def _token(authorization: str) -> str:
    """The token in a header: as a bearer's, or as the user of basic authentication, which is Segment's way."""
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return given.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(given, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""


def _split(how: Callable[[bytes], list[bytes]], body: bytes) -> list[bytes]:
    try:
        return how(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, f"the body is not the JSON that is expected: {error}") from None


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Problem(400, f"the body is not JSON: {error}") from None


def _answer(status: int, answer: dict[str, Any]) -> Response:
    return Response(orjson.dumps(answer), status, media_type="application/json")


def _problem(status: int, detail: str, headers: dict[str, str]) -> Response:
    body = orjson.dumps({"status": status, "detail": detail})
    return Response(body, status, headers, media_type="application/problem+json")


def _route(path: str, **handlers: Callable[[Request], Awaitable[Response]]) -> Route:
    """One route for a path with several methods, so that the Allow header of a 405 lists all of them."""

    async def answer(request: Request) -> Response:
        return await handlers["GET" if request.method == "HEAD" else request.method](request)

    return Route(path, answer, methods=[*handlers])
