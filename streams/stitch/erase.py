"""The states of a partition without some identifiers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Set

from streams.stitch.dense import decompress
from streams.stitch.encoding import decode, encode


def erase(states: Iterable[tuple[bytes, bytes]], identifiers: Set[str]) -> tuple[list[bytes], dict[bytes, bytes]]:
    """What has to change so that no state is of these identifiers, nor names one.

    states: key and encoded state of every subject of the partition; most are only decompressed and searched.
    Returns the keys of states to delete, and the states to put in place of others: those that are or were their root.
    """
    names = {identifier.encode() for identifier in identifiers}
    gone: list[bytes] = []
    changed: dict[bytes, bytes] = {}
    for key, encoded in states:
        if key in names:
            gone.append(key)
            continue
        plain = decompress(encoded)
        if any(name in plain for name in names):
            state = decode(plain)
            state.parts = {sender: part for sender, part in state.parts.items() if sender not in identifiers}
            state.former = [root for root in state.former if root not in identifiers]
            without = encode(state)
            if without != encoded:
                changed[key] = without
    return gone, changed
