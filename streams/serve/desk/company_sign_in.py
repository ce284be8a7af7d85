"""Signing in at the desk by the company's own accounts: to the provider's page, and back with a code.

What was begun is known by its `state`, and only to the browser that began it, which has a cookie of it: so nobody can
sign somebody else's browser in. That cookie is sent by the provider's redirect (SameSite=Lax); the desk's own is not
(Strict), so the answer to the redirect is a small page that goes on to the desk by itself.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import web

from streams.serve.openid import BACK, BEGIN, Accounts, OpenIdError, Refused
from streams.serve.tokens import Bearer

if TYPE_CHECKING:
    from streams.serve.openid_provider import Provider

log = logging.getLogger(__name__)

COOKIE: Final = "rihla_desk_company"
LASTS: Final = 600.0
"""Seconds in which one must have come back."""
MOST: Final = 10_000
"""Sign-ins that are under way; one more drops the oldest."""
LONGEST_CODE: Final = 4096
_PAGE: Final = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={target}">'
    '<title>Rihla</title><p><a href="{target}">Rihla</a>'
)


@dataclass(frozen=True, slots=True)
class _Begun:
    """A sign-in that is under way. at: seconds of time.monotonic. browser: digest of the cookie."""

    at: float
    browser: str
    nonce: str
    verifier: str
    redirect_uri: str


class CompanySignIn:
    """The two routes: to the provider, and back.

    public_url: address at which people reach the desk; None: the one of the request. is_secure: whether cookies of a
    request are for TLS alone. came: begins a session for a bearer on an answer.
    """

    def __init__(
        self,
        provider: Provider,
        accounts: Accounts,
        public_url: str | None,
        is_secure: Callable[[web.Request], bool],
        came: Callable[[web.Request, web.StreamResponse, Bearer], None],
    ) -> None:
        self._provider, self._accounts, self._public = provider, accounts, (public_url or "").rstrip("/")
        self._is_secure, self._came = is_secure, came
        self._begun: dict[str, _Begun] = {}

    async def begin(self, request: web.Request) -> web.StreamResponse:
        """GET: to the provider's page."""
        now = time.monotonic()
        self._begun = {state: one for state, one in self._begun.items() if one.at > now - LASTS}
        while len(self._begun) >= MOST:
            del self._begun[next(iter(self._begun))]
        state, browser, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(4))
        back = (self._public or str(request.url.origin())) + BACK
        try:
            page = await self._provider.page(back, state, nonce, verifier)
        except OpenIdError as error:
            log.warning("nobody can sign in by the company's accounts: %s", error)
            return _on("/desk#sign_in=away")
        self._begun[state] = _Begun(now, _digest(browser), nonce, verifier, back)
        answer = web.Response(status=302, headers={"Location": page, "Cache-Control": "no-store"})
        answer.set_cookie(
            COOKIE,
            browser,
            max_age=int(LASTS),
            httponly=True,
            samesite="Lax",
            secure=self._is_secure(request),
            path=BEGIN,
        )
        return answer

    async def back(self, request: web.Request) -> web.StreamResponse:
        """GET: from the provider, with a code or an error."""
        begun = self._begun.pop(request.query.get("state", ""), None)
        code = request.query.get("code", "")
        browser = _digest(request.cookies.get(COOKIE, ""))
        if begun is None or begun.at <= time.monotonic() - LASTS or not hmac.compare_digest(begun.browser, browser):
            return _on("/desk#sign_in=over")
        if not 0 < len(code) <= LONGEST_CODE:
            return _on("/desk#sign_in=refused")
        try:
            claims = await self._provider.claims(code, begun.redirect_uri, begun.nonce, begun.verifier)
            bearer = self._accounts.bearer(claims)
        except Refused as error:
            log.warning("a company account was not let in: %s", error)
            return _on("/desk#sign_in=refused")
        except OpenIdError as error:
            log.warning("nobody can sign in by the company's accounts: %s", error)
            return _on("/desk#sign_in=away")
        answer = _on("/desk")
        answer.del_cookie(COOKIE, path=BEGIN)
        self._came(request, answer, bearer)
        return answer


def _on(target: str) -> web.Response:
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'",
        "Referrer-Policy": "no-referrer",
    }
    return web.Response(text=_PAGE.format(target=target), content_type="text/html", headers=headers)


def _digest(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()
