"""The commonest turn by far: new events of a customer without parts who is their own root. Pure.

Does what `streams.stitch.fold` does, at a lower cost. It may assume that no message is a replay, and that only the
events at hand change the state.
"""

from __future__ import annotations

from collections.abc import Sequence

from streams.alerts.tally import open_of
from streams.stitch.changes import Changes
from streams.stitch.claims import begin, claim
from streams.stitch.difference import publish_difference, standing
from streams.stitch.encoding import encode
from streams.stitch.messages import News, Record
from streams.stitch.observer import Observer, Watching, is_quiet, is_settled
from streams.stitch.subject import HERE, Subject


def is_alone(
    name: str, state: Subject, records: Sequence[Record], news: Sequence[News], published: range | None
) -> bool:
    """Whether a turn of these messages is of the kind meant here, unless one of the records ends a recall or speaks of
    a group.

    published: as for fold_messages.
    """
    if state.root is not None or state.parts or state.told or state.presence != HERE:
        return False
    if records[0][0] < state.interactions_applied or state.owes(published):
        return False
    if news and (news[0][0] < state.identities_applied or any(root != name for _, root, _ in news)):
        return False
    return state.published or not (state.own.interactions or state.seen)


def is_among(event_hash: bytes, seen: bytes) -> bool:
    """Whether a hash of eight bytes is one of those that follow each other in `seen`.

    Faster than to make a set of them, as a subject has few events in a batch.
    """
    at = seen.find(event_hash)
    while at > 0 and at % 8:
        at = seen.find(event_hash, at + 1)
    return at >= 0


def fold_alone(
    changes: Changes,
    name: str,
    key: bytes,
    state: Subject,
    records: Sequence[Record],
    news: Sequence[News],
    watching: Watching | None,
) -> bool:
    """Add the events to the state, and to the changes what follows.

    Args:
        name, key: the subject, and its key in the table.
        state: for which `is_alone` holds; is changed.
        records, news: in order of offsets.
        watching: as for fold_messages.

    Returns:
        False where one of the events ends a recall or speaks of a group: the state is of no use any more, the changes
        are as they were.
    """
    own, seen, duplicates = state.own, state.seen, 0
    begin(state)
    observer: Observer | None = None
    watched = state.watch is not None
    before = standing(own, ())
    refs: set[str] = set()
    case_ids: set[str] = set()
    for _, event_hash, event in records:
        if event.ends_recall >= 0 or event.group is not None:
            return False
        if seen and is_among(event_hash, seen):
            if not event.restored:
                duplicates += 1
            continue
        seen += event_hash
        if event.booking_ref is not None:
            refs.add(event.booking_ref)
        case_id = own.add(event)
        if case_id is not None:
            case_ids.add(case_id)
        if watching is not None and not is_quiet(watching, state, event):
            if observer is None:
                observer = Observer(watching, name, state)
            observer.follow(event)
    changes.folded += (len(seen) - len(state.seen)) // 8
    if duplicates:
        own.duplicates += duplicates
        changes.duplicates += duplicates
    state.seen = seen
    state.interactions_applied = records[-1][0] + 1
    for offset, _, version in news:
        state.identities_applied = offset + 1
        state.root_version = max(state.root_version, version)
    state.former = []
    publish_difference(changes, name, state, (), before, refs, case_ids)
    if watching is not None and (watching.segments.by_name or state.posted):
        claim(changes, name, state, changes.customers[-1], own, watching.segments, replay=False)
    if watching is not None and not (observer is None and own.signals is None and is_settled(state.watch)):
        if observer is None:
            observer = Observer(watching, name, state)
        alerts, moves = observer.finish(own, replay=False)
        changes.alerts += alerts
        changes.moves += moves
        changes.transitions += observer.transitions
    if watched or state.watch is not None:
        changes.due[key] = 0 if state.watch is None else state.watch.due
        changes.opened[key] = open_of(state.watch)
    changes.states[key] = encode(state)
    return True
