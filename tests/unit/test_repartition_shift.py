"""A state in another partition: what was applied stays applied, and its version stays."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.repartition.shift import INPUTS, applied_of, moved
from streams.stitch.encoding import decode, encode
from streams.stitch.subject import EVICTED, HERE, RECALLED, Subject

offsets = st.integers(0, 2**40)
presences = st.sampled_from([HERE, EVICTED, RECALLED])
by_topic = st.dictionaries(st.sampled_from(INPUTS), offsets)


@settings(deadline=None)
@given(
    st.tuples(offsets, offsets, offsets),
    st.integers(-1000, 1000),
    by_topic,
    by_topic,
    st.sampled_from([HERE, EVICTED, RECALLED]),
)
def test_versions_stay_and_all_that_was_applied_lies_behind(
    applied: tuple[int, int, int], base: int, committed: dict[str, int], further: dict[str, int], presence: int
) -> None:
    state = Subject(*applied, seen=b"12345678", presence=presence, applied_at=77, recall_from=5, version_base=base)
    assert applied_of(encode(state)) == applied
    found = moved(encode(state), committed, further)
    now = decode(found.encoded)
    assert now.version == state.version
    assert applied_of(found.encoded) == tuple(max(committed.get(n, 0), further.get(n, 0)) for n in INPUTS)
    assert not now.owes(None)
    assert now.applied_at not in range(2**63)
    assert (found.recall is not None) == (presence == RECALLED)
    assert now.recall_from == (now.interactions_applied if presence != HERE else 0)
    now.interactions_applied += 1  # one more message
    assert now.version == state.version + 1
    same = Subject(*applied, seen=b"12345678", presence=presence, applied_at=77, recall_from=5, version_base=base)
    assert now.seen == same.seen
