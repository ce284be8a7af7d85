"""Removes identifiers from the states of a partition. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set

from streams.stitch.compression import decompress
from streams.stitch.encoding import decode, encode
from streams.worker.sift import is_of_record


def erase(
    states: Iterable[tuple[bytes, bytes]],
    identifiers: Set[str],
    unreadable: Callable[[BaseException], None] = lambda error: None,
) -> tuple[list[bytes], dict[bytes, bytes]]:
    """The changes after which no state belongs to these identifiers or names one.

    states: key and encoded state of every subject of the partition; most are only decompressed and searched.
    unreadable: called with the error of a state that cannot be read. Such a state may name an erased person, so it is
        deleted.
    Returns the keys of states to delete, and the states to put in place of others: those that are or were their root.
    """
    names = {identifier.encode() for identifier in identifiers}
    gone: list[bytes] = []
    changed: dict[bytes, bytes] = {}
    for key, encoded in states:
        if key in names:
            gone.append(key)
            continue
        try:
            without = _without(encoded, identifiers, names)
        except Exception as error:
            if not is_of_record(error):
                raise
            unreadable(error)
            gone.append(key)
            continue
        if without is not None:
            changed[key] = without
    return gone, changed


def _without(encoded: bytes, identifiers: Set[str], names: Set[bytes]) -> bytes | None:
    """The state without the identifiers, whose bytes are `names`; None where it has none of them."""
    plain = decompress(encoded)
    if not any(name in plain for name in names):
        return None
    state = decode(plain)
    state.parts = {sender: part for sender, part in state.parts.items() if sender not in identifiers}
    state.former = [root for root in state.former if root not in identifiers]
    if state.group is not None:
        state.group.members = {name: one for name, one in state.group.members.items() if name not in identifiers}
    without = encode(state)
    return None if without == encoded else without
