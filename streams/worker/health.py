"""Whether a worker is alive: its reading loop turns, or waits for a good reason.

The reading loop runs in the worker's event loop and asks the consumer's thread for records, waiting a second at most:
each turn proves that both are alive. It stands still while the group rebalances, while tables recover, and while an
agent is busy and its buffer is full (ClickHouse is away). Then only the consumer's thread is asked to answer.
"""

from __future__ import annotations

import time
from typing import Any


class Health:
    """Health and readiness of one app. Call `look` every few seconds."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._answered = time.monotonic()

    async def look(self) -> None:
        """Return when the consumer's thread has answered; at once while there is none."""
        if self._app.started:
            await self._app.consumer.ping()
        self._answered = time.monotonic()

    def last_progress(self) -> float:
        """`time.monotonic()` of the last progress: the older of the thread's answer and, unless the reading loop is
        waiting, the loop's last turn."""
        polled = self._app.consumer.polled_at if self._app.started else None
        return self._answered if polled is None else min(self._answered, polled)

    def ready(self) -> tuple[bool, str]:
        """Whether the worker can process records, and the reason in words.

        A worker without partitions is ready: it stands by, and takes over when another one leaves.
        """
        held = self._app.consumer.held if self._app.started else None
        if held is None:
            return False, "no partitions assigned yet"
        if not held:
            return True, "stands by: the group has no partition left for it"
        for table in self._app.tables.values():
            if not table.partitions_held:
                return False, f"recovering {table.name}"
        if not self._app.consumer.progress:
            return False, "partitions assigned, reading has not begun"
        return True, "partitions assigned, state recovered"
