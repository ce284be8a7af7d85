"""Fetches the writers' schemas of a batch before it is decoded. Only this module waits for the registry.

A known id never waits. An unknown id is asked for again for a short while, because a follower of the registry may lag
behind the producer; then its records are refused. While the registry is away, the worker waits with records that it
cannot read, but not for ever, and not for ids so high that only garbage has them: neither an outage nor garbage may
hold up records that can be read. Refused records are dead letters, and can be replayed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping

from schemas.registry import HttpRegistry, RegistryError, RegistryRefusesError, UnknownSchemaError
from schemas.wire import CONFLUENT, WireHeader
from streams import metrics

AGAIN = (0.25, 0.5, 1.0)
"""Seconds to wait before each further question for an unknown id."""
AGAIN_EVERY = 30.0
"""Seconds after a vain series of questions during which no other id gets one: spares the registry a burst of
garbage.
"""
AGAIN_AT_MOST = 10
"""Ids that are asked for again together."""
PAUSES = (0.5, 1.0, 2.0, 4.0, 5.0)
"""Seconds between attempts while the registry is away; the last for ever."""
PATIENCE = 300.0
"""Seconds that records of unknown ids wait for an outage to end; then they are refused until it has ended."""
NEAR = 100_000
"""While the registry is away, an id that exceeds the highest known one by more than this is taken for garbage."""

LOOK_EVERY = 0.25
"""Seconds between looks, in a pause, at whether the worker is to stop."""

log = logging.getLogger(__name__)


class Lookup:
    """Makes a registry's cache know the schema ids of batches.

    refresh: reads the schemas that other workers have stored meanwhile. keep: stores new schemas, by id, durably.
    stopping: whether the worker is about to stop.
    """

    def __init__(
        self,
        registry: HttpRegistry,
        refresh: Callable[[], Awaitable[None]],
        keep: Callable[[Mapping[int, str]], Awaitable[None]],
        stopping: Callable[[], bool] = lambda: False,
        patience: float = PATIENCE,
    ) -> None:
        self._registry, self._refresh, self._keep, self._stopping = registry, refresh, keep, stopping
        self._again_from = 0.0
        self._patience = patience
        self._away_since: float | None = None
        self._lock = asyncio.Lock()

    async def prepare(self, batches: Iterable[Iterable[bytes | None]]) -> bool:
        """Look up the schema id of every value of some batches, and wait for the answers; an id may have no schema.

        False: the worker is to stop, and some ids are still open.
        """
        new = {
            number
            for values in batches
            for head in {value[:5] for value in values if value is not None and value[:1] == b"\0"}
            if not self._registry.settled(number := int.from_bytes(head[1:], "big")) and len(head) == 5
        }
        if not new:
            return True
        async with self._lock:
            unknown = [id_ for id_ in sorted(new) if not await self._found(id_)]
            await self._ask_again(unknown[:AGAIN_AT_MOST])
            if self._registry.learned:
                learned, self._registry.learned = self._registry.learned, {}
                await self._keep(learned)
        return all(self._registry.settled(id_) for id_ in new)

    async def _found(self, id_: int) -> bool:
        """Whether there is a schema of this id; waits for the registry."""
        header, attempt = WireHeader(CONFLUENT, id_), 0
        while not self._registry.settled(id_) and not self._stopping():
            try:
                if self._registry.may_ask():
                    await asyncio.to_thread(self._registry.look_up, header)
                else:  # it is refused at once
                    self._registry.look_up(header)
                self._away_since = None
            except UnknownSchemaError:
                self._away_since = None
                return False
            except RegistryError as error:
                kind = "refused" if isinstance(error, RegistryRefusesError) else "outage"
                metrics.REGISTRY_FAILURES.labels(kind).inc()
                await self._refresh()
                if self._registry.settled(id_):
                    break
                self._away_since = self._away_since or time.monotonic()
                away = time.monotonic() - self._away_since
                if id_ > self._registry.highest + NEAR:
                    self._registry.refuse(id_, f"{header} is far above all that are known, and {error}")
                    return False
                if away >= self._patience:
                    log.error("records of %s are refused, after %.0f s without an answer: %s", header, away, error)
                    self._registry.refuse(id_, f"for {away:.0f} s nobody could say what {header} is: {error}")
                    return False
                log.error("records of %s wait, for %.0f s by now: %s", header, away, error)
                until = time.monotonic() + PAUSES[min(attempt, len(PAUSES) - 1)]
                while not self._stopping() and time.monotonic() < until:  # noqa: ASYNC110  # Faust has no event for it
                    await asyncio.sleep(LOOK_EVERY)
                attempt += 1
        return True

    async def _ask_again(self, unknown: list[int]) -> None:
        """Ask again, a few times, for ids that are unknown."""
        if not unknown or time.monotonic() < self._again_from:
            return
        for seconds in AGAIN:
            await asyncio.sleep(seconds)
            for id_ in list(unknown):
                try:
                    await asyncio.to_thread(self._registry.look_up, WireHeader(CONFLUENT, id_))
                except UnknownSchemaError:
                    continue
                except RegistryError:  # it was there a moment ago; what it said then holds
                    return
                unknown.remove(id_)
            if not unknown:
                return
        self._again_from = time.monotonic() + AGAIN_EVERY
        log.warning("the registry at %s has no schema of id %s", self._registry.address, ", ".join(map(str, unknown)))
