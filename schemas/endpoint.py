"""The address of an HTTP service (schema registry, ClickHouse) with our credentials, parsed once and strictly."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote

from schemas.masking import learn, learn_pair, masked
from schemas.tls import Tls

_URL = re.compile(
    r"(?P<scheme>https?)://(?:(?P<user>[^/?#@]*)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s/?#@:\[\]]+)(?::(?P<port>\d{1,5}))?"
    r"(?P<path>/[^\s?#@]*)?(?:\?(?P<query>[^\s#@]*))?",
    re.IGNORECASE,
)


class EndpointError(ValueError):
    """An address or its credentials cannot be used; the message shows no secret."""


@dataclass(frozen=True, repr=False)
class Endpoint:
    """`host` without brackets, `port` None where the URL has none, `path` without a slash at its end.

    token: of bearer authentication; token_file: a file that holds it, read for each connection, so that it may be
    renewed there.
    """

    scheme: str
    host: str
    port: int | None = None
    path: str = ""
    query: tuple[tuple[str, str], ...] = ()
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    token_file: str | None = None
    tls: Tls = field(default_factory=Tls)

    @classmethod
    def parse(
        cls,
        url: str,
        *,
        name: str = "the address",
        username: str | None = None,
        password: str | None = None,
        token: str | None = None,
        token_file: str | None = None,
        tls: Tls | None = None,
    ) -> Endpoint:
        """http[s]://[user[:password]@]host[:port][/path][?parameters], with special characters percent-encoded.

        name: of the setting, for messages. Raises EndpointError.
        """
        found = _URL.fullmatch(url.strip())
        if found is None or (found["port"] and not 0 < int(found["port"]) < 65536):
            raise EndpointError(f"{name}: {_wrong(url)}")
        user, colon, secret = (found["user"] or "").partition(":")
        if user and username is not None:
            raise EndpointError(f"{name}: the user is given twice, in the URL and by {name}_username")
        if colon and password is not None:
            raise EndpointError(f"{name}: the password is given twice, in the URL and by {name}_password")
        if token is not None and token_file is not None:
            raise EndpointError(f"{name}: give {name}_token or {name}_token_file, not both")
        given = cls(
            found["scheme"].lower(),
            found["host"].strip("[]"),
            int(found["port"]) if found["port"] else None,
            (found["path"] or "").rstrip("/"),
            tuple(parse_qsl(found["query"] or "", keep_blank_values=True)),
            unquote(user) if user else username,
            unquote(secret) if colon else password,
            token,
            token_file,
            tls or Tls(),
        )
        given._check(name)
        learn(given.token, given.tls.key_password, secret)
        if given.password is not None:
            learn_pair(given.username or "", given.password)
        return given

    def _check(self, name: str) -> None:
        if (self.token or self.token_file) and (self.username is not None or self.password is not None):
            raise EndpointError(f"{name}: give a token or a user with password, not both")
        if self.password is not None and self.username is None:
            raise EndpointError(f"{name}: there is a password and no user: {name}_username")
        if self.tls.given and self.scheme != "https":
            raise EndpointError(f"{name}: certificates are of no use with http://, use https://")

    @property
    def address(self) -> str:
        """scheme://host[:port]/path, without any secret."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}{f':{self.port}' if self.port else ''}{self.path}"

    def bearer(self) -> str | None:
        """The token as it is now. Raises EndpointError where its file cannot be read."""
        if self.token_file is None:
            return self.token
        try:
            token = Path(self.token_file).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise EndpointError(f"the token's file {self.token_file} cannot be read: {error}") from error
        if not token:
            raise EndpointError(f"the token's file {self.token_file} is empty")
        learn(token)
        return token

    def authorization(self) -> str | None:
        """Value of the HTTP header `Authorization`, None where there is nobody to name. Raises like `bearer`."""
        token = self.bearer()
        if token is not None:
            return f"Bearer {token}"
        if self.username is None:
            return None
        pair = f"{self.username}:{self.password or ''}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"

    def __repr__(self) -> str:
        return f"<Endpoint {self.address}>"

    __str__ = __repr__


def _wrong(url: str) -> str:
    """Why a text is no URL of an HTTP service."""
    shown = masked(url)
    scheme = re.match(r"\s*([A-Za-z][A-Za-z0-9+.:-]*)://", url)
    if scheme is None:
        return f"{shown!r} is not an http(s) URL: write http://HOST:PORT or https://HOST:PORT"
    if scheme[1].lower() not in ("http", "https"):
        return f"{shown!r} begins with {scheme[1]}://; only HTTP is spoken: write http://HOST:PORT or https://HOST:PORT"
    if "@" in url:
        return (
            f"{shown!r} cannot be taken apart: in a user or password write / as %2F, ? as %3F, # as %23, @ as %40, "
            "or give them by settings of their own"
        )
    return f"{shown!r} is not an http(s) URL with a host and a port: write http://HOST:PORT or https://HOST:PORT"
