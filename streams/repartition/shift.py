"""A subject's state, moved to a partition in which its topics begin anew. Pure.

A state says by offsets of its old partition how far each of its topics has been applied. A new partition holds first
the records that had been committed, then those that had been applied but not committed, then the rest
(streams.repartition.copying). So there is again an offset below which everything has been applied.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from streams.stitch.compression import decompress
from streams.stitch.encoding import decode, encode
from streams.stitch.subject import HERE, RECALLED

NOWHERE = -1
"""An offset that no changelog has, so that everything that may be unpublished is published again."""


class Applied(NamedTuple):
    """Next offset of each of a subject's topics, in the order of INPUTS."""

    interactions: int
    identities: int
    parts: int


INPUTS = Applied._fields
"""Topics, without prefix, whose offsets states hold."""


class _Head(msgspec.Struct, array_like=True):
    """The first fields of an encoded Subject."""

    interactions: int
    identities: int
    parts: int


_head = msgspec.msgpack.Decoder(_Head).decode


def applied_of(encoded: bytes) -> Applied:
    """How far a state's topics have been applied. Raises ValueError for bytes that are no state."""
    head = _head(decompress(encoded))
    return Applied(head.interactions, head.identities, head.parts)


class Moved(NamedTuple):
    """A state in its new partition."""

    encoded: bytes
    recall: int | None
    """If the subject's stored events were on their way back: the offset with which to ask for them again; else None."""


def moved(encoded: bytes, committed: Mapping[str, int], further: Mapping[str, int]) -> Moved:
    """The state with the offsets of its new partition.

    Args:
        committed: of each of INPUTS, the offset before which the new partition has what the group had committed.
        further: of those of INPUTS of which more had been applied to this subject, the offset after the last of that.

    Its version stays: what it publishes next must replace what it published last.
    """
    state = decode(encoded)
    version = state.version
    state.interactions_applied, state.identities_applied, state.parts_applied = (
        max(committed.get(topic, 0), further.get(topic, 0)) for topic in INPUTS
    )
    state.version_base = 0
    state.version_base = version - state.version
    state.applied_at = NOWHERE
    # Answers to earlier recalls name offsets of the old partitions, and are not copied.
    state.recall_from = state.interactions_applied if state.presence != HERE else 0
    recall = state.interactions_applied if state.presence == RECALLED else None
    return Moved(encode(state), recall)
