"""Authorisation by static tokens, each with a role, in a TOML file that holds only digests of them.

[[token]]
name = "front desk Makkah"        # who is written down in cx.lookups
role = "agent"                    # agent, manager, operations, analyst or engineer
sha256 = "..."                    # of the token: `rihla token` makes both
units = ["Makkah Towers"]         # optional: those that the bearer works for; none: all
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
import tomllib
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streams.errors import RihlaError

CUSTOMER, BATCH, SEARCH, DAY, ALERTS, REVEAL = "customer", "batch", "search", "day", "alerts", "reveal"
"""Permissions: one customer, several at once, a search, a unit's day, alerts, identifiers in clear."""
ANSWER, FIGURES, PIPELINE = "answer", "figures", "pipeline"
"""Further permissions of the desk: to take, answer and settle alerts and cases; figures without names; status of the
workers."""

ROLES: Mapping[str, frozenset[str]] = {
    "agent": frozenset((CUSTOMER, SEARCH, DAY, ALERTS, REVEAL, ANSWER)),
    "manager": frozenset((CUSTOMER, BATCH, SEARCH, DAY, ALERTS, REVEAL, ANSWER, FIGURES)),
    "operations": frozenset((CUSTOMER, BATCH, SEARCH, DAY, ALERTS, REVEAL, ANSWER, FIGURES, PIPELINE)),
    "analyst": frozenset((FIGURES,)),
    "engineer": frozenset((PIPELINE,)),
}
"""Permissions by role. Analysts and engineers see no person."""
LOOKUPS: Mapping[str, int] = {"agent": 60, "manager": 600, "operations": 6000}
"""Customers that a token of each role may look up in a minute, so that nobody can copy all of them."""
SEARCHES = 10
"""Searches that count as one such customer: people search as they type."""
LISTED = 50
"""Lines of a unit's day that count as one such customer: a line has only booking and customer_id."""


class TokensError(RihlaError):
    """The file of tokens cannot be used; the message names the entry and says what is allowed."""


@dataclass(frozen=True)
class Bearer:
    """The owner of a token. units: None means all of them."""

    name: str
    role: str
    units: frozenset[str] | None = None
    _spent: dict[str, deque[float]] = field(default_factory=dict, repr=False, compare=False)

    def may(self, what: str) -> bool:
        """Whether the role allows something."""
        return what in ROLES[self.role]

    def may_see(self, unit: str) -> bool:
        """Whether a unit is one of the bearer's."""
        return self.units is None or unit in self.units

    def wait(self, customers: int, now: float | None = None) -> float:
        """Seconds until that many more customers may be looked up; 0: now, and then they are counted."""
        return self._wait(CUSTOMER, customers, LOOKUPS.get(self.role, 0), now)

    def wait_to_search(self, now: float | None = None) -> float:
        """The same of one search."""
        return self._wait(SEARCH, 1, SEARCHES * LOOKUPS.get(self.role, 0), now)

    def wait_to_list(self, lines: int, now: float | None = None) -> float:
        """The same for a number of lines of a unit's day."""
        return self._wait(DAY, -(-lines // LISTED), LOOKUPS.get(self.role, 0), now)

    def _wait(self, what: str, count: int, allowed: int, now: float | None) -> float:
        now = time.monotonic() if now is None else now
        spent = self._spent.setdefault(what, deque())
        while spent and spent[0] <= now - 60.0:
            spent.popleft()
        if len(spent) + count > allowed:
            return 60.0 if count > allowed or not spent else spent[0] + 60.0 - now
        spent.extend([now] * count)
        return 0.0


class Tokens:
    """The bearers by the digests of their tokens."""

    def __init__(self, bearers: Mapping[str, Bearer]) -> None:
        self._bearers = {digest.encode(): bearer for digest, bearer in bearers.items()}

    def bearer(self, authorization: str | None) -> Bearer | None:
        """The bearer of a header `Authorization: Bearer TOKEN`; None if the token is unknown."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return None
        given = digest_of(token.strip()).encode()
        found = None
        for digest, bearer in self._bearers.items():  # compares with all of them, so that the time reveals nothing
            if hmac.compare_digest(digest, given):
                found = bearer
        return found


def digest_of(token: str) -> str:
    """The digest of a token for the file: SHA-256 in hexadecimal. Tokens are random, so no slow hash is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_token() -> str:
    """A new random token."""
    return secrets.token_urlsafe(32)


def entry(name: str, role: str, token: str, units: Sequence[str] = ()) -> str:
    """The entry of a bearer in the file of tokens, as TOML."""
    lines = ["[[token]]", f"name = {json.dumps(name)}", f'role = "{role}"', f'sha256 = "{digest_of(token)}"']
    if units:
        lines.append(f"units = {json.dumps(list(units))}")
    return "\n".join(lines) + "\n"


def load(path: Path) -> Tokens:
    """The tokens of a file. Raises TokensError."""
    try:
        said = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise TokensError(f"the file of tokens {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TokensError(f"{path} is no TOML: {error}") from error
    entries = said.get("token", [])
    if not isinstance(entries, list) or not entries:
        raise TokensError(f"{path} has no [[token]]", "docs/serve.md shows one")
    found: dict[str, Bearer] = {}
    for number, entry in enumerate(entries, 1):
        digest, bearer = _bearer(f"{path}, token {number}", entry)
        found[digest] = bearer
    return Tokens(found)


def _bearer(where: str, entry: Any) -> tuple[str, Bearer]:
    if not isinstance(entry, dict):
        raise TokensError(f"{where} is no table: write [[token]]")
    if strange := sorted(entry.keys() - {"name", "role", "sha256", "units"}):
        raise TokensError(f"{where}: there is no {strange[0]}; there are name, role, sha256 and units")
    name, role, digest, units = (entry.get(part) for part in ("name", "role", "sha256", "units"))
    if not isinstance(name, str) or not name.strip():
        raise TokensError(f"{where}: name is missing: it says in cx.lookups who asked")
    if not isinstance(role, str) or role not in ROLES:
        raise TokensError(f"{where}: role is {role!r}; it must be one of {', '.join(ROLES)}")
    if not isinstance(digest, str) or len(digest) != 64 or not set(digest.lower()) <= set("0123456789abcdef"):
        raise TokensError(f"{where}: sha256 is not 64 hexadecimal digits: printf %s TOKEN | sha256sum")
    if units is not None and not _are_units(units):
        raise TokensError(f"{where}: units is not a list of names")
    return digest.lower(), Bearer(name.strip(), role, None if units is None else frozenset(units))


def _are_units(units: Any) -> bool:
    return isinstance(units, Sequence) and not isinstance(units, str) and all(isinstance(one, str) for one in units)
