"""The commonest turn by far: new events of a customer whose root nobody else is a part of. Pure.

What `streams.stitch.fold` does of every turn, at a third of the cost, for what is known here: nothing is a replay, and
nothing but the events at hand changes the state. So only the bookings they name change, and, where events are loose,
the journeys to which other loose events belong than before.
"""

from __future__ import annotations

from collections.abc import Sequence

from streams.alerts.tally import open_of
from streams.identity.identifiers import customer_id
from streams.stitch.assemble import joined, placed, spans_of, visit_key
from streams.stitch.changes import Changes
from streams.stitch.journey import Event
from streams.stitch.publications import JOURNEY, is_case, publications, withdrawals
from streams.stitch.rows import customer_row, row_of_journey
from streams.stitch.subject import HERE, Subject, encode
from streams.stitch.summary import Loose
from streams.stitch.watching import Observer, Watching, is_quiet, is_settled

Record = tuple[int, bytes, Event]
"""(offset, eight-byte hash of the event id, event)."""


Placed = tuple[dict[str, list[Loose]], list[list[Loose]]]
"""Where loose events belong, as of streams.stitch.assemble.placed."""
_NOWHERE: Placed = ({}, [])


def is_alone(state: Subject, records: Sequence[Record], published: range | None) -> bool:
    """Whether a turn of these records is of the kind meant here, unless one of them ends a recall.

    published: as for fold_interactions.
    """
    if state.root is not None or state.parts or state.presence != HERE:
        return False
    if records[0][0] < state.interactions_applied or state.owes(published):
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
    changes: Changes, name: str, key: bytes, state: Subject, records: Sequence[Record], watching: Watching | None
) -> bool:
    """Add the events to the state, and to the changes what follows.

    Args:
        name, key: the subject, and its key in the table.
        state: for which `is_alone` holds; is changed.
        records: in order of offsets.
        watching: as for fold_interactions.

    Returns:
        False where one of the events ends a recall: the state is of no use any more, the changes are as they were.
    """
    own, seen, duplicates = state.own, state.seen, 0
    observer: Observer | None = None
    watched = state.watch is not None
    before = placed(spans_of(own.bookings), own.loose) if own.loose else _NOWHERE
    refs: set[str] = set()
    case_ids: set[str] = set()
    for _, event_hash, event in records:
        if event.ends_recall:
            return False
        if seen and is_among(event_hash, seen):
            if not event.restored:
                duplicates += 1
            continue
        seen += event_hash
        if event.booking_ref is not None:
            refs.add(event.booking_ref)
        if event.case_id is not None and event.case_role is not None:
            case_ids.add(event.case_id)
            case = own.cases.get(event.case_id)
            if case is not None and case.first is not None and case.first[4] is not None:
                refs.add(case.first[4])  # an earlier event may take the case to another journey
        own.add(event)
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
    state.former = []
    _publish(changes, name, state, refs, case_ids, before)
    if watching is not None and not (observer is None and own.signals is None and is_settled(state.watch)):
        if observer is None:
            observer = Observer(watching, name, state)
        alerts, moves = observer.finish(own.signals, replay=False)
        changes.alerts += alerts
        changes.moves += moves
        changes.news += observer.news
    if watched or state.watch is not None:
        changes.due[key] = 0 if state.watch is None else state.watch.due
        changes.opened[key] = open_of(state.watch)
    changes.states[key] = encode(state)
    return True


def _publish(changes: Changes, name: str, state: Subject, refs: set[str], case_ids: set[str], before: Placed) -> None:
    """Publish what changed.

    refs, case_ids: of the bookings and cases that events were added to. before: where loose events belonged.
    """
    own, version, bookings = state.own, state.version, state.own.bookings
    state.published = True
    spans = spans_of(bookings) if own.loose else []
    guests, visits = placed(spans, own.loose) if own.loose else _NOWHERE
    if own.cases:
        # Which journey a case belongs to may depend on any event, so where some are loose it is looked at anew.
        now = publications(name, state) if own.loose else publications(name, state, refs, case_ids)
        for key, row in now.records.items():
            (changes.cases if is_case(key) else changes.journeys).append(row)
        changes.customers.append(now.customer)
        add = None
    else:
        customer, add = customer_id(name), changes.journeys.append
        if before[0] or guests:
            refs |= {ref for ref in before[0].keys() | guests.keys() if before[0].get(ref) != guests.get(ref)}
        for ref in refs:
            booking = bookings[ref]
            whole = joined(booking, guests.get(ref, ()))
            add(row_of_journey(customer, ref, ref, (booking.first, booking.last), whole, (), version))
        changes.customers.append(customer_row(name, customer, own, len(bookings) + len(visits), version))
    gone = {visit_key(members[0]): members for members in before[1]} if before[1] else {}
    keys = []
    for members in visits:
        key = visit_key(members[0])
        keys.append(JOURNEY + key)
        if gone.pop(key, None) != members and add is not None:
            add(row_of_journey(customer, key, None, None, joined(None, members), (), version))
    if gone:
        taken = withdrawals(name, [JOURNEY + key for key in gone], version)
        changes.journeys += taken.values()
        keys += taken
    state.ledger = sorted(keys) if len(keys) > 1 else keys
