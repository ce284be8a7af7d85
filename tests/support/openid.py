"""An OpenID provider for tests: it signs everybody in who comes, as the account that the test says."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

GRANTS = """
[[grant]]
claim = "realm_access.roles"
value = "manager"
role = "manager"
[[grant]]
claim = "groups"
value = "front-desk"
role = "agent"
units = ["Makkah Towers"]
"""
CLIENT, SECRET = "rihla-desk", "a-secret/of the+client"


@dataclass
class FakeProvider:
    """`issuer` is known once it runs. claims: of the account that signs in. changed, algorithm, key: to make a
    token that must be refused."""

    issuer: str = ""
    claims: dict[str, Any] = field(default_factory=lambda: {"sub": "u-1", "preferred_username": "amina"})
    changed: dict[str, Any] = field(default_factory=dict)
    algorithm: str = "RS256"
    key: RSAKey | OctKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one"}))
    published: list[RSAKey] | None = None
    """Keys that are told; None: the one that signs."""
    refuses: bool = False
    asked: list[str] = field(default_factory=list)
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[FakeProvider]:
        """It answers at `localhost`, which for a browser is another site than 127.0.0.1."""
        runner = web.AppRunner(self.app())
        await runner.setup()
        site = web.TCPSite(runner, "localhost", 0)
        await site.start()
        self.issuer = f"http://localhost:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    def file(self, folder: Path, grants: str = GRANTS) -> Path:
        """The configuration of a desk that takes its accounts."""
        (folder / "desk.secret").write_text(SECRET + "\n")
        file = folder / "openid.toml"
        file.write_text(
            f'issuer = "{self.issuer}"\nclient_id = "{CLIENT}"\nclient_secret_file = "desk.secret"\n'
            f'units_claim = "units"\n{grants}'
        )
        return file

    def app(self) -> web.Application:
        """Its routes."""
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", self._metadata)
        app.router.add_get("/keys", self._keys)
        app.router.add_get("/sign-in", self._sign_in)
        app.router.add_post("/token", self._token)
        return app

    async def _metadata(self, request: web.Request) -> web.Response:
        self.asked.append("metadata")
        return web.json_response(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/sign-in",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
            }
        )

    async def _keys(self, request: web.Request) -> web.Response:
        self.asked.append("keys")
        keys = [self.key] if self.published is None else self.published
        return web.json_response({"keys": [key.as_dict(private=False) for key in keys]})

    async def _sign_in(self, request: web.Request) -> web.Response:
        if self.refuses:
            raise web.HTTPFound(f"{request.query['redirect_uri']}?error=access_denied&state={request.query['state']}")
        code = secrets.token_urlsafe(16)
        self._codes[code] = dict(request.query)
        raise web.HTTPFound(f"{request.query['redirect_uri']}?code={code}&state={request.query['state']}")

    async def _token(self, request: web.Request) -> web.Response:
        said = dict(parse_qsl(await request.text()))
        begun = self._codes.pop(said.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(said.get("code_verifier", "").encode()).digest()).rstrip(
            b"="
        )
        basic = base64.b64encode(f"{CLIENT}:a-secret%2Fof+the%2Bclient".encode()).decode()
        if (
            begun is None
            or begun["code_challenge"] != challenge.decode()
            or begun["redirect_uri"] != said["redirect_uri"]
            or request.headers.get("Authorization") != f"Basic {basic}"
        ):
            return web.json_response({"error": "invalid_grant"}, status=400)
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": begun["nonce"]}
        claims |= self.claims | self.changed
        header = {"alg": self.algorithm, "kid": self.key.kid}
        return web.json_response(
            {
                "token_type": "Bearer",
                "access_token": "t",
                "id_token": jwt.encode(header, claims, self.key, [self.algorithm]),
            }
        )
