"""What a request asks of the view: its parameters and its body, read and checked; and how it is refused."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import orjson
from aiohttp import web

from streams.serve import tokens
from streams.serve.tokens import Bearer

LONGEST = 1024
"""Most characters of an identifier."""
BODY = 1 << 20
"""Most bytes of a body."""
REASON = 200
"""Most characters of a reason."""
FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2199, 12, 31)
"""That can be asked for: near the ends of ClickHouse's calendar and of Python's nothing can be computed."""


class Problem(Exception):
    """A request that is refused; detail: a sentence that says why."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers

    def response(self) -> web.Response:
        """As RFC 9457 says it."""
        body = orjson.dumps({"status": self.status, "title": self.detail})
        return web.Response(
            body=body, status=self.status, headers=self.headers, content_type="application/problem+json"
        )


def identifier_asked(text: str) -> str:
    """An identifier, or a text to search for, without space around it. Raises Problem if it is none."""
    text = text.strip()
    if not text or len(text) > LONGEST:
        raise Problem(422, f"give 1 to {LONGEST} characters")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Problem(422, "this is not UTF-8") from None
    return text


def day_asked(request: web.Request, name: str = "date") -> date:
    """The day that a parameter of a request names. Raises Problem for none, and for one that no stay is on."""
    try:
        day = date.fromisoformat(request.query.get(name, ""))
    except ValueError:
        day = date.min
    if not FIRST_DAY <= day <= LAST_DAY:
        raise Problem(422, f"{name} must be a day from {FIRST_DAY} to {LAST_DAY} in ISO 8601: ?{name}=2026-03-01")
    return day


def reveal_asked(request: web.Request, bearer: Bearer) -> tuple[bool, str | None]:
    """Whether identifiers are shown in clear, and the reason that was given. Raises Problem for a role that may not see
    them, and where no reason is given."""
    why = request.query.get("reason", "").strip() or None
    if why is not None and len(why) > REASON:
        raise Problem(422, f"reason has more than {REASON} characters")
    wanted = request.query.get("reveal", "false")
    if wanted not in ("true", "false"):
        raise Problem(422, "reveal must be true or false")
    if wanted == "true" and why is None:
        raise Problem(422, "say why with &reason=: it is written down with who asked")
    if wanted == "true" and not bearer.may(tokens.REVEAL):
        raise Problem(403, f"the role {bearer.role} may not see identifiers")
    return wanted == "true", why


def units_asked(request: web.Request, bearer: Bearer) -> frozenset[str] | None:
    """The requested units; if none is, all that the bearer may see (None: every unit). Raises Problem for one that the
    bearer may not see."""
    asked = frozenset(request.query.getall("unit", []))
    if any(not bearer.may_see(unit) for unit in asked):
        raise Problem(403, "this unit is not one of yours")
    return asked or bearer.units


async def body_asked(request: web.Request) -> Any:
    """The body, which is JSON. Raises Problem if it is not, or is too large."""
    try:
        return orjson.loads(await request.read())
    except web.HTTPRequestEntityTooLarge:
        raise Problem(413, f"the body is larger than {BODY} bytes") from None
    except orjson.JSONDecodeError as error:
        raise Problem(400, f"the body is not JSON: {error}") from None
