"""User and token of a request to ClickHouse's HTTP interface, in any of the ways that its clients know."""

from __future__ import annotations

import base64

from aiohttp import hdrs, web

from streams.embedded.clickhouse.access import Role, Tokens
from streams.embedded.clickhouse.engine_error import EngineError, refusal

_HINT = "user `reader` asks, user `owner` writes; their tokens are in the folder `keys` of the data folder"


def authenticated(request: web.Request, tokens: Tokens) -> Role:
    """The role of who asks: HTTP basic authentication, X-ClickHouse-User and X-ClickHouse-Key, or the parameters `user`
    and `password`; one of them, once. Raises EngineError (AUTHENTICATION_FAILED)."""
    ways = [way for way in (_basic(request), _headers(request), _parameters(request)) if way is not None]
    if not ways:
        raise _failed(f"no user and token were given: {_HINT}")
    if len(ways) > 1:
        raise _failed("user and token were given in more than one way")
    user, token = ways[0]
    role = tokens.role(user, token)
    if role is None:
        raise _failed(f"{_shown(user)}: the token is wrong, or there is no such user: {_HINT}")
    return role


def _basic(request: web.Request) -> tuple[str, str] | None:
    given = request.headers.getall(hdrs.AUTHORIZATION, [])
    if not given:
        return None
    scheme, _, value = given[0].partition(" ")
    if len(given) > 1 or scheme.lower() != "basic":
        raise _failed("Authorization is not `Basic`, once")
    try:
        user, _, token = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except ValueError:  # no base64, no ASCII, no UTF-8
        raise _failed("Authorization cannot be read") from None
    return user, token


def _headers(request: web.Request) -> tuple[str, str] | None:
    users, keys = (request.headers.getall(name, []) for name in ("X-ClickHouse-User", "X-ClickHouse-Key"))
    return _pair(users, keys)


def _parameters(request: web.Request) -> tuple[str, str] | None:
    return _pair(request.query.getall("user", []), request.query.getall("password", []))


def _pair(users: list[str], tokens: list[str]) -> tuple[str, str] | None:
    if not users and not tokens:
        return None
    if len(users) > 1 or len(tokens) > 1:
        raise _failed("user or token was given more than once")
    return (users or [""])[0], (tokens or [""])[0]


def _shown(user: str) -> str:
    """The part of a name that a message may quote."""
    return "".join(character for character in user[:40] if character.isprintable()) or "(no user)"


def _failed(why: str) -> EngineError:
    return refusal(516, "AUTHENTICATION_FAILED", why)
