"""The timers and open alerts of one partition's states, as far as these have been read."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from streams.alerts.tally import OpenAlerts, open_of
from streams.alerts.timers import Timers, due_of
from streams.alerts.watch import Watch

_BETWEEN_LOOKS = 32
"""The number of states that are read between looks at the clock: each takes some microseconds."""


class Index:
    """Filled from the states, slice by slice; batches that are handled meanwhile keep it up to date.

    unread: keys of the states to read. A key that a batch brings up to date first is skipped.
    """

    def __init__(self, unread: list[bytes]) -> None:
        self.timers, self.opened = Timers(), OpenAlerts()
        self._unread = unread
        self._told: set[bytes] = set()

    @property
    def complete(self) -> bool:
        """Whether every state has been looked at."""
        return not self._unread

    def tell(self, due: Mapping[bytes, int], opened: Mapping[bytes, tuple[tuple[str, str], ...]]) -> None:
        """Take in what a batch has changed: due times (epoch ms; 0: none) and open alerts, by key."""
        self.timers.update(due)
        self.opened.update(opened)
        if self._unread:
            self._told.update(due)
            self._told.update(opened)

    def look_again(self, keys: Iterable[bytes]) -> None:
        """Read some states again, even if a batch has set their timers since."""
        keys = list(keys)
        self._told.difference_update(keys)
        self._unread += keys

    def read(
        self,
        get: Callable[[bytes], bytes | None],
        seconds: float,
        watch_of: Callable[[bytes], Watch | None],
    ) -> None:
        """Read states for a limited time.

        get: the state of a key; what it raises ends the slice, and nothing is lost. watch_of: what a state remembers of
        its alerts.
        """
        end = time.perf_counter() + seconds
        unread, told = self._unread, self._told
        due, opened = dict[bytes, int](), dict[bytes, tuple[tuple[str, str], ...]]()
        try:
            while unread and time.perf_counter() < end:
                for key in unread[-_BETWEEN_LOOKS:]:
                    if key in told or (state := get(key)) is None:
                        continue
                    watch = watch_of(state)
                    due[key], opened[key] = due_of(watch), open_of(watch)
                del unread[-_BETWEEN_LOOKS:]
        finally:
            self.timers.update(due)
            self.opened.update(opened)
        if not unread:
            told.clear()
