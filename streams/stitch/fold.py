"""A batch through the states of its subjects: what changes in them, and what has to be published. Pure.

Three kinds of messages reach a subject: its interactions, news of its root (cx.identities) and parts of subjects whose
root it is (cx.parts). Each is applied once: an offset below the one applied is a replay.

What a batch publishes becomes durable after the states that it follows from, so a crash in between leaves states whose
publications may be missing. Their records are then read again: a replay changes nothing and publishes everything of its
subject anew. For withdrawals that is possible because the state remembers (`ledger`, `former`) what it may still have
to take back, until a later turn finds that the one before was published. One that is no replay does not find that by
itself: what will be read again may be of another topic, or belong to the same group of batches. The changelog tells:
what was applied since this worker has held the state, and before the last flush, has been published (Subject.owes).
Otherwise the turn publishes everything, as on a replay.

A subject that was evicted (streams.stitch.eviction) holds its publications back until it is whole again, and then
publishes everything anew, as on a replay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from streams.alerts.moves import Cause
from streams.alerts.tally import open_of
from streams.alerts.watch import NON_COMMITTAL
from streams.stitch.alone import Record, fold_alone, is_alone, is_among
from streams.stitch.changes import Changes as Changes
from streams.stitch.eviction import ASKED, NONE_STORED
from streams.stitch.journey import Event
from streams.stitch.publications import (
    Publications,
    is_case,
    own_keys,
    publications,
    same,
    withdrawals,
    withdrawn_customer,
)
from streams.stitch.rows import Row
from streams.stitch.subject import (
    AWAY,
    EVICTED,
    HERE,
    RECALLED,
    Part,
    Subject,
    decode,
    encode,
    without_cause,
)
from streams.stitch.watching import Observer, Watching, cause_of

Load = Callable[[bytes], bytes | None]
"""The encoded state of a subject (key: its name in UTF-8), or None."""


def fold_interactions(
    load: Load, events: Mapping[str, Sequence[Record]], watching: Watching | None = None, published: range | None = None
) -> Changes:
    """Fold interactions into their own subjects.

    Args:
        load: finds a subject's state.
        events: per subject its (offset, eight-byte hash of the event id, event), in order of offsets.
        watching: by what to observe alerts and moves; None: they are not.
        published: offsets of the state's changelog: what was applied at one of them has been published, and the batch
            begins where they end. None: all has been.
    """
    changes = Changes()
    for name, records in events.items():
        key = name.encode()
        encoded = load(key)
        state = Subject() if encoded is None else decode(encoded)
        if is_alone(state, records, published):
            if published is not None:
                state.applied_at = published.stop
            if fold_alone(changes, name, key, state, records, watching):
                continue
            state = Subject() if encoded is None else decode(encoded)
        turn = _Turn(changes, name, key, state, watching)
        fresh = [record for record in records if record[0] >= state.interactions_applied]
        ended = any(event.ends_recall for _, _, event in fresh)
        turn.begin(published, replayed=len(records) - len(fresh), own_events=True, anew=ended)
        if fresh:
            seen, own, added = state.seen, state.own, 0
            for _, event_hash, event in fresh:
                if is_among(event_hash, seen):
                    if not event.restored:
                        own.duplicates += 1
                        changes.duplicates += 1
                    continue
                seen += event_hash
                added += 1
                turn.touch(event)
                own.add(event)
                if turn.alone and (
                    event.score is not None or (state.watch is not None and state.watch.profile != NON_COMMITTAL)
                ):  # without a score of its own an event only brings the customer's closer to 0
                    turn.observer.follow(event)
            state.seen = seen
            state.interactions_applied = fresh[-1][0] + 1
            changes.folded += added
        if ended and state.presence == RECALLED:
            state.presence = HERE
        turn.finish(own_changed=True)
    return changes


def fold_identities(
    load: Load,
    news: Mapping[str, Sequence[tuple[int, str, int]]],
    watching: Watching | None = None,
    published: range | None = None,
) -> Changes:
    """Apply news of subjects' roots.

    Args:
        load: finds a subject's state.
        news: per subject its (offset, root, version), in order of offsets.
        watching, published: as for `fold_interactions`.
    """
    changes = Changes()
    for name, records in news.items():
        key = name.encode()
        encoded = load(key)
        if encoded is None and all(root == name for _, root, _ in records):
            continue  # no state, and its own root: as if nothing had been said
        state = Subject() if encoded is None else decode(encoded)
        turn = _Turn(changes, name, key, state, watching)
        fresh = [record for record in records if record[0] >= state.identities_applied]
        turn.begin(published, replayed=len(records) - len(fresh))
        changed = False
        for offset, root, version in fresh:
            state.identities_applied = offset + 1
            if version <= state.root_version:
                continue
            state.root_version = version
            target = None if root == name else root
            if target != state.root:
                changed = True
                if state.root is not None:
                    state.former.append(state.root)
                state.root = target
        state.former = sorted({*state.former} - {state.root})
        if changed or turn.replay:
            turn.finish(own_changed=True)
        else:
            turn.store()
    return changes


def fold_parts(
    load: Load,
    parts: Mapping[str, Sequence[tuple[int, str, int, bytes | None]]],
    watching: Watching | None = None,
    published: range | None = None,
) -> Changes:
    """Take in, replace or drop the parts that subjects sent to their root.

    Args:
        load: finds a subject's state.
        parts: per target its (offset, sender, version, encoded summary or None to drop), in order of offsets. Versions
            ASKED and NONE_STORED are no parts, but say something to the target (streams.stitch.eviction).
        watching, published: as for `fold_interactions`.
    """
    changes = Changes()
    for name, records in parts.items():
        key = name.encode()
        encoded = load(key)
        if encoded is None and all(summary is None for *_, summary in records):
            continue  # nothing there that could be dropped
        state = Subject() if encoded is None else decode(encoded)
        turn = _Turn(changes, name, key, state, watching)
        fresh = [record for record in records if record[0] >= state.parts_applied]
        asked = any(version < 0 for _, _, version, _ in fresh)
        turn.begin(published, replayed=len(records) - len(fresh), anew=asked)
        for offset, sender, version, summary in fresh:
            state.parts_applied = offset + 1
            if version < 0:
                if version == NONE_STORED and state.presence == RECALLED:
                    state.presence = HERE
                continue
            known = state.parts.get(sender)
            if known is None or version >= known.version:
                cause = None
                if summary is not None:
                    summary, cause = without_cause(summary)
                state.parts[sender] = Part(version, summary)
                if cause is not None:
                    turn.arrived.append(cause)
        turn.finish(own_changed=asked)
    return changes


def fold_due(load: Load, names: Sequence[str], watching: Watching, until: int) -> Changes:
    """A timer's turn: raise what is due by `until` (epoch ms) in roots, and publish what may not have been.

    No message is applied, so versions stay as they are.
    """
    changes = Changes()
    for name in names:
        key = name.encode()
        encoded = load(key)
        state = None if encoded is None else decode(encoded)
        if state is None or not state.whole:
            continue  # erased meanwhile, or evicted: then it has no timer
        turn = _Turn(changes, name, key, state, watching)
        changes.alerts += turn.observer.due(until)
        turn.store()
    return changes


class _Turn:
    """One subject's turn in a batch: knows how it was, and publishes what is different afterwards."""

    def __init__(self, changes: Changes, name: str, key: bytes, state: Subject, watching: Watching | None) -> None:
        self.changes, self.name, self.key, self.state = changes, name, key, state
        self.watched = self.state.watch is not None
        self.refs: set[str] = set()
        self.case_ids: set[str] = set()
        self.again = self.replay = self.simple = self.alone = False
        self.held_cause: Cause | None = None
        self.events: list[Event] = []
        self.arrived: list[Cause] = []
        self.watching = watching
        self._observer: Observer | None = None
        self.before: Publications | None = None

    def begin(self, published: range | None, replayed: int, own_events: bool = False, anew: bool = False) -> None:
        """Before anything is applied: forget what is acknowledged, note what is published now.

        Args:
            published: as for `fold_interactions`.
            replayed: how many of the messages have been applied already.
            own_events: whether the messages are interactions of the subject itself.
            anew: whether to publish everything, as a replay does. So does what was away and is whole again.
        """
        state = self.state
        self.again = replayed > 0
        self.replay = self.again or anew or not state.whole or state.owes(published)
        if published is not None:
            state.applied_at = published.stop
        # An event changes the score of a root without parts by itself: each is looked at, else the turn as a whole.
        self.alone = self.watching is not None and own_events and state.root is None and not state.parts and state.whole
        self.changes.replayed += replayed
        if self.replay:
            self.held_cause = None if state.whole else state.own.cause
            return
        state.former = []
        if not state.is_root:
            state.published, state.ledger = False, []
        elif state.published:
            # One's own event changes its booking and nothing else, unless there are parts or loose events.
            self.simple = own_events and not state.parts and not state.own.loose and not state.ledger
            if not self.simple:
                self.before = publications(self.name, state)
                state.ledger = sorted({*state.ledger} & self.before.records.keys())

    @property
    def observer(self) -> Observer:
        """Made when something is to be observed; only where there is something to observe by."""
        if self._observer is None:
            assert self.watching is not None
            self._observer = Observer(self.watching, self.name, self.state)
        return self._observer

    def touch(self, event: Event) -> None:
        """Note what an event that is about to be added may change."""
        self.events.append(event)
        if event.booking_ref is None:
            self.simple = False
        else:
            self.refs.add(event.booking_ref)
        if event.case_role is not None and event.case_id is not None:
            self.case_ids.add(event.case_id)
            case = self.state.own.cases.get(event.case_id)
            if case is not None and case.first is not None and case.first[4] is not None:
                self.refs.add(case.first[4])  # an earlier event may take the case to another journey

    def finish(self, own_changed: bool) -> None:
        """Publish what follows from the state and is not published yet, and store the state.

        own_changed: whether the root, if it is another subject, has to be told: of new events, or of itself.
        """
        state, changes = self.state, self.changes
        if not state.whole:
            self._hold()
            return
        own = state.own
        if self.replay or (own_changed and own.interactions):
            changes.parts += ((former, self.name, state.version, None) for former in state.former)
            if state.root is not None:
                own.cause = self._cause()
                changes.parts.append((state.root, self.name, state.version, encode(own) if own.interactions else None))
                own.cause = None  # what this turn was about has been said
        if state.is_root:
            self._publish()
        elif state.published or state.ledger:
            self._emit(withdrawals(self.name, {*state.ledger, *own_keys(state)}, state.version))
            changes.customers.append(withdrawn_customer(self.name, state.version))
        if self.watching is not None and state.watch is not None and not state.is_root:
            changes.alerts += self.observer.leave(self.replay)
        self.store()

    def _hold(self) -> None:
        """Publish nothing before what was evicted is back; ask for it, once, or again where that may have been lost."""
        state, changes = self.state, self.changes
        if state.presence == EVICTED or self.again:
            if state.presence != HERE:
                changes.recalls.append((self.name, state.interactions_applied))
                state.presence = RECALLED
            away = (sender for sender, part in state.parts.items() if part.summary == AWAY)
            changes.parts += ((sender, self.name, ASKED, None) for sender in away)
        state.own.cause = self._cause()
        self.store()

    def store(self) -> None:
        """Store the state."""
        watch = self.state.watch
        if watch is not None or self.watched:
            self.changes.due[self.key] = 0 if watch is None else watch.due
            self.changes.opened[self.key] = open_of(watch)
        if self._observer is not None:
            self.changes.news += self._observer.news
        self.changes.states[self.key] = encode(self.state)

    def _publish(self) -> None:
        state = self.state
        if self.simple:
            now = publications(self.name, state, self.refs, self.case_ids)
            self._emit(now.records)
        else:
            now = publications(self.name, state)
            before = {} if self.before is None else self.before.records
            gone = {*state.ledger} - now.records.keys()
            self._emit(withdrawals(self.name, gone, state.version))
            self._emit({key: row for key, row in now.records.items() if not same(row, before.get(key))})
            state.ledger = sorted(gone | (now.records.keys() - own_keys(state)))
            state.published = True
        self.changes.customers.append(now.customer)
        if self.watching is None:
            return
        summary = now.summary
        if not self.alone and (summary.rolling.at or state.watch is not None):
            self.observer.look(summary.rolling, summary.last, self._cause())
        if state.watch is not None or summary.signals is not None:
            alerts, moves = self.observer.finish(summary.signals, self.replay)
            self.changes.alerts += alerts
            self.changes.moves += moves

    def _cause(self) -> Cause | None:
        """The latest event of this turn: of the subject's own, or of the parts that arrived, or held until now."""
        own = (cause_of(event) for event in self.events if not event.restored)
        held = () if self.held_cause is None else (self.held_cause,)
        return max((*own, *self.arrived, *held), key=lambda cause: cause[:2], default=None)

    def _emit(self, records: Mapping[str, Row]) -> None:
        for key, row in records.items():
            (self.changes.cases if is_case(key) else self.changes.journeys).append(row)
