"""An ordered key-value store on local disk (LMDB), and the interface by which the view uses it.

LMDB was chosen by measurement (docs/serve.md): it reads a value in a sixth of the time that RocksDB takes, several
processes and threads may read while one writes, and a transaction holds rows and offsets together. It needs more disk.
It is never the only copy of the data: a damaged store is deleted and filled from the topics again.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import lmdb
import msgspec

LARGEST = 1 << 40
"""Bytes of address space: the limit of the store's size. On disk it takes only what it holds."""
READERS = 512
"""Transactions that may read at the same time."""

_encode = msgspec.msgpack.Encoder(order="deterministic").encode  # equal values are equal bytes
_decode = msgspec.msgpack.decode


class Transaction(Protocol):
    """Sorted keys and their values. A reader sees the store as it was when its transaction began."""

    def get(self, key: bytes) -> bytes | None:
        """The value of a key."""

    def put(self, key: bytes, value: bytes) -> None:
        """Set the value of a key."""

    def delete(self, key: bytes) -> None:
        """Remove a key if it exists."""

    def scan(self, prefix: bytes, since: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Keys that begin with `prefix` and are not smaller than `prefix + since`, in order, and their values."""


class Memory:
    """A store in memory, for tests of the view."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}

    def get(self, key: bytes) -> bytes | None:
        """See Transaction."""
        return self.values.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        """See Transaction."""
        self.values[key] = value

    def delete(self, key: bytes) -> None:
        """See Transaction."""
        self.values.pop(key, None)

    def scan(self, prefix: bytes, since: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """See Transaction."""
        return iter(
            [
                (key, value)
                for key, value in sorted(self.values.items())
                if key.startswith(prefix) and key >= prefix + since
            ]
        )


class _OfLmdb:
    """A transaction of LMDB."""

    def __init__(self, transaction: Any) -> None:
        self._transaction = transaction

    def get(self, key: bytes) -> bytes | None:
        found: bytes | None = self._transaction.get(key)
        return found

    def put(self, key: bytes, value: bytes) -> None:
        self._transaction.put(key, value)

    def delete(self, key: bytes) -> None:
        self._transaction.delete(key)

    def scan(self, prefix: bytes, since: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        with self._transaction.cursor() as cursor:
            if not cursor.set_range(prefix + since):
                return
            for key, value in cursor:
                if not key.startswith(prefix):
                    return
                yield key, value


class Store:
    """The store in a folder. One process writes to it; a damaged store is replaced by an empty one.

    Raises OSError where the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self._environment = self._open(folder)
        except lmdb.Error:
            shutil.rmtree(folder)
            folder.mkdir(mode=0o700)
            self._environment = self._open(folder)

    @staticmethod
    def _open(folder: Path) -> Any:
        # No fsync for each transaction: what a power cut loses is read from the topics again.
        return lmdb.open(str(folder), map_size=LARGEST, max_readers=READERS, sync=False, metasync=False)

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """A transaction that reads."""
        with self._environment.begin(buffers=False) as transaction:
            yield _OfLmdb(transaction)

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """A transaction that writes: all of it is in the store at its end, or nothing if the block raises."""
        with self._environment.begin(write=True) as transaction:
            yield _OfLmdb(transaction)

    def empty(self) -> None:
        """Remove everything."""
        with self._environment.begin(write=True) as transaction:
            transaction.drop(self._environment.open_db(None, transaction), delete=False)

    def close(self) -> None:
        """Write to the disk and close."""
        self._environment.sync(True)
        self._environment.close()


def digest(text: str) -> bytes:
    """Sixteen bytes that stand for a text of any length in a key, because LMDB limits the length of keys."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def pack(value: Any) -> bytes:
    """A value as msgpack."""
    return _encode(value)


def unpack(value: bytes) -> Any:
    """The value of `pack`."""
    return _decode(value)
