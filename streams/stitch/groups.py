"""A group's turn: its events and its members' times of membership come in, a summary for each member goes out. Pure.

A group sends to each member what happened to the group while they were in it, as a subject sends its summary to its
root (streams.stitch.fold): with a version, to be replaced by the next, dropped when the membership is withdrawn. The
member keeps it as a part, so what the group adds to a customer is a function of the two sets, the events and what was
said of the membership, and can be taken away again. Customers tell a group of themselves as roots, by all that their
parts say, so that who joined twice, under two names, is one member.

What goes to the members of an event is when it was, its touchpoint, milestone and score; and, while it is news, its
unit and the brand that it names, for the moves that it causes. Money, answers to surveys, cases and preferences are the
group's own, and alerts are about customers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from streams.alerts.moves import Cause
from streams.model.control import NOTHING_STORED, SEND_AGAIN, SUMMARY
from streams.model.membership import EVERYBODY, concerns, holding
from streams.stitch.changes import Changes
from streams.stitch.encoding import encode, encode_summary
from streams.stitch.fast_path import is_among
from streams.stitch.group import Group
from streams.stitch.group_event import GroupEvent
from streams.stitch.journey import MICRO
from streams.stitch.membership import decode_periods
from streams.stitch.messages import Record, RootChange, Sent, unapplied
from streams.stitch.subject import EVICTED, GONE, HERE, RECALLED, Subject
from streams.stitch.summary import Loose, Summary


def fold_group(
    changes: Changes,
    name: str,
    key: bytes,
    state: Subject,
    events: Sequence[Record],
    root_changes: Sequence[RootChange],
    sent: Sequence[Sent],
    published: range | None,
) -> None:
    """One turn of a group's subject.

    Args:
        changes: gets the state, and the parts for members.
        name, key: the subject, and its key in the table.
        state: of the subject; is changed.
        events, root_changes, sent: its messages, each in order of offsets. RootChange say nothing: a group is nobody's.
        published: as for fold_messages.
    """
    fresh_events, fresh_sent = unapplied(state.interactions_applied, events), unapplied(state.parts_applied, sent)
    fresh_roots = unapplied(state.identities_applied, root_changes)
    replayed = len(events) + len(sent) + len(root_changes) - len(fresh_events) - len(fresh_sent) - len(fresh_roots)
    changes.replayed += replayed
    everybody = replayed > 0 or not state.whole
    if published is not None:
        state.applied_at = published.stop
    if fresh_roots:
        state.identities_applied = fresh_roots[-1][0] + 1
    group = state.group
    if group is None:
        group = state.group = Group()
    for _, _, event in fresh_events:
        if event.ends_recall >= state.recall_from and state.presence == RECALLED:
            state.presence = HERE
    told = _receive(state, group, fresh_sent)
    added = _add(changes, state, group, fresh_events)
    if state.whole:
        if everybody:
            told = dict.fromkeys(group.members, True)
        brands = {event.event_id: event.brand for _, _, event in fresh_events if event.brand is not None}
        _send(changes, name, state, group, told, added, brands)
    elif state.presence == EVICTED or replayed:
        changes.recalls.append((name, state.interactions_applied))
        state.presence = RECALLED
    changes.states[key] = encode(state)


def _receive(state: Subject, group: Group, fresh: Sequence[Sent]) -> dict[str, bool]:
    """Take in what members tell. Returns those to whom something may have to be sent; True: in any case."""
    told: dict[str, bool] = {}
    for offset, member, version, times, kind in fresh:
        state.parts_applied = offset + 1
        if kind == NOTHING_STORED:
            if state.presence == RECALLED and int(times or 0) >= state.recall_from:
                state.presence = HERE
            continue
        known, before, sent = group.members.get(member, (-1, GONE, False))
        if kind == SEND_AGAIN:
            group.members[member] = known, before, sent
            told[member] = True
        elif kind == SUMMARY and version >= known:
            if times:
                decode_periods(times)  # raises for what is none, before it is kept
            group.members[member] = version, times or GONE, sent
            told.setdefault(member, False)
    return told


def _add(changes: Changes, state: Subject, group: Group, fresh: Sequence[Record]) -> list[GroupEvent]:
    """Add the events whose ids have not been seen. Returns them."""
    seen, own, added = state.seen, state.own, list[GroupEvent]()
    for _, event_hash, event in fresh:
        if is_among(event_hash, seen):
            if not event.restored:
                own.duplicates += 1
                changes.duplicates += 1
            continue
        seen += event_hash
        own.interactions += 1
        own.first = event.at if not own.first else min(own.first, event.at)
        own.last = max(own.last, event.at)
        added.append(
            GroupEvent(
                event.at,
                event.event_id,
                event.channel,
                event.milestone,
                event.score,
                event.touchpoint,
                event.weight,
                event.unit,
                EVERYBODY if event.group is None else event.group[2],
                event.restored,
            )
        )
    if fresh:
        state.interactions_applied = fresh[-1][0] + 1
    state.seen = seen
    group.events += added
    changes.folded += len(added)
    return added


def _send(
    changes: Changes,
    name: str,
    state: Subject,
    group: Group,
    told: dict[str, bool],
    added: Sequence[GroupEvent],
    brands: Mapping[bytes, str],
) -> None:
    """Send members what concerns them, where that may have changed.

    Args:
        changes, name, state, group: as for `fold_group`.
        told: members whose times may have changed; True: to these in any case.
        added: the events of this turn.
        brands: event id -> the brand that its attribute names, of those. Not stored: only what has just happened is a
            cause.
    """
    cuts: dict[bytes, tuple[bytes | None, bool]] = {}
    for member in group.members if added else told:
        version, times, sent = group.members[member]
        if times not in cuts:
            new = _cut(added, times, brands)
            summary = _cut(group.events, times, {})
            if summary is not None:
                summary.cause = None if new is None else new.cause
            cuts[times] = None if summary is None else encode_summary(summary), new is not None
        part, is_new = cuts[times]
        if told.get(member, False) or ((is_new or member in told) and (part is not None or sent)):
            changes.parts.append((member, name, state.version, part, SUMMARY))
            group.members[member] = version, times, part is not None


def _cut(events: Sequence[GroupEvent], times: bytes, brands: Mapping[bytes, str]) -> Summary | None:
    """The summary of the events that happened to who was a member at these times; None: of none.

    brands: as for `_send`.
    """
    if times == GONE:
        return None
    periods, summary = decode_periods(times), Summary()
    for at, event_id, channel, milestone, score, touchpoint, weight, unit, labels, restored in events:
        period = holding(periods, at)
        if period is None or not concerns(labels, period):
            continue
        summary.interactions += 1
        summary.first = at if not summary.first else min(summary.first, at)
        summary.last = max(summary.last, at)
        scored = None if score is None else (score, touchpoint)
        summary.loose.append(Loose(at, event_id, channel, milestone, scored))
        if score is not None:
            summary.rolling.add(at, weight, score / MICRO)
        if not restored:
            cause: Cause = (at, event_id, touchpoint, unit, None, brands.get(event_id))
            summary.cause = cause if summary.cause is None else max(summary.cause, cause, key=lambda one: one[:2])
    return summary if summary.interactions else None
