"""Whether a worker lives, as its own reading tells: the loop that fetches goes round, or waits for a good reason.

That loop lives in the worker's event loop and asks the consumer's thread for records, a second at most at a time: its
last turn proves both. It stands still while the group rebalances, while tables recover, and while an agent is busy and
its buffer full (ClickHouse away): then the thread alone is asked whether it answers.
"""

from __future__ import annotations

import time
from typing import Any


class Health:
    """The life signs of one app. Call `look` every few seconds."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._answered = time.monotonic()

    async def look(self) -> None:
        """Return when the consumer's thread has answered; at once while there is none."""
        if self._app.started:
            await self._app.consumer.ping()
        self._answered = time.monotonic()

    def last_progress(self) -> float:
        """`time.monotonic()` of the last sign: of the thread, and of the reading loop where that does not wait."""
        polled = self._app.consumer.polled_at if self._app.started else None
        return self._answered if polled is None else min(self._answered, polled)

    def ready(self) -> tuple[bool, str]:
        """Whether the worker does what it is there for, and the reason in words.

        A worker that the group has left without partitions is ready: it stands by, and takes over when another goes.
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
