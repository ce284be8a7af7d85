"""One subject's turn, whatever its messages are: `streams.stitch.fold` says what a turn is. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from streams.alerts.moves import Cause
from streams.alerts.tally import open_of
from streams.alerts.watch import NON_COMMITTAL
from streams.model.control import NOTHING_STORED, SUMMARY, send_again
from streams.model.membership import Said, periods
from streams.stitch.changes import Changes
from streams.stitch.claims import begin, claim, leave
from streams.stitch.difference import Placement, placement_of, publish_difference
from streams.stitch.encoding import decode_summary, encode, encode_summary, merged, without_cause
from streams.stitch.fast_path import is_among
from streams.stitch.journey import Event
from streams.stitch.membership import encode_periods
from streams.stitch.messages import Record, RootChange, Sent, unapplied
from streams.stitch.observer import Observer, RuleContext, cause_of
from streams.stitch.owners import NO_BRANDS
from streams.stitch.publications import is_case, own_keys, publications, withdrawals, withdrawn_customer
from streams.stitch.rows import Row
from streams.stitch.subject import AWAY, EVICTED, GONE, HERE, RECALLED, Part, Subject
from streams.stitch.summary import Summary
from streams.stitch.todo import has_said, may_act, post
from streams.stitch.todo import leave as take_back


def take_root(name: str, state: Subject, fresh: Sequence[RootChange]) -> bool:
    """Set the root to that of the latest version. Returns whether it has changed."""
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
    return changed


def ask_back(changes: Changes, name: str, state: Subject) -> None:
    """Ask for what was evicted of a state."""
    if state.presence != HERE:
        changes.recalls.append((name, state.interactions_applied))
        state.presence = RECALLED
    away = [sender for sender, part in state.parts.items() if part.summary == AWAY]
    changes.parts += [send_again(sender, name) for sender in away]


class Turn:
    """One subject's turn in a group: remembers the state before it, and publishes what has changed."""

    def __init__(self, changes: Changes, name: str, key: bytes, state: Subject, context: RuleContext | None) -> None:
        self.changes, self.name, self.key, self.state = changes, name, key, state
        self.watched = self.state.watch is not None
        self.fired = state.watch is not None and state.watch.fired
        self.refs: set[str] = set()
        self.case_ids: set[str] = set()
        self.again = self.replay = self.per_event = False
        self.held_cause: Cause | None = None
        self.events: list[Event] = []
        self.sent: dict[str, Summary] = {}
        self.arrived: list[Cause] = []
        self.context = context
        self._observer: Observer | None = None
        self.before: Placement | None = None

    def take(
        self,
        events: Sequence[Record],
        root_changes: Sequence[RootChange],
        parts: Sequence[Sent],
        published: range | None,
    ) -> None:
        """Apply one or more messages to the state, and publish what follows."""
        state = self.state
        fresh_events = unapplied(state.interactions_applied, events)
        fresh_roots = unapplied(state.identities_applied, root_changes)
        fresh_parts = unapplied(state.parts_applied, parts)
        replayed = (
            len(events) + len(root_changes) + len(parts) - len(fresh_events) - len(fresh_roots) - len(fresh_parts)
        )
        ended = any(event.ends_recall >= state.recall_from for _, _, event in fresh_events)
        asked = any(kind != SUMMARY for _, _, _, _, kind in fresh_parts)
        self._begin(published, replayed, ended or asked)
        # An event changes the score of a root without parts by itself: each is looked at, else the turn as a whole.
        self.per_event = (
            self.context is not None
            and bool(events)
            and not parts
            and state.root is None
            and all(root == self.name for _, root, _ in root_changes)
            and not state.parts
            and state.whole
        )
        self._add(fresh_events)
        if ended and state.presence == RECALLED:
            state.presence = HERE
        changed = take_root(self.name, state, fresh_roots)
        if root_changes:
            state.former = sorted({*state.former} - {state.root})
        self._receive(fresh_parts)
        if events or parts or changed or self.replay:
            self._finish(own_changed=bool(events) or changed or asked)
        else:
            self.store()

    def _begin(self, published: range | None, replayed: int, anew: bool) -> None:
        """Before anything is applied: forget what was published, and note the state as it is.

        Args:
            published: as for `fold_messages`.
            replayed: how many of the messages have been applied already.
            anew: whether to publish everything, as a replay does. A subject that was evicted and is whole again does
                the same.
        """
        state = self.state
        self.again = replayed > 0
        self.replay = self.again or anew or not state.whole or state.owes(published)
        if published is not None:
            state.applied_at = published.stop
        self.changes.replayed += replayed
        if self.replay:
            self.held_cause = None if state.whole else state.own.cause
        else:
            state.former = []
            if state.told:
                state.told = {group: told for group, told in state.told.items() if told != GONE}
            begin(state)
            if not state.is_root:
                state.published, state.published_keys = False, []
        if state.whole:
            self.sent = {
                sender: decode_summary(part.summary) for sender, part in state.parts.items() if part.summary is not None
            }
            if not self.replay and state.published:
                self.before = placement_of(state.own, self.sent.values())

    def _add(self, fresh: Sequence[Record]) -> None:
        """Add the events whose ids have not been seen."""
        if not fresh:
            return
        state = self.state
        seen, own, added = state.seen, state.own, 0
        for _, event_hash, event in fresh:
            if is_among(event_hash, seen):
                if not event.restored:
                    own.duplicates += 1
                    self.changes.duplicates += 1
                continue
            seen += event_hash
            added += 1
            self.events.append(event)
            if event.booking_ref is not None:
                self.refs.add(event.booking_ref)
            if (case_id := own.add(event)) is not None:
                self.case_ids.add(case_id)
            if self.per_event and (
                event.score is not None or (state.watch is not None and state.watch.profile != NON_COMMITTAL)
            ):  # without a score of its own an event only brings the customer's closer to 0
                self.observer.follow(event)
        state.seen = seen
        state.interactions_applied = fresh[-1][0] + 1
        self.changes.folded += added

    def _receive(self, fresh: Sequence[Sent]) -> None:
        """Add, replace or drop parts."""
        state = self.state
        for offset, sender, version, summary, kind in fresh:
            state.parts_applied = offset + 1
            if kind != SUMMARY:
                if kind == NOTHING_STORED and state.presence == RECALLED and int(summary or 0) >= state.recall_from:
                    state.presence = HERE
                continue
            known = state.parts.get(sender)
            if known is not None and version < known.version:
                continue
            was, now = self.sent.pop(sender, None), None
            if summary is not None:
                now = self.sent[sender] = decode_summary(summary)
                if now.cause is not None:
                    self.arrived.append(now.cause)
                    cause, now.cause = now.cause, None
                    summary = without_cause(summary, now, cause)
            state.parts[sender] = Part(version, summary)
            self._note(was, now)

    def _note(self, was: Summary | None, now: Summary | None) -> None:
        """Note what is different between two versions of a part."""
        nothing = Summary()
        old, new = was or nothing, now or nothing
        for noted, before, after in (
            (self.refs, old.bookings, new.bookings),
            (self.case_ids, old.cases, new.cases),
        ):
            if before or after:
                noted.update(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))

    @property
    def observer(self) -> Observer:
        """The observer of this turn, made when it is first needed. Only for a turn with rules (`context`)."""
        if self._observer is None:
            assert self.context is not None
            self._observer = Observer(self.context, self.name, self.state)
        return self._observer

    def _finish(self, own_changed: bool) -> None:
        """Publish what follows from the state and is not published yet, and store the state.

        own_changed: whether to send a part to the root, if that is another subject: events are new, or the root is.
        """
        state, changes = self.state, self.changes
        if not state.whole:
            self._hold()
            return
        own = state.own
        if self.replay or (own_changed and own.interactions):
            changes.parts += [(former, self.name, state.version, None, SUMMARY) for former in state.former]
            if state.root is not None:
                own.cause = self._cause()
                changes.parts.append(
                    (state.root, self.name, state.version, encode_summary(own) if own.interactions else None, SUMMARY)
                )
                own.cause = None  # the part that was sent carries it
        if state.is_root:
            self._publish()
        elif state.published or state.published_keys:
            self._emit(withdrawals(self.name, {*state.published_keys, *own_keys(state)}, state.version))
            changes.customers.append(withdrawn_customer(self.name, state.version))
        if not state.is_root:
            leave(changes, self.name, state, self.replay)
            take_back(changes, self.name, state, self.replay)
        if self.context is not None and state.watch is not None and not state.is_root:
            changes.alerts += self.observer.leave(self.replay)
        self._tell_groups()
        self.store()

    def _tell_groups(self) -> None:
        """Tell groups since when and until when this customer is a member, where that has changed; on a replay all."""
        state = self.state
        said: dict[str, frozenset[Said]] = {}
        if state.is_root:
            # On a replay the parts may not have been decoded: the state may have become whole in this turn.
            for summary in (merged(state),) if self.replay else (state.own, *self.sent.values()):
                for group, some in (summary.groups or {}).items():
                    said[group] = said[group] | some if group in said else some
        if not said and not state.told:
            return
        now = {group: encode_periods(found) for group, some in said.items() if (found := periods(some))}
        for group in sorted({*now, *state.told}):
            times = now.get(group, GONE)
            if self.replay or times != state.told.get(group, GONE):
                self.changes.parts.append((group, self.name, state.version, times or None, SUMMARY))
        state.told = {group: now.get(group, GONE) for group in sorted({*now, *state.told})}

    def _hold(self) -> None:
        """Publish nothing until evicted events are back. Asks for them once, and again if the request may be lost."""
        state = self.state
        if state.presence == EVICTED or self.again:
            ask_back(self.changes, self.name, state)
        state.own.cause = self._cause()
        self.store()

    def store(self) -> None:
        """Store the state."""
        watch = self.state.watch
        if watch is not None or self.watched:
            self.changes.due[self.key] = 0 if watch is None else watch.due
            self.changes.opened[self.key] = open_of(watch)
        if self._observer is not None:
            self.changes.transitions += self._observer.transitions
            self.changes.invitations += self._observer.invitations
            self.changes.messages += self._observer.messages
        self.changes.states[self.key] = encode(self.state)

    def _publish(self) -> None:
        state = self.state
        brands = NO_BRANDS if self.context is None else self.context.brands
        if self.before is not None:
            summary = publish_difference(
                self.changes, self.name, state, self.sent.values(), self.before, self.refs, self.case_ids, brands
            )
        else:
            now = publications(self.name, state, brands)
            gone = {*state.published_keys} - now.records.keys()
            self._emit(withdrawals(self.name, gone, state.version))
            self._emit(now.records)
            state.published_keys = sorted(gone | (now.records.keys() - own_keys(state)))
            state.published = True
            self.changes.customers.append(now.customer)
            summary = now.summary
        if self.context is None:
            return
        # Of its bookings `summary` may have only those that were published.
        whole = None if self.before is not None and self.sent else summary
        if self.context.segments.by_name or state.posted:
            whole = self._merged() if whole is None else whole
            row = self.changes.customers[-1]
            claim(self.changes, self.name, state, row, whole, self.context.segments, self.replay)
        if not self.per_event and (summary.rolling.at or state.watch is not None):
            self.observer.look(summary.rolling, summary.last, self._cause())
        if state.watch is not None or summary.signals is not None:
            alerts, moves = self.observer.finish(summary, self.replay)
            self.changes.alerts += alerts
            self.changes.moves += moves
        summaries = (summary,) if whole is not None else (state.own, *self.sent.values())
        alone = whole is not None
        if has_said(state) or any(may_act(one, state.watch, alone) for one in summaries):
            all_ = self._merged() if whole is None else whole
            post(self.changes, self.name, state, all_, self.context.guests, self.replay or self.fired)

    def _merged(self) -> Summary:
        """The summary of the whole customer, of a turn that has decoded the parts."""
        whole = self.state.own.copy()
        for part in self.sent.values():
            whole.absorb(part)
        return whole

    def _cause(self) -> Cause | None:
        """The latest event of this turn: of the subject's own, or of the parts that arrived, or held until now."""
        own = [cause_of(event) for event in self.events if not event.restored]
        held = () if self.held_cause is None else (self.held_cause,)
        return max((*own, *self.arrived, *held), key=lambda cause: cause[:2], default=None)

    def _emit(self, records: Mapping[str, Row]) -> None:
        for key, row in records.items():
            (self.changes.cases if is_case(key) else self.changes.journeys).append(row)
