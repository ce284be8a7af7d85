"""Stores for the view of `rihla worker serve`: CPU time of a write and of a read, and bytes on disk.

pip install rocksdict && python -m tests.benchmarks.stores
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import lmdb

CUSTOMERS, BATCH, READS = 400_000, 2_000, 100_000

Put = Callable[[Sequence[tuple[bytes, bytes]]], Any]
Get = Callable[[bytes], bytes | None]


def main() -> None:
    """Measure each store in a folder of its own, and print a line."""
    with tempfile.TemporaryDirectory() as folder:
        for name, opened in (("lmdb", _lmdb), ("rocksdb", _rocksdb)):
            path = Path(folder) / name
            try:
                put, get, close = opened(path)
            except ModuleNotFoundError as error:
                print(f"{name}: not measured, {error.name} is not installed")
                continue
            write, read = _measure(put, get)
            close()
            size = sum(file.stat().st_blocks * 512 for file in path.rglob("*") if file.is_file()) / 1e6
            print(f"{name}: write {write:.1f} us, read {read:.1f} us, {size:.0f} MB")


def _measure(put: Put, get: Get) -> tuple[float, float]:
    rng = random.Random(1)
    began = time.process_time()
    for start in range(0, CUSTOMERS, BATCH):
        numbers = (n * 7919 % CUSTOMERS for n in range(start, start + BATCH))
        put([(_key(number), _row(number)) for number in numbers])
    wrote = time.process_time() - began
    keys = [_key(rng.randrange(CUSTOMERS)) for _ in range(READS)]
    began = time.process_time()
    for key in keys:
        assert get(key) is not None
    return wrote / CUSTOMERS * 1e6, (time.process_time() - began) / READS * 1e6


def _key(number: int) -> bytes:
    return b"c/C-%09d" % number


def _row(number: int) -> bytes:
    return b'{"customer_id":"C-%d","profile":"advocate","sentiment_30d":0.25,"interactions":%d}' % (number, number) * 4


def _lmdb(path: Path) -> tuple[Put, Get, Callable[[], None]]:
    store = lmdb.open(str(path), map_size=1 << 36, sync=False)

    def put(rows: Sequence[tuple[bytes, bytes]]) -> None:
        with store.begin(write=True) as transaction, transaction.cursor() as cursor:
            cursor.putmulti(rows)

    def get(key: bytes) -> bytes | None:
        with store.begin() as transaction:
            found: bytes | None = transaction.get(key)
            return found

    return put, get, store.close


def _rocksdb(path: Path) -> tuple[Put, Get, Callable[[], None]]:
    import rocksdict

    store = rocksdict.Rdict(str(path), rocksdict.Options(raw_mode=True))

    def put(rows: Sequence[tuple[bytes, bytes]]) -> None:
        batch = rocksdict.WriteBatch(raw_mode=True)
        for key, value in rows:
            batch.put(key, value)
        store.write(batch)

    def close() -> None:
        store.flush()
        store.close()

    return put, store.get, close


if __name__ == "__main__":
    main()
