"""The fast path of the fold, for by far the commonest turn: new events of a customer without parts who is their own
root. Pure.

It has the same result as `streams.stitch.fold` at a lower cost (docs/performance-decisions.md), because it may assume
that no message is a replay, and that only these events change the state.
"""

from __future__ import annotations

from collections.abc import Sequence

from streams.alerts.tally import open_of
from streams.stitch.changes import Changes
from streams.stitch.claims import begin, claim
from streams.stitch.difference import placement_of, publish_difference
from streams.stitch.encoding import encode
from streams.stitch.messages import Record, RootChange
from streams.stitch.observer import Observer, RuleContext, is_quiet, is_settled
from streams.stitch.owners import NO_BRANDS
from streams.stitch.subject import HERE, Subject
from streams.stitch.todo import has_said, may_act, post


def takes_fast_path(
    name: str, state: Subject, records: Sequence[Record], root_changes: Sequence[RootChange], published: range | None
) -> bool:
    """Whether the fast path may take a turn of these messages, provided that no record ends a recall or names a group.

    published: as for fold_messages.
    """
    if state.root is not None or state.parts or state.told or state.presence != HERE:
        return False
    if records[0][0] < state.interactions_applied or state.owes(published):
        return False
    if root_changes and root_changes[0][0] < state.identities_applied:
        return False
    if root_changes and any(root != name for _, root, _ in root_changes):
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


def fold_fast(
    changes: Changes,
    name: str,
    key: bytes,
    state: Subject,
    records: Sequence[Record],
    root_changes: Sequence[RootChange],
    context: RuleContext | None,
) -> bool:
    """Add the events to the state, and to the changes what follows.

    Args:
        name, key: the subject, and its key in the table.
        state: for which `takes_fast_path` holds; is changed.
        records, root_changes: in order of offsets.
        context: as for fold_messages.

    Returns:
        False where one of the events ends a recall or speaks of a group: the state is of no use any more, the changes
        are as they were.
    """
    own, seen, duplicates = state.own, state.seen, 0
    begin(state)
    observer: Observer | None = None
    watched = state.watch is not None
    fired = state.watch is not None and state.watch.fired  # what a timer has changed may be unpublished
    before = placement_of(own, ())
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
        if context is not None and not is_quiet(context, state, event):
            if observer is None:
                observer = Observer(context, name, state)
            observer.follow(event)
    changes.folded += (len(seen) - len(state.seen)) // 8
    if duplicates:
        own.duplicates += duplicates
        changes.duplicates += duplicates
    state.seen = seen
    state.interactions_applied = records[-1][0] + 1
    for offset, _, version in root_changes:
        state.identities_applied = offset + 1
        state.root_version = max(state.root_version, version)
    state.former = []
    brands = NO_BRANDS if context is None else context.brands
    publish_difference(changes, name, state, (), before, refs, case_ids, brands)
    if context is not None and (context.segments.by_name or state.posted):
        claim(changes, name, state, changes.customers[-1], own, context.segments, replay=False)
    if context is not None and not (observer is None and own.signals is None and is_settled(state.watch)):
        if observer is None:
            observer = Observer(context, name, state)
        alerts, moves = observer.finish(own, replay=False)
        changes.alerts += alerts
        changes.moves += moves
        changes.invitations += observer.invitations
        changes.messages += observer.messages
        changes.transitions += observer.transitions
    if context is not None and (has_said(state) or may_act(own, state.watch)):
        post(changes, name, state, own, context.guests, replay=fired)
    if watched or state.watch is not None:
        changes.due[key] = 0 if state.watch is None else state.watch.due
        changes.opened[key] = open_of(state.watch)
    changes.states[key] = encode(state)
    return True
