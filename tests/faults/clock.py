"""A wall clock that jumps: in workers of tests.faults.worker, RIHLA_CLOCK names a file with the seconds it is ahead.

Only the wall clock: time.monotonic and the kernel's CLOCK_BOOTTIME do not jump when somebody sets a machine's clock.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
    _stamp_records()


def _stamp_records() -> None:
    """Let records without a timestamp have that of the bent clock: aiokafka's C code asks the kernel for it."""
    from streams.kafka.batch_producer import BatchProducer

    send = BatchProducer.send

    async def stamped(
        producer: BatchProducer, keys: Any, values: Any, timestamps_ms: Any = None, *rest: Any, **named: Any
    ) -> None:
        now = time.time_ns() // 1_000_000
        await send(producer, keys, values, now if timestamps_ms is None else timestamps_ms, *rest, **named)

    BatchProducer.send = stamped  # type: ignore[method-assign]


def set_ahead(file: Path, seconds: float) -> None:
    """Let the clocks that follow a file be so far ahead (behind: negative) from now on."""
    new = file.with_suffix(".new")
    new.write_text(str(seconds))
    os.replace(new, file)
