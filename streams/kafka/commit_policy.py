"""When a worker commits: every so often while batches are acked one after another, and soon after the last one."""

from __future__ import annotations

QUIET = 0.05
"""Seconds without an ack, and with nothing in progress, after which a worker has nothing more to wait for."""


class Pace:
    """Decides when what is acked is to be committed.

    While batches keep coming, that is some `interval` seconds after the first ack that is not committed, so that
    commits cost the same however many batches there are. When nothing is in progress and no ack came for `quiet`
    seconds it is at once, but not twice within `interval`: a trickle of batches is committed as often as a stream.

    All times are those of one clock, in seconds.
    """

    __slots__ = ("_early_at", "_first", "_last", "interval", "quiet")

    def __init__(self, interval: float, quiet: float = QUIET) -> None:
        self.interval = interval
        self.quiet = quiet
        self._first: float | None = None
        self._last = 0.0
        self._early_at = -interval

    def acked(self, now: float) -> None:
        """Note that there is something to commit since now."""
        if self._first is None:
            self._first = now
        self._last = now

    def wait(self, now: float, in_progress: bool) -> float | None:
        """Seconds until to commit, or to ask again; 0 when it is time, None when there is nothing to commit."""
        if self._first is None:
            return None
        due = self._due(self._first)
        early = max(self._last + self.quiet, self._early_at + self.interval)
        if now >= due:
            return 0.0
        if now < early:
            return min(early, due) - now
        return min(self.quiet, due - now) if in_progress else 0.0

    def committing(self, now: float) -> None:
        """Note that all that was acked so far is being committed."""
        if self._first is not None and now < self._due(self._first):
            self._early_at = now
        self._first = None

    def settled(self) -> None:
        """Note that there is nothing to commit after all; a commit that is not made does not hold up the next one."""
        self._first = None

    def _due(self, first: float) -> float:
        # A little later than an interval: in a trickle what may then be committed early comes first, and not as well.
        return first + self.interval + 2 * self.quiet
