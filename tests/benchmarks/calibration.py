"""How fast this machine is, by a loop of plain Python: limits of benchmarks are multiples of what a turn of it takes.

They are written in microseconds of the machine on which they were set, where a turn takes TURN_US, because so they can
be compared with the figures in docs/performance.md. A machine on which it takes three times as long has three times
the limit. The loop runs in the process that measures, just before: what slows that process down, slows the loop down.
"""

from __future__ import annotations

import time
from collections.abc import Callable

TURN_US = 0.375
TURNS = 100_000
ROUNDS = 5


def turns(number: int) -> dict[bytes, tuple[int, int, bytes]]:
    """Count, add up and pack by key: what the stages do, too, with nothing of ours in it."""
    state: dict[bytes, tuple[int, int, bytes]] = {}
    for at in range(number):
        key = b"customer:%d" % (at % 997)
        count, total, _ = state.get(key, (0, 0, b""))
        packed = b"".join((key, count.to_bytes(8, "big"), total.to_bytes(8, "big")))
        state[key] = (count + 1, total + at, packed)
    return state


def slower(clock: Callable[[], float] = time.process_time) -> float:
    """So many times longer than TURN_US does a turn take here: the best of some rounds.

    clock: of the limit that is to be multiplied: CPU seconds of this process, or time.perf_counter.
    """
    best = float("inf")
    for _ in range(ROUNDS):
        began = clock()
        turns(TURNS)
        best = min(best, clock() - began)
    return best / TURNS * 1e6 / TURN_US
