"""Who may sign in at the desk by the company's own accounts: a TOML file, and what claims of an account allow.

issuer = "https://login.example.com/realms/hotels"   # as the provider's own metadata name it
client_id = "rihla-desk"
client_secret_file = "desk.secret"   # optional: a public client has none; PKCE is used either way
name_claim = "preferred_username"    # optional: who is written down in cx.lookups
units_claim = "units"                # optional: a claim with the units that the account works for

[[grant]]                            # the first that fits counts; without one that fits nobody comes in
claim = "realm_access.roles"         # a claim, or a path through objects by dots
value = "front-desk"                 # equal to it, or in it, where it is a list
role = "agent"                       # agent, manager, operations, analyst or engineer
units = ["Makkah Towers"]            # optional: those of the role; without: units_claim's, or all

Terms are those of OpenID Connect Core 1.0. Pure: streams.serve.openid_provider speaks to the provider.
"""

from __future__ import annotations

import ipaddress
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from streams.errors import RihlaError
from streams.serve.tokens import ROLES, Bearer

BEGIN: Final = "/desk/company"
BACK: Final = "/desk/company/back"
"""Where signing in begins, and the redirect_uri to which the provider sends people back."""
LONGEST_NAME: Final = 200
"""Characters of a name that are written down."""
MOST_ACCOUNTS: Final = 10_000
"""Accounts whose look-ups are counted; beyond it the one that signed in first begins to count anew."""


class OpenIdError(RihlaError):
    """The file cannot be used, or the provider does not answer as one; the message says which and what would do."""


class Refused(Exception):
    """This account may not use the desk; the message says why, and shows no claim's value."""


class Grant(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a claim allows."""

    claim: str
    value: str
    role: str
    units: list[str] | None = None


class OpenId(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The file of RIHLA_SERVE_OPENID."""

    issuer: str
    client_id: str
    grant: list[Grant]
    client_secret_file: str | None = None
    name_claim: str = "preferred_username"
    units_claim: str | None = None
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    """What is asked for; some providers give groups only for a scope of their own."""


@dataclass(frozen=True, slots=True)
class Client:
    """Ourselves as the provider knows us."""

    config: OpenId
    secret: str | None


def load(path: Path) -> Client:
    """The client that a file describes. Raises OpenIdError."""
    try:
        config = msgspec.convert(tomllib.loads(path.read_text("utf-8")), OpenId)
    except OSError as error:
        raise OpenIdError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OpenIdError(f"{path} is no TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise OpenIdError(f"{path}: {error}", "docs/serve.md shows such a file") from error
    if not config.grant:
        raise OpenIdError(f"{path} has no [[grant]]: nobody could sign in", "docs/serve.md shows one")
    for number, grant in enumerate(config.grant, 1):
        if grant.role not in ROLES:
            raise OpenIdError(f"{path}, grant {number}: role is {grant.role!r}; it must be one of {', '.join(ROLES)}")
    if not is_safe(config.issuer):
        raise OpenIdError(f"{path}: issuer must begin with https:// (http only on this machine)")
    if "openid" not in config.scopes:
        raise OpenIdError(f"{path}: scopes must have openid", 'scopes = ["openid", "profile"]')
    secret = None
    if config.client_secret_file is not None:
        file = path.parent / config.client_secret_file
        try:
            secret = file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise OpenIdError(f"client_secret_file {file} cannot be read") from error
        if not secret:
            raise OpenIdError(f"client_secret_file {file} is empty")
    return Client(config, secret)


def is_safe(url: str) -> bool:
    """Whether what goes to this URL can be read by nobody on the way: TLS, or an address of this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme == "https":
        return bool(host)
    if parts.scheme != "http":
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Accounts:
    """The bearers that accounts are. An account that signs in again keeps what it has spent of its look-ups."""

    def __init__(self, config: OpenId) -> None:
        self._config = config
        self._known: dict[tuple[str, str, str, frozenset[str] | None], Bearer] = {}

    def bearer(self, claims: Mapping[str, Any]) -> Bearer:
        """Who an account is, by the claims of its ID token, which must have been verified. Raises Refused."""
        config = self._config
        grant = next((one for one in config.grant if _has(claim(claims, one.claim), one.value)), None)
        if grant is None:
            raise Refused("no group of this account may use the desk")
        units = self._units(grant, claims)
        name = self._name(claims)
        key = (str(claims["sub"]), name, grant.role, units)
        if key not in self._known:
            while len(self._known) >= MOST_ACCOUNTS:
                del self._known[next(iter(self._known))]
            self._known[key] = Bearer(name, grant.role, units)
        return self._known[key]

    def _units(self, grant: Grant, claims: Mapping[str, Any]) -> frozenset[str] | None:
        if grant.units is not None:
            return frozenset(grant.units)
        if self._config.units_claim is None:
            return None
        said = claim(claims, self._config.units_claim)
        units = [said] if isinstance(said, str) else said
        if not isinstance(units, list) or not units or not all(isinstance(one, str) for one in units):
            raise Refused("the account does not say for which units it works")
        return frozenset(units)

    def _name(self, claims: Mapping[str, Any]) -> str:
        for source in (self._config.name_claim, "email", "sub"):
            name = claim(claims, source)
            if isinstance(name, str) and (shown := "".join(one for one in name if one.isprintable()).strip()):
                return shown[:LONGEST_NAME]
        raise Refused("the account has no name")


def claim(claims: Mapping[str, Any], path: str) -> Any:
    """A claim by its name, or by a path through objects by dots; None where there is none."""
    if path in claims:  # names may have dots of their own: https://example.com/roles
        return claims[path]
    found: Any = claims
    for part in path.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return None
        found = found[part]
    return found


def _has(found: Any, value: str) -> bool:
    return found == value or (isinstance(found, list) and value in found)
