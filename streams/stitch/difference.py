"""Finds the publications of a customer that a turn changed, without computing all of them before and after. Pure.

Only these can have changed: bookings and cases that got events, or whose part changed; journeys whose set of loose
events changed (a booking's span may have grown); journeys that a case left or joined. The rest is as it was published.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Set
from typing import Final

from mypy_extensions import mypyc_attr

from streams.model.brands import Brands
from streams.model.identifiers import customer_id
from streams.stitch.case import Case
from streams.stitch.changes import Changes
from streams.stitch.owners import NO_BRANDS, Attributed, of_cases, owner_of_case
from streams.stitch.placement import Span, booking_at, joined, placed, spans_of, visit_key
from streams.stitch.publications import CASE, JOURNEY, is_case, withdrawals
from streams.stitch.rows import case_row, customer_row, row_of_journey
from streams.stitch.subject import Subject
from streams.stitch.summary import Loose, Summary


@mypyc_attr(acyclic=True)
class Placement:
    """Where a customer's loose events and cases belong, and which bookings and cases only its parts have.

    guests: booking reference -> its loose events, in order of time.
    visits: key of a visit -> its events, in order of time.
    cases: all cases; those of the customer's own change with the state.
    homes: case -> key of its journey.
    part_refs, part_cases: booking references and cases that only parts have.
    units: case that names no unit -> the one that it is attributed to, and its basis.
    """

    def __init__(
        self,
        guests: dict[str, list[Loose]],
        visits: dict[str, list[Loose]],
        cases: dict[str, Case],
        homes: dict[str, str | None],
        part_refs: Set[str],
        part_cases: Set[str],
        units: dict[str, Attributed],
    ) -> None:
        self.guests = guests
        self.visits = visits
        self.cases = cases
        self.homes = homes
        self.part_refs = part_refs
        self.part_cases = part_cases
        self.units = units


_NONE: Final[Set[str]] = frozenset()
NOWHERE: Final = Placement({}, {}, {}, {}, _NONE, _NONE, {})
"""The Placement of a customer without loose events, cases and parts."""


def placement_of(own: Summary, parts: Collection[Summary]) -> Placement:
    """The journeys to which a customer's loose events and cases belong, its parts' included."""
    loose, cases, part_refs, part_cases = own.loose, own.cases, _NONE, _NONE
    if parts:
        part_refs = {ref for part in parts for ref in part.bookings} - own.bookings.keys()
        loose = [event for some in (own, *parts) for event in some.loose]
        if any(part.cases for part in parts):
            part_cases = {case_id for part in parts for case_id in part.cases} - own.cases.keys()
            cases = _merged(own, parts)
    if not loose and not cases:
        return Placement({}, {}, {}, {}, part_refs, part_cases, {}) if part_refs else NOWHERE
    spans = _spans(own, parts) if parts else spans_of(own.bookings)
    guests: dict[str, list[Loose]] = {}
    visits: dict[str, list[Loose]] = {}
    if loose:
        guests, unbooked = placed(spans, loose)
        if unbooked:
            visits = {visit_key(members[0]): members for members in unbooked}
    homes: dict[str, str | None] = {}
    units: dict[str, Attributed] = {}
    if cases:
        homes = {case_id: _home(case, spans, visits) for case_id, case in cases.items()}
        if any(case.first is not None and not case.first[3] for case in cases.values()):
            units = of_cases(cases, homes, {**guests, **visits}, [own, *parts])
    return Placement(guests, visits, cases, homes, part_refs, part_cases, units)


def _merged(own: Summary, parts: Collection[Summary]) -> dict[str, Case]:
    merged = {case_id: case.copy() for case_id, case in own.cases.items()}
    for part in parts:
        for case_id, case in part.cases.items():
            merged.setdefault(case_id, Case()).absorb(case)
    return merged


def _spans(own: Summary, parts: Collection[Summary]) -> list[Span]:
    """The spans of all bookings, sorted."""
    found = {ref: (journey.first, ref, journey.last) for ref, journey in own.bookings.items()}
    for part in parts:
        for ref, journey in part.bookings.items():
            known = found.get(ref)
            if known is None:
                found[ref] = (journey.first, ref, journey.last)
            else:
                found[ref] = (min(known[0], journey.first), ref, max(known[2], journey.last))
    return sorted(found.values())


def _home(case: Case, spans: list[Span], visits: Mapping[str, list[Loose]]) -> str | None:
    """The key of the journey of a case's earliest event."""
    if case.first is None:
        return None
    at = case.first[0]
    ref = case.first[4] or booking_at(spans, at)
    if ref is not None:
        return ref
    return next((key for key, members in visits.items() if members[0].at <= at <= members[-1].at), None)


def publish_difference(
    changes: Changes,
    name: str,
    state: Subject,
    parts: Collection[Summary],
    before: Placement,
    refs: set[str],
    case_ids: set[str],
    brands: Brands = NO_BRANDS,
) -> Summary:
    """Publish what a turn changed, and note in the state what may have to be withdrawn.

    Args:
        changes: gets the records to publish.
        name, state: those of a root whose state is whole (`Subject.whole`).
        parts: its parts, decoded.
        before: the Placement before the turn; NOWHERE if nothing was published then.
        refs, case_ids: bookings and cases that got events, or whose part changed; this function adds the others that
            have changed.
        brands: of the model.

    Returns:
        The summary of the customer. If it has parts, only with those bookings that were published.
    """
    own, version, customer = state.own, state.version, customer_id(name)
    now = placement_of(own, parts)
    if now is NOWHERE and before is NOWHERE and not parts:
        for ref in refs:
            only = own.bookings.get(ref)
            if only is None:
                continue  # of a part that has come and gone in one turn
            changes.journeys.append(row_of_journey(customer, ref, ref, (only.first, only.last), only, (), version))
        changes.customers.append(customer_row(name, customer, own, len(own.bookings), version))
        state.published, state.published_keys = True, []
        return own
    touched: Set[str | None] = frozenset()
    cases_at: dict[str | None, list[Case]] = {}
    if before.guests or now.guests:
        for ref, members in now.guests.items():
            if before.guests.get(ref) != members:
                refs.add(ref)
        refs.update(ref for ref in before.guests if ref not in now.guests)
    if before.homes or now.homes:
        old_home, home = before.homes.get, now.homes.get
        case_ids |= {case_id for case_id in (*before.homes, *now.homes) if old_home(case_id) != home(case_id)}
        touched = {of(case_id) for case_id in case_ids for of in (old_home, home)}
        refs |= {key for key in touched if key is not None}
        for case_id, at in now.homes.items():
            cases_at.setdefault(at, []).append(now.cases[case_id])
        if before.units != now.units:
            case_ids |= {case_id for case_id, whose in now.units.items() if before.units.get(case_id) != whose}
        for case_id in case_ids & now.cases.keys():
            whose = owner_of_case(now.cases[case_id], now.units.get(case_id), brands)
            changes.cases.append(case_row(customer, case_id, now.cases[case_id], home(case_id), whose, version))
    whole = own
    if parts:
        whole = Summary()
        for some in (own, *parts):
            whole.absorb(some, refs)
    add, bookings = changes.journeys.append, whole.bookings
    for ref in refs:
        booking = bookings.get(ref)
        if booking is None:
            continue  # a visit, or withdrawn below
        journey = joined(booking, now.guests.get(ref, ()))
        add(row_of_journey(customer, ref, ref, (booking.first, booking.last), journey, cases_at.get(ref, ()), version))
    for key, members in now.visits.items():
        if before.visits.get(key) == members and key not in touched:
            continue
        add(row_of_journey(customer, key, None, None, joined(None, members), cases_at.get(key, ()), version))
    count = len(own.bookings) + len(now.part_refs) + len(now.visits)
    changes.customers.append(customer_row(name, customer, whole, count, version))
    state.published = True
    state.published_keys = _published_keys(changes, name, state, before, now)
    return whole


def _published_keys(changes: Changes, name: str, state: Subject, before: Placement, now: Placement) -> list[str]:
    """Withdraw the records that are gone. Returns their keys, and those of all records that do not follow from the
    subject's own bookings and cases."""
    keys = [JOURNEY + key for key in now.visits]
    gone = [JOURNEY + key for key in before.visits if key not in now.visits]
    if before.part_refs or now.part_refs or before.part_cases or now.part_cases:
        own = state.own
        keys += [JOURNEY + ref for ref in now.part_refs] + [CASE + case_id for case_id in now.part_cases]
        gone += [JOURNEY + ref for ref in before.part_refs - now.part_refs - own.bookings.keys()]
        gone += [CASE + case_id for case_id in before.part_cases - now.part_cases - own.cases.keys()]
    if gone:
        for key, row in withdrawals(name, gone, state.version).items():
            (changes.cases if is_case(key) else changes.journeys).append(row)
        keys += gone
    return sorted(keys) if len(keys) > 1 else keys
