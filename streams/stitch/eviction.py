"""What is past its retention leaves the state, and comes back when it is needed again. Pure.

A customer of whom nothing has been heard for the retention is evicted: of their state a stub stays (offsets, root,
which subjects have sent parts, what was published, what alerts remember), their events stay in ClickHouse. When
anything of them is to change after all, be it years later, stitch asks for their events (cx.recalls), holds back what
it would publish, and folds what comes as if it had never been away. So a table remains a function of the set of events:
when, and whether, a state is evicted changes nothing in it.

A root without its parts asks their subjects to send them again (version SEND_AGAIN in cx.parts), and these, where they
are evicted themselves, ask ClickHouse. The sink answers a recall with the subject's events, of which the last says that
it is the last, and up to which offset all have come; where there are none, with a part of version NOTHING_STORED. What
answers a recall of before the last eviction (after a crash there may be two of one) does not end it.
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
    state.parts = {
        sender: part if part.summary is None else Part(part.version, AWAY) for sender, part in state.parts.items()
    }
    state.presence = EVICTED
    state.recall_from = state.interactions_applied
    return encode(state)
