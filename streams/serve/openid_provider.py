"""Speaks to an OpenID provider: its metadata and keys, the code for an ID token, and whether that token is true.

Authorization code flow with PKCE (OpenID Connect Core 1.0, RFC 7636); an ID token must be signed by a key of the
provider. Needs the extra `openid`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote_plus

import aiohttp
import orjson
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import get_well_known_url
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from streams.serve.openid import Client, OpenIdError, Refused, is_safe

ALGORITHMS: Final = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signatures by a private key of the provider. HMAC is left out: the client's secret would be enough to forge it."""
KEPT: Final = 3600.0
"""Seconds for which metadata and keys are kept."""
AGAIN: Final = 30.0
"""Seconds before keys are asked for again because a token names one that is not among them."""
LONGEST: Final = 1 << 20
"""Bytes of an answer."""
LEEWAY: Final = 60
"""Seconds by which clocks may differ."""
_TIMEOUT: Final = aiohttp.ClientTimeout(total=10)


class Provider:
    """One provider, asked when somebody signs in and not before: it may be away when we start."""

    def __init__(self, client: Client) -> None:
        self._client, self._config = client, client.config
        self._lock = asyncio.Lock()
        self._metadata: Mapping[str, Any] = {}
        self._keys: KeySet | None = None
        self._since = float("-inf")

    async def page(self, redirect_uri: str, state: str, nonce: str, verifier: str) -> str:
        """URL of the provider's page where one signs in. Raises OpenIdError."""
        metadata, _ = await self._known()
        challenge = create_s256_code_challenge(verifier)
        scope = " ".join(self._config.scopes)
        url: str = prepare_grant_uri(
            metadata["authorization_endpoint"], self._config.client_id, "code", redirect_uri, scope, state,
            nonce=nonce, code_challenge=challenge, code_challenge_method="S256",
        )  # fmt: skip
        return url

    async def claims(self, code: str, redirect_uri: str, nonce: str, verifier: str) -> dict[str, Any]:
        """The claims of the account that a code stands for. Raises Refused and OpenIdError."""
        metadata, keys = await self._known()
        sent = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        headers = {"Accept": "application/json"}
        methods = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if self._client.secret is None:
            sent["client_id"] = self._config.client_id
        elif "client_secret_basic" in methods:
            # RFC 6749, 2.3.1: both are form-encoded first
            headers["Authorization"] = aiohttp.encode_basic_auth(
                quote_plus(self._config.client_id), quote_plus(self._client.secret)
            )
        else:
            sent |= {"client_id": self._config.client_id, "client_secret": self._client.secret}
        answer = await self._ask("POST", metadata["token_endpoint"], headers, sent)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise Refused("the provider did not accept the code")
        try:
            found = _decoded(token, keys)
        except Refused:  # its key may be newer than those that are known
            found = _decoded(token, (await self._known(fresh=True))[1])
        return self._validated(found, nonce, answer.get("access_token"))

    def _validated(self, token: jwt.Token, nonce: str, access_token: Any) -> dict[str, Any]:
        options = {
            "iss": {"essential": True, "value": self._config.issuer},
            "aud": {"essential": True, "value": self._config.client_id},
        }
        parameters = {"nonce": nonce, "client_id": self._config.client_id, "access_token": access_token}
        claims = CodeIDToken(token.claims, token.header, options, parameters)
        try:
            claims.validate(leeway=LEEWAY)
        except Exception as error:  # Authlib raises errors of two families here, and what odd types make of its checks
            raise Refused("the ID token is not for us, or not of this sign-in, or over") from error
        return dict(token.claims)

    async def _known(self, fresh: bool = False) -> tuple[Mapping[str, Any], KeySet]:
        """Metadata and keys. fresh: asked for again, unless that was done just now."""
        async with self._lock:
            age = time.monotonic() - self._since
            if self._keys is None or age > (AGAIN if fresh else KEPT):
                self._metadata, self._keys = await self._discover()
                self._since = time.monotonic()
            return self._metadata, self._keys

    async def _discover(self) -> tuple[Mapping[str, Any], KeySet]:
        issuer = self._config.issuer
        metadata = await self._ask("GET", get_well_known_url(issuer, external=True), {}, None)
        if metadata.get("issuer") != issuer:
            raise OpenIdError(
                f"the provider names itself otherwise than {issuer}", "give its issuer as it is written there"
            )
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not isinstance(metadata.get(name), str) or not is_safe(metadata[name]):
                raise OpenIdError(f"the provider's metadata have no {name} over TLS")
        published: Any = await self._ask("GET", metadata["jwks_uri"], {}, None)
        try:
            keys = KeySet.import_key_set(published)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise OpenIdError("the provider's keys cannot be read") from error
        return metadata, keys

    async def _ask(
        self, method: str, url: str, headers: Mapping[str, str], sent: Mapping[str, str] | None
    ) -> dict[str, Any]:
        """The provider's answer, a JSON object; redirects are not followed. Raises OpenIdError.

        sent: the form of a POST, whose refusals (any status) are answers, too.
        """
        try:
            async with (
                aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=True) as session,
                session.request(method, url, headers=headers, data=sent, allow_redirects=False) as answer,
            ):
                body = await answer.content.read(LONGEST + 1)
                while body and not answer.content.at_eof() and len(body) <= LONGEST:
                    body += await answer.content.read(LONGEST + 1)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise OpenIdError(f"the provider does not answer: {type(error).__name__}") from error
        try:
            said = orjson.loads(body) if len(body) <= LONGEST else None
        except orjson.JSONDecodeError:
            said = None
        if not isinstance(said, dict) or (answer.status != 200 and sent is None):
            raise OpenIdError(f"the provider answers {answer.status}, and no JSON object")
        return said


def _decoded(token: str, keys: KeySet) -> jwt.Token:
    """A token whose signature is one of these keys'. Raises Refused."""
    try:
        return jwt.decode(token, keys, algorithms=ALGORITHMS)
    except (JoseError, ValueError) as error:
        raise Refused("the ID token has no signature of the provider") from error
