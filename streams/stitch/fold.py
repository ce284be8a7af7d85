"""Folds a group's messages into the states of their subjects, and collects the records to publish. Pure.

Three kinds of messages reach a subject: its interactions, changes of its root (cx.identities) and parts of subjects
whose root it is, or of groups of which it is a member (cx.parts; docs/groups.md). Each is applied once: an offset below
the one applied is a replay. All messages of a group of batches for one subject are one *turn*: the state is read once
and written once, and what has changed is published once.

States become durable before the publications that follow from them, so a crash in between leaves states whose
publications may be missing. Their records are then read again: a replay changes nothing and publishes everything of its
subject anew. Withdrawals can be repeated because the state remembers what it may still have to withdraw
(`published_keys`, `former`), until a later turn finds that the turn before was published. A turn that is no replay
cannot tell that from its messages, because the records that will be read again may be in another topic, or in the same
group of batches. It can tell from the changelog: what this worker applied after it began to hold the state, and before
the last flush, was published (Subject.owes). Otherwise the turn publishes everything, as a replay does.

A subject that was evicted (streams.stitch.eviction) publishes nothing until its state is whole again; then it publishes
everything anew, as a replay does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from streams.model.control import SUMMARY
from streams.model.guests import Guests
from streams.model.identifiers import names_group
from streams.stitch.changes import Changes
from streams.stitch.encoding import decode, encode, merged
from streams.stitch.fast_path import fold_fast, takes_fast_path
from streams.stitch.groups import fold_group
from streams.stitch.messages import Messages, RootChange, Sent, unapplied
from streams.stitch.observer import RuleContext
from streams.stitch.publications import publications
from streams.stitch.rows import consents_of
from streams.stitch.subject import EVICTED, HERE, NOTHING, TAKEN_BACK, Subject
from streams.stitch.todo import leave, post
from streams.stitch.turn import Turn, ask_back, take_root

Load = Callable[[bytes], bytes | None]
"""Finds the encoded state of a subject by its key (its name in UTF-8); None: there is none."""


def fold_messages(
    load: Load, messages: Messages, context: RuleContext | None = None, published: range | None = None
) -> Changes:
    """One turn of each subject that has messages.

    Args:
        load: finds a subject's state.
        messages: those of a group.
        context: the rules by which alerts and moves are observed; None: no observation.
        published: range of changelog offsets; a turn applied at one of them was published, and this group begins where
            the range ends. None: every turn was published.
    """
    changes = Changes()
    interactions, identities, sent = messages.interactions, messages.identities, messages.parts
    for name in {**interactions, **identities, **sent} if identities or sent else interactions:
        events = interactions.get(name, ())
        root_changes = identities.get(name, ()) if identities else ()
        parts = sent.get(name, ()) if sent else ()
        key = name.encode()
        encoded = load(key)
        if encoded is not None:
            state = decode(encoded)
        elif not events and _says_nothing(name, root_changes, parts):
            continue
        else:
            state = Subject()
        if names_group(name):
            fold_group(changes, name, key, state, events, root_changes, parts, published)
            continue
        if events and not parts and takes_fast_path(name, state, events, root_changes, published):
            if published is not None:
                state.applied_at = published.stop
            if fold_fast(changes, name, key, state, events, root_changes, context):
                continue
            state = Subject() if encoded is None else decode(encoded)
        elif not events and not parts and _is_blank(state):
            if published is not None:
                state.applied_at = published.stop
            fresh = unapplied(state.identities_applied, root_changes)
            changes.replayed += len(root_changes) - len(fresh)
            take_root(name, state, fresh)
            state.former, state.actions = [], NOTHING
            changes.states[key] = encode(state)
            continue
        Turn(changes, name, key, state, context).take(events, root_changes, parts, published)
    return changes


def fold_due(load: Load, names: Sequence[str], context: RuleContext, until: int) -> Changes:
    """A turn of timers: raise the alerts of roots that are due by `until` (epoch ms), and publish what may be missing.

    No message is applied, so versions stay as they are.
    """
    changes = Changes()
    for name in names:
        key = name.encode()
        encoded = load(key)
        state = None if encoded is None else decode(encoded)
        if state is None or not state.whole:
            continue  # erased or evicted meanwhile, so it has no timer
        turn = Turn(changes, name, key, state, context)
        alerts = turn.observer.due(until)
        changes.alerts += alerts
        if alerts and state.is_root:
            _say(changes, name, state, context.guests)
        turn.store()
    return changes


def fold_unsaid(load: Load, names: Sequence[str], guests: Guests) -> Changes:
    """A turn of subjects whose states an earlier version wrote: publish what may be done for them, be it nothing, and
    the record of those who spoke of consent.

    guests: of the model, whose zones say the days.

    A customer that this version, or the earlier one, has evicted is asked back, and publishes when it is whole again.
    No message is applied, so versions stay as they are. What is published follows from states that are durable; so it
    is published before these states, which say that it was.
    """
    changes = Changes()
    for name in names:
        key = name.encode()
        encoded = load(key)
        state = None if encoded is None else decode(encoded)
        if state is None or state.actions is not None:
            continue
        if names_group(name) or _is_blank(state):
            state.actions = NOTHING
        elif state.is_root and state.whole:
            _say(changes, name, state, guests)
        elif state.root is not None or (state.presence == HERE and not state.is_root):
            leave(changes, name, state, replay=True)
        elif state.presence == EVICTED:
            ask_back(changes, name, state)
        else:
            continue  # it is on its way back
        if state.actions == TAKEN_BACK:
            state.actions = NOTHING
        changes.states[key] = encode(state)
    return changes


def _say(changes: Changes, name: str, state: Subject, guests: Guests) -> None:
    """Publish what may be done for a root, and what an earlier version has not: consents, if there are some."""
    whole, is_unsaid = merged(state), state.actions is None
    post(changes, name, state, whole, guests, replay=True)
    if is_unsaid and whole.signals is not None and consents_of(whole.signals):
        changes.customers.append(publications(name, state).customer)


def _says_nothing(name: str, root_changes: Sequence[RootChange], parts: Sequence[Sent]) -> bool:
    """Whether messages need no state: the subject has none, stays its own root, and has no part to drop."""
    return all(root == name for _, root, _ in root_changes) and all(
        kind != SUMMARY or summary is None for _, _, _, summary, kind in parts
    )


def _is_blank(state: Subject) -> bool:
    """Whether a state holds nothing but a root: the subject never had anything to publish, or to send to a root."""
    return (
        not state.own.interactions
        and not state.parts
        and not state.published
        and not state.published_keys
        and not state.posted
        and not state.actions
        and state.presence == HERE
        and state.watch is None
        and not state.told
    )
