"""The clock of a worker. Only the edges read it; pure code is given the time as an argument."""

from __future__ import annotations

import time


def now_ms() -> int:
    """Epoch milliseconds."""
    return time.time_ns() // 1_000_000
