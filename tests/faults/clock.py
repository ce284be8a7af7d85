"""A wall clock that jumps: in workers of tests.faults.worker, RIHLA_CLOCK names a file with the seconds it is ahead.

Only the wall clock: time.monotonic and the kernel's CLOCK_BOOTTIME do not jump when somebody sets a machine's clock.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "RIHLA_CLOCK"
LOOK_EVERY = 0.1  # seconds


def bend(environment: Mapping[str, str]) -> None:
    """Make time.time and time.time_ns follow the file that the environment names, if any."""
    if VARIABLE not in environment:
        return
    file, plain = Path(environment[VARIABLE]), time.time_ns
    looked, ahead = -LOOK_EVERY, 0

    def time_ns() -> int:
        nonlocal looked, ahead
        if time.monotonic() - looked >= LOOK_EVERY:
            looked = time.monotonic()
            ahead = int(float(file.read_text()) * 1e9)
        return plain() + ahead

    time.time_ns = time_ns
    time.time = lambda: time_ns() / 1e9


def set_ahead(file: Path, seconds: float) -> None:
    """Let the clocks that follow a file be so far ahead (behind: negative) from now on."""
    new = file.with_suffix(".new")
    new.write_text(str(seconds))
    os.replace(new, file)
