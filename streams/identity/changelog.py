"""The identity graph as a table: its changelog holds the links, its state is the graph and nothing beside it.

A link's key is `LENGTH:SUBJECTIDENTIFIER`, LENGTH being that of the subject in characters; its value is the earliest
time in epoch milliseconds, eight bytes, big-endian. One more key holds the offset announced (see
`streams.identity.resolver`).
"""

from __future__ import annotations

import logging
import struct
import time
from collections.abc import Awaitable, Callable, Iterable, Set
from typing import Any

from aiokafka import TopicPartition
from faust.types import TP

from streams.identity.graph import Link
from streams.identity.resolver import Resolver
from streams.kafka import clients
from streams.kafka.changelog_table import FETCH_BYTES, STALLED, BatchTable, RecoveryError, _apply, _Partition
from streams.kafka.fetch import hand_out_columns
from streams.kafka.transport import OwnershipLost

LINKS_PARTITION = 0
"""The only partition of the topic of links."""

_ANNOUNCED = b"announced"
_LONG = struct.Struct(">q")
_LOADED_AT_ONCE = 4_000

log = logging.getLogger(__name__)


def link_key(subject: str, identifier: str) -> bytes:
    """The key under which a link is recorded."""
    return f"{len(subject)}:{subject}{identifier}".encode()


def link_of(key: bytes) -> tuple[str, str]:
    """(subject, identifier) of a key."""
    length, _, both = key.decode().partition(":")
    return both[: int(length)], both[int(length) :]


class GraphState(dict[bytes, bytes]):
    """A resolver in the place of the dict in which a table keeps what its changelog says.

    Nothing is kept as keys and values: the graph takes a fifth of the memory, and answers what the table asks.
    """

    def __init__(self) -> None:
        super().__init__()
        self._resolver = Resolver()
        self._read: list[Link] = []

    @property
    def resolver(self) -> Resolver:
        """The resolver, with all that was read from the changelog."""
        self._load()
        return self._resolver

    def _load(self) -> None:
        if self._read:
            self._resolver.restore(self._read)
            self._read = []

    def __setitem__(self, key: bytes, value: bytes) -> None:
        try:
            number = int(_LONG.unpack(value)[0])
            link = _ANNOUNCED if key == _ANNOUNCED else link_of(key)
        except (struct.error, ValueError):
            log.warning("a record of the changelog of links is none, and skipped")
            return
        if isinstance(link, bytes):
            self._resolver.announced = number
            return
        self._read.append((*link, number))
        if len(self._read) >= _LOADED_AT_ONCE:
            self._load()

    def get(self, key: bytes, default: Any = None) -> Any:
        """The value of a key, as it would be written now."""
        if key == _ANNOUNCED:
            return _LONG.pack(self._resolver.announced)
        try:
            link = link_of(key)
        except ValueError:  # a record that is none, see above
            return default
        time = self.resolver.graph.time(*link)
        return default if time is None else _LONG.pack(time)

    def pop(self, key: bytes, default: Any = None) -> Any:
        """Forget a link."""
        value = self.get(key, default)
        if key != _ANNOUNCED and value is not default:
            self.resolver.graph.remove([link_of(key)])
        return value

    def __len__(self) -> int:
        return self.resolver.graph.link_count


class _Remaining(GraphState):
    """A graph of the links that name none of some identifiers; the keys of the others are kept apart."""

    def __init__(self, erased: Set[str]) -> None:
        super().__init__()
        self.erased = erased
        self.gone: set[bytes] = set()

    def __setitem__(self, key: bytes, value: bytes) -> None:
        if key != _ANNOUNCED and not self.erased.isdisjoint(link_of(key)):
            self.gone.add(key)
        else:
            super().__setitem__(key, value)

    def pop(self, key: bytes, default: Any = None) -> Any:
        """Forget a link."""
        if key in self.gone:
            self.gone.discard(key)
            return default
        return super().pop(key, default)


class LinkTable(BatchTable):
    """The graph, recovered whenever the partition of links is assigned."""

    def __init__(self, app: Any) -> None:
        super().__init__(app, "links", partitions=1)

    def resolver(self) -> Resolver:
        """The graph's resolver; raises OwnershipLost when this worker does not hold the partition."""
        state = self._owned(LINKS_PARTITION).data
        assert isinstance(state, GraphState)
        return state.resolver

    def announce(self, offset: int) -> None:
        """Note that identities from links before `offset` are about to be published; durable after flush()."""
        self.put(LINKS_PARTITION, _ANNOUNCED, _LONG.pack(max(offset, self.resolver().announced)))

    def record(self, links: Iterable[Link]) -> None:
        """Note links that the graph has taken; durable after flush()."""
        changed = self._owned(LINKS_PARTITION).changed
        for subject, identifier, at in links:
            changed[link_key(subject, identifier)] = _LONG.pack(at)

    async def erase(self, identifiers: Set[str]) -> tuple[Resolver, Callable[[], Awaitable[None]]]:
        """Read the changelog again, without the links that name any of the identifiers.

        The graph does not keep the links of shared identifiers, so it cannot say which there are, nor who is no longer
        shared once they are gone; the changelog can. Returns the resolver of what remains, and what makes it the
        table's own and deletes the links from the changelog: a coroutine to run once all is published that follows.
        Nothing may be waiting for flush(). Raises RecoveryError, OwnershipLost and KafkaError.
        """
        held = self._owned(LINKS_PARTITION)
        remaining = _Remaining(identifiers)
        await self._read_into(remaining, held.position)

        async def settle() -> None:
            if self._owned(LINKS_PARTITION) is not held:
                raise OwnershipLost(f"{self.name}: the partition was given up while links were being erased")
            held.data = remaining
            held.changed.update(dict.fromkeys(remaining.gone))
            await self.flush()

        return remaining.resolver, settle

    async def _read_into(self, state: GraphState, end: int) -> None:
        """Apply the changelog up to offset `end`, the first not read; its last record is never compacted away."""
        reading = _Partition()
        reading.data = state
        tp = TopicPartition(self.changelog_topic_name, LINKS_PARTITION)
        consumer = clients.consumer(
            self.app.settings,
            group_id=None,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=FETCH_BYTES,
        )
        await consumer.start()
        try:
            hand_out_columns(consumer)
            consumer.assign([tp])
            await consumer.seek_to_beginning(tp)
            seen_at = time.monotonic()
            while reading.position < end:
                for records in (await consumer.getmany(timeout_ms=1000)).values():
                    _apply(reading, records, end, None)
                    seen_at = time.monotonic()
                if time.monotonic() - seen_at > STALLED:
                    raise RecoveryError(f"{tp.topic}: no record for {STALLED:.0f} s, still to read up to {end}")
        finally:
            await consumer.stop()

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        """Recover into a graph, not into a dict."""
        for tp in active_tps:
            recovering = self._read.setdefault(tp.partition, _Partition())
            if not isinstance(recovering.data, GraphState):
                recovering.data = GraphState()
        await super().on_recovery_completed(active_tps, standby_tps)
