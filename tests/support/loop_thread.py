"""An event loop in a thread, for servers that a test talks to, whether the test has a loop or blocks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from tests.support.waiting import HUNG

T = TypeVar("T")


class LoopThread:
    """An event loop in a thread, for servers that a blocking test talks to."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine that runs in the thread's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(HUNG)

    def close(self) -> None:
        """Stop the loop and wait for its thread."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(HUNG)
        self.loop.close()
