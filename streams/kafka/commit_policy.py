"""When a worker commits: once an interval while batches are acked, and soon after the last ack of a busy spell."""

from __future__ import annotations

QUIET = 0.05
"""Seconds without an ack, and with no batch in progress, after which a worker commits at once."""


class CommitPolicy:
    """Decides when acked offsets are committed.

    While batches keep coming, a commit follows about `interval` seconds after the first ack that is not committed, so
    that commits cost the same however many batches there are. When no batch is in progress and no ack came for `quiet`
    seconds, the commit follows at once, but at most one such commit in `interval` seconds: a trickle of batches is
    committed no more often than a stream.

    All times are seconds of one monotonic clock.
    """

    __slots__ = ("_early_at", "_first", "_last", "interval", "quiet")

    def __init__(self, interval: float, quiet: float = QUIET) -> None:
        self.interval = interval
        self.quiet = quiet
        self._first: float | None = None
        self._last = 0.0
        self._early_at = -interval

    def acked(self, now: float) -> None:
        """Note an ack: from `now` on there is something to commit."""
        if self._first is None:
            self._first = now
        self._last = now

    def wait(self, now: float, in_progress: bool) -> float | None:
        """Seconds after which to ask again; 0: commit now; None: there is nothing to commit."""
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
        """Note that everything acked so far is being committed."""
        if self._first is not None and now < self._due(self._first):
            self._early_at = now
        self._first = None

    def settled(self) -> None:
        """Note that there is nothing to commit after all. No commit was made, so the next early one need not wait."""
        self._first = None

    def _due(self, first: float) -> float:
        # A little later than an interval: in a trickle the early commit then comes first, instead of both.
        return first + self.interval + 2 * self.quiet
