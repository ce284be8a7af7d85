"""Which events are surely stored for the first time.

`interactions_by_time_store` lies by day, so two copies of an event that say different days are two rows there, and an
insert of interactions looks for the other copy of each of its events (migration 0060). That costs more the more is
stored, and nearly every event has no other copy. The sink knows: it keeps a filter of all stored events in memory, and
marks the rows whose event is not in it (`first_copy`, migration 0062), which are not looked for.

A filter never denies what it holds, so a marked row has no copy before it, if the filter holds whatever any worker has
stored of this worker's partitions:

- What other workers stored of a partition before this one took it over is in the table. The filter is filled from
  there, after the first batch of each partition has come.
- What this worker reads goes through the filter.
- A partition whose batches do not follow one another may have been somebody else's meanwhile: the filter is made anew.
- A worker that lost a partition and does not know it yet only stores what the new owner reads again.
- All copies of an event have one subject and so one partition; partitions are added while all workers stand still.

Until the filter is there no row is marked, and each is looked for. So is every row of a worker that knows nothing of
filters.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from clickhouse_connect.driver.client import Client

from sinks.clickhouse.errors import in_short
from streams.kafka.progress import RecordBatch

COLUMN = "first_copy"
BITS_AN_EVENT = 16
"""Of memory, at least, when a filter is made: of a hundred new events it then takes one or two for known."""
FEWEST_WORDS, MOST_WORDS = 1 << 14, 1 << 24
"""Size of a filter in words of 8 bytes: 128 KiB to 128 MiB. Past 67 million events more and more are looked for."""
PAUSE = 10.0
"""Seconds from the end of one filling to the next, at least."""
SHARE = 20
"""So many times what the last filling took lie between it and the next, too: where partitions change hands without end,
or offsets have holes, fillings are a twentieth of the time."""
CHUNK = 1 << 19
"""Bytes of hashes read at a time."""

Hashes = npt.NDArray[np.uint64]
log = logging.getLogger(__name__)


class Filter:
    """A set of hashes that may take others for its own, and never denies its own (a blocked Bloom filter).

    Each hash sets up to four bits of one word of 64.
    """

    def __init__(self, events: int) -> None:
        """events: how many it should hold, as well as those that come meanwhile."""
        wanted = events * BITS_AN_EVENT // 64
        size = FEWEST_WORDS
        while size < min(wanted * 5 // 4, MOST_WORDS):
            size *= 2
        self._words: Hashes = np.zeros(size, dtype=np.uint64)
        self._shift = np.uint64(64 - (size.bit_length() - 1))
        self._held = 0

    @property
    def full(self) -> bool:
        """Whether a larger one would be better."""
        return self._held * BITS_AN_EVENT > len(self._words) * 64 and len(self._words) < MOST_WORDS

    def add(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        """Take in hashes. Returns for each whether it was surely not there before."""
        at, bits = (hashes >> self._shift).astype(np.intp), _bits(hashes)
        new: npt.NDArray[np.bool_] = (self._words[at] & bits) != bits
        np.bitwise_or.at(self._words, at, bits)
        self._held += int(new.sum())
        return new


def _bits(hashes: Hashes) -> Hashes:
    """Four bits of a word for each hash, by its lowest 24 bits."""
    one, six, low = np.uint64(1), np.uint64(6), np.uint64(63)
    bits = one << (hashes & low)
    for turn in range(1, 4):
        bits |= one << ((hashes >> (np.uint64(turn) * six)) & low)
    return bits


class FirstCopies:
    """Marks the first copies of the events that one agent reads and stores. `reading` and `mark` may be called in
    different threads."""

    def __init__(self, connect: Callable[[], Client], clock: Callable[[], float] = time.monotonic) -> None:
        """connect: makes a client on the database of the tables; called in a thread."""
        self._connect, self._clock = connect, clock
        self._lock = threading.Lock()
        self._following: dict[int, int] = {}
        self._filter: Filter | None = None
        self._meanwhile: list[Hashes] = []
        self._filling: threading.Thread | None = None
        self._overtaken = False
        self._again_at = -math.inf

    def reading(self, batches: Iterable[RecordBatch]) -> None:
        """Tell of batches before their rows are marked, in the order in which they came."""
        followed = True
        for batch in batches:
            followed &= self._following.get(batch.partition) == batch.first_offset
            self._following[batch.partition] = batch.next_offset
        with self._lock:
            if not followed:
                self._filter, self._overtaken = None, True
            if self._filling is not None or (self._filter is not None and not self._filter.full):
                return
            if self._clock() < self._again_at:
                return
            self._overtaken, self._meanwhile = False, []
            self._filling = threading.Thread(target=self._fill, name="first-copies", daemon=True)
            self._filling.start()

    def mark(self, rows: pa.Table) -> pa.Table:
        """The rows with a column that says which are surely the first copies of their events; as they are, while the
        filter is not there. rows: with `event_id`, in lower case."""
        hashes, hashed = sip_hashes(rows.column("event_id"))
        distinct, at = np.unique(hashes, return_index=True)
        with self._lock:
            if self._filling is not None:
                self._meanwhile.append(distinct)
            if self._filter is None:
                return rows
            new = self._filter.add(distinct)
        first = np.zeros(rows.num_rows, dtype=np.bool_)
        first[hashed[at[new]]] = True
        return rows.append_column(COLUMN, pa.array(first))

    def wait(self, seconds: float = 60.0) -> None:
        """Until a filling that is under way has ended. For tests."""
        if (filling := self._filling) is not None:
            filling.join(seconds)

    def _fill(self) -> None:
        """Make a filter of what is stored. In a thread."""
        made: Filter | None = None
        began = self._clock()
        try:
            client = self._connect()
            try:
                made = _stored(client)
            finally:
                client.close()
        except Exception as error:  # whatever it is: nothing is wrong with the rows, they are only dearer to insert
            log.warning("cannot read which events are stored, so inserts look for copies: %s", in_short(error))
        took = self._clock() - began
        with self._lock:
            self._filling = None
            self._again_at = self._clock() + max(PAUSE, SHARE * took)
            if made is not None and not self._overtaken:
                for hashes in self._meanwhile:
                    made.add(hashes)
                self._filter = made
            self._meanwhile = []


def _stored(client: Client) -> Filter:
    """A filter of all stored events. Raises where migration 0062 has not been applied."""
    client.command(f"SELECT {COLUMN} FROM interactions_store LIMIT 0")
    made = Filter(int(str(client.command("SELECT count() FROM interaction_days_store"))))
    # As the look-up of an insert does, it trusts the replica that it asks.
    settings = {"max_threads": 1, "select_sequential_consistency": 1}
    with client.raw_stream("SELECT event FROM interaction_days_store", fmt="RowBinary", settings=settings) as stream:
        rest = b""
        while chunk := stream.read(CHUNK):
            whole = rest + chunk
            end = len(whole) // 8 * 8
            made.add(np.frombuffer(whole[:end], dtype="<u8"))
            rest = whole[end:]
    return made


def sip_hashes(ids: pa.ChunkedArray | pa.Array) -> tuple[Hashes, npt.NDArray[np.intp]]:
    """ClickHouse's sipHash64 of each id that is a UUID (36 bytes), and the positions of these: others have no hash."""
    whole = ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids
    if isinstance(whole, pa.ChunkedArray):  # of no chunks
        whole = pa.array([], pa.string())
    usual = pc.equal(pc.binary_length(whole), _LENGTH)
    at = np.flatnonzero(usual.to_numpy(zero_copy_only=False))
    some = whole if len(at) == len(whole) else whole.take(pa.array(at))
    fixed = some.cast(pa.binary()).cast(pa.binary(_LENGTH))
    if len(fixed) == 0:
        return np.zeros(0, dtype=np.uint64), at
    data = np.frombuffer(fixed.buffers()[1], dtype=np.uint8, count=len(fixed) * _LENGTH, offset=fixed.offset * _LENGTH)
    last = np.zeros((len(fixed), 8), dtype=np.uint8)
    letters = data.reshape(len(fixed), _LENGTH)
    last[:, :4] = letters[:, 32:]
    last[:, 7] = _LENGTH
    words = np.concatenate([np.ascontiguousarray(letters[:, :32]), last], axis=1).view("<u8")
    return _sip(words), at


_LENGTH = 36
"""Of a UUID as text."""
_FIRST = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
"""What SipHash begins with, its key being zero."""


def _sip(words: Hashes) -> Hashes:
    """SipHash-2-4 of rows of words of 8 bytes, the last of which has the length in its highest byte."""
    v0, v1, v2, v3 = (np.full(len(words), one, dtype=np.uint64) for one in _FIRST)
    for at in range(words.shape[1]):
        word = words[:, at]
        v3 = v3 ^ word
        for _ in range(2):
            v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        v0 = v0 ^ word
    v2 = v2 ^ np.uint64(0xFF)
    for _ in range(4):
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3


def _round(v0: Hashes, v1: Hashes, v2: Hashes, v3: Hashes) -> tuple[Hashes, Hashes, Hashes, Hashes]:
    v0 = v0 + v1
    v1 = _turned(v1, 13) ^ v0
    v0 = _turned(v0, 32)
    v2 = v2 + v3
    v3 = _turned(v3, 16) ^ v2
    v0 = v0 + v3
    v3 = _turned(v3, 21) ^ v0
    v2 = v2 + v1
    v1 = _turned(v1, 17) ^ v2
    v2 = _turned(v2, 32)
    return v0, v1, v2, v3


def _turned(words: Hashes, by: int) -> Hashes:
    """Each word rotated left by `by` bits."""
    return (words << np.uint64(by)) | (words >> np.uint64(64 - by))
