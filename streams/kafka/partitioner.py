"""Kafka's default partitioner for many keys at once: murmur2, as in Kafka's Utils.murmur2, over columns of bytes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

SEED = np.uint32(0x9747B28C)
M = np.uint32(0x5BD1E995)
R = np.uint32(24)
POSITIVE = np.uint32(0x7FFFFFFF)

turns = itertools.count()  # partitions of keyless rows go on in turn from call to call


def murmur2(keys: Sequence[bytes]) -> np.ndarray:
    """Hash of each key, as uint32 of shape (len(keys),); equal to Kafka's (and aiokafka's) murmur2.

    All arithmetic is modulo 2^32. The hash takes a key four bytes at a time, so the loop runs over columns of four
    bytes of all keys that are that long: its cost is numpy's per column, not Python's per key.
    """
    n = len(keys)
    lengths = np.fromiter(map(len, keys), dtype=np.int64, count=n)
    order = np.argsort(-lengths, kind="stable")  # longest first: the keys that have a k-th word are a prefix
    ordered = lengths[order]
    width = (int(ordered[0]) + 3) // 4 * 4 if n else 0
    padded = np.zeros((n, width), dtype=np.uint8)
    flat = np.frombuffer(b"".join([keys[i] for i in order.tolist()]), dtype=np.uint8)
    starts = np.cumsum(ordered) - ordered
    within = np.arange(len(flat)) - np.repeat(starts, ordered)
    padded[np.repeat(np.arange(n), ordered), within] = flat
    words = np.ascontiguousarray(padded.view("<u4").T) if width else np.zeros((0, n), dtype=np.uint32)

    h = SEED ^ ordered.astype(np.uint32)
    full = ordered // 4
    for column in range(words.shape[0]):
        count = int(np.searchsorted(-full, -column, side="left"))  # keys with more than `column` whole words
        k = words[column, :count] * M
        k ^= k >> R
        k *= M
        h[:count] = h[:count] * M ^ k
    tail = np.flatnonzero(ordered % 4)
    if len(tail):
        h[tail] = (h[tail] ^ words[full[tail], tail]) * M  # the padding is zero, and so does not count
    h ^= h >> np.uint32(13)
    h *= M
    h ^= h >> np.uint32(15)
    result = np.empty(n, dtype=np.uint32)
    result[order] = h
    return result


def partitions_of(keys: Sequence[bytes | None], partitions: int) -> np.ndarray:
    """Partition (int64) of each key as Kafka's default partitioner has it; rows whose key is None take turns."""
    keyed = [key for key in keys if key is not None]
    hashed = (murmur2(keyed) & POSITIVE).astype(np.int64) % partitions
    if len(keyed) == len(keys):
        return hashed
    has_key = np.fromiter((key is not None for key in keys), dtype=bool, count=len(keys))
    result = np.empty(len(keys), dtype=np.int64)
    result[has_key] = hashed
    missing = len(keys) - len(keyed)
    result[~has_key] = np.fromiter(itertools.islice(turns, missing), dtype=np.int64, count=missing) % partitions
    return result
