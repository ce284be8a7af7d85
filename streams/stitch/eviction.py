"""Evicts states that are past their retention, and brings them back when they are needed. Pure.

A customer without events for the retention is evicted. A stub of the state stays (offsets, root, which subjects have
sent parts, what was published, what alerts remember); the events stay in ClickHouse. When the customer changes after
all, perhaps years later, stitch asks for the events (cx.recalls), publishes nothing meanwhile, and folds the answer as
if the state had never been evicted. So a table remains a function of the set of events: when, and whether, a state is
evicted changes nothing in it.

A root without its parts asks their subjects to send them again (kind `send_again` in cx.parts); a subject that is
evicted itself asks ClickHouse. The sink answers a recall with the subject's events. The last of them is marked, with
the offset before which all have been sent; where there are no events, the answer is a part of kind `nothing_stored`.
An answer to a recall from before the last eviction (after a crash there may be two recalls of one eviction) does not
end the newer one.
"""

from __future__ import annotations

from streams.stitch.encoding import decode, decode_summary, encode
from streams.stitch.subject import AWAY, EVICTED, Part
from streams.stitch.summary import Summary


def evict(encoded: bytes, before: int) -> bytes | None:
    """What stays of a state whose last event is before `before` (epoch ms); None: the state stays as it is.

    encoded: a Subject. The caller has checked that no message was applied to it for a while. A state with a timer
    stays.
    """
    state = decode(encoded)
    alive = {sender: part.summary for sender, part in state.parts.items() if part.summary is not None}
    if not state.whole or not (state.own.interactions or alive) or (state.watch is not None and state.watch.due):
        return None
    if state.own.last >= before or any(decode_summary(summary).last >= before for summary in alive.values()):
        return None
    state.own = Summary(duplicates=state.own.duplicates)
    state.seen = b""
    if state.group is not None:
        state.group.events = []
    state.parts = {
        sender: part if part.summary is None else Part(part.version, AWAY) for sender, part in state.parts.items()
    }
    state.presence = EVICTED
    state.recall_from = state.interactions_applied
    return encode(state)
