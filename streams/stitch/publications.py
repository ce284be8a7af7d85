"""The records that a customer's state publishes (journeys, cases, the customer), and their withdrawals.

Keys name a record within its customer: `journey:KEY` (KEY as in PlacedJourney) and `case:ID`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from streams.alerts.owner import NOBODY
from streams.model.brands import Brands
from streams.model.identifiers import customer_id
from streams.stitch import rows
from streams.stitch.case import Case
from streams.stitch.encoding import merged
from streams.stitch.journey import Journey
from streams.stitch.owners import NO_BRANDS, owner_of_case, units_of_cases
from streams.stitch.placement import PlacedJourney, journeys_of
from streams.stitch.rows import Row
from streams.stitch.subject import Subject
from streams.stitch.summary import Summary

JOURNEY, CASE = "journey:", "case:"


@dataclass(slots=True)
class Publications:
    """The records that a root publishes: by key, and the customer's own."""

    records: Mapping[str, Row]
    customer: Row
    summary: Summary
    """The summary that the records follow from."""


def publications(name: str, state: Subject, brands: Brands = NO_BRANDS) -> Publications:
    """All records that follow from a root's state.

    name: the subject, `kind:value`. state: is not changed. brands: of the model.
    """
    customer, version, summary = customer_id(name), state.version, merged(state)
    journeys = journeys_of(summary)
    records: dict[str, Row] = {}
    homes: dict[str, str | None] = {}
    names = {id(case): case_id for case_id, case in summary.cases.items()}
    for journey in journeys:
        records[JOURNEY + journey.key] = rows.journey_row(customer, journey, version)
        for case in journey.cases:
            homes[names[id(case)]] = journey.key
    units = units_of_cases(summary, homes)
    for case_id, case in summary.cases.items():
        whose = owner_of_case(case, units.get(case_id), brands)
        records[CASE + case_id] = rows.case_row(customer, case_id, case, homes.get(case_id), whose, version)
    return Publications(records, rows.customer_row(name, customer, summary, len(journeys), version), summary)


def is_case(key: str) -> bool:
    """Whether the key is a case's; else it is a journey's."""
    return key.startswith(CASE)


def own_keys(state: Subject) -> set[str]:
    """Keys of what follows from the subject's own bookings and cases: never withdrawn while it is a root."""
    return {JOURNEY + ref for ref in state.own.bookings} | {CASE + case_id for case_id in state.own.cases}


def withdrawals(name: str, keys: Iterable[str], version: int) -> dict[str, Row]:
    """The records that withdraw what the keys name."""
    customer = customer_id(name)
    taken: dict[str, Row] = {}
    for key in sorted(keys):
        if is_case(key):
            row = rows.case_row(customer, key.removeprefix(CASE), Case(), None, NOBODY, version)
        else:
            gone = PlacedJourney(key.removeprefix(JOURNEY), None, None, Journey(), [])
            row = rows.journey_row(customer, gone, version)
        taken[key] = (*row[:-1], True)
    return taken


def withdrawn_customer(name: str, version: int) -> Row:
    """The record that withdraws a customer."""
    return (*rows.customer_row(name, customer_id(name), Summary(), 0, version)[:-1], True)
