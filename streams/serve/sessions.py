"""Sessions of the desk: signing in with a token gives a cookie, which expires. Pure except for random numbers.

They are in the memory of one process: after a restart, or at another process, people sign in again. A cookie is a
random number of 256 bits, of which only a digest is stored, as with tokens.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass

from streams.serve.tokens import Bearer

LONGEST = 12 * 3600.0
"""Longest session in seconds: a shift."""
IDLE = 3600.0
"""Seconds without a request after which a session ends."""
MOST = 10_000
"""Most sessions; a further one ends the one that has been idle longest."""


@dataclass(slots=True)
class Session:
    """One browser that has signed in. Times are seconds of time.monotonic."""

    bearer: Bearer
    began: float
    used: float
    over: bool = False

    def is_over(self, now: float) -> bool:
        """Whether it has ended."""
        return self.over or now >= self.began + LONGEST or now >= self.used + IDLE


class Sessions:
    """The sessions of one process."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}

    def begin(self, bearer: Bearer, now: float | None = None) -> str:
        """Begin a session; returns the value of its cookie, which is not stored."""
        now = time.monotonic() if now is None else now
        self._sessions = {key: one for key, one in self._sessions.items() if not one.is_over(now)}
        while len(self._sessions) >= MOST:
            self._end(min(self._sessions, key=lambda key: self._sessions[key].used))
        cookie = secrets.token_urlsafe(32)
        self._sessions[_digest(cookie)] = Session(bearer, now, now)
        return cookie

    def find(self, cookie: str | None, now: float | None = None) -> Session | None:
        """The session of a cookie, which this request keeps alive; None if there is none or it has ended."""
        now = time.monotonic() if now is None else now
        key = _digest(cookie or "")
        session = self._sessions.get(key)
        if session is None:
            return None
        if session.is_over(now):
            self._end(key)
            return None
        session.used = now
        return session

    def end(self, cookie: str | None) -> None:
        """End a session; its streams end, too."""
        self._end(_digest(cookie or ""))

    def _end(self, key: str) -> None:
        session = self._sessions.pop(key, None)
        if session is not None:
            session.over = True


def _digest(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()
