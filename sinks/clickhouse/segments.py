"""What interactions can be grouped by in the named queries: one list for all of them, filled in when a file is read.

A query whose table is `interactions AS i` may hold

    {segments}        in its comment: the names, for the parameter `by`
    {segment}         the value that an interaction has of what {by:String} names; refuses a name that is not here
    {segment_joins}   the joins that this needs; each is empty, and costs nothing, unless it is asked for
"""

from __future__ import annotations

from sinks.clickhouse.attribution import served, whose

_WHOSE = whose("i.unit", "i.channel", "i.occurred_at", "p")
_SERVED = served("i.agent_id", f"({_WHOSE}).1", "i.occurred_at", "p")

LEVELS = ("brand", "region", "parent", "unit_kind")
"""What can be grouped by of a unit, as the master of units has it at the time of the event."""

SEGMENTS: dict[str, str] = {
    "all": "'all'",
    "day": "toString(toDate(i.occurred_at))",
    "month": "formatDateTime(i.occurred_at, '%Y-%m')",
    "channel": "toString(i.channel)",
    "unit": f"({_WHOSE}).1",
    "unit_basis": f"({_WHOSE}).2",
    "brand": "ifNull(u.brand, '')",
    "region": "ifNull(u.region, '')",
    "parent": "ifNull(u.parent, '')",
    "unit_kind": "ifNull(u.kind, '')",
    "country": "ifNull(toString(i.country), '')",
    "medium": "toString(i.medium)",
    "touchpoint": "toString(i.touchpoint)",
    "language": "ifNull(toString(i.language), '')",
    "customer": "i.customer_id",
    "journey": "ifNull(i.journey_id, '')",
    "agent": f"arrayJoin(if({{by:String}} = 'agent' AND notEmpty(({_SERVED}).1), ({_SERVED}).1, ['']))",
    "agents_basis": f"({_SERVED}).2",
    "stage": "if(ifNull(i.journey_id, '') = '', '', "
    "ifNull(nullIf(arrayLast(reached -> reached.1 <= i.occurred_at, m.milestones).2, ''), 'exploring'))",
    "season": "ifNull(h.season, '')",
    "hijri_month": "if(ifNull(h.hijri_year, 0) = 0, '', "
    "concat(toString(h.hijri_year), '-', leftPad(toString(h.hijri_month), 2, '0')))",
    "weekend": "multiIf(empty(w.days), '', has(w.days, toDayOfWeek(i.occurred_at)), 'weekend', 'weekday')",
}
"""Name: its value as a String, empty where it is not known. `stage` is the journey's status as it was at that moment;
`season` and `hijri_month` are of the view hijri; `weekend` is that of the customer's country, in UTC. `unit` and `agent`
are whose doing it was (sinks.clickhouse.attribution), so that an interaction counts once for each of its agents, and
`unit_basis`, `agents_basis` what that rests on."""

NAMES = ", ".join(SEGMENTS)

_PLACED = ("unit", "unit_basis", "agent", "agents_basis", *LEVELS)
"""For what it takes to know whose doing an interaction was."""

_JOINS = """LEFT ANY JOIN (SELECT journey_id, milestones FROM milestones WHERE {by:String} = 'stage') AS m
    ON m.journey_id = i.journey_id
LEFT ANY JOIN
    (SELECT date, season, hijri_year, hijri_month FROM hijri WHERE {by:String} IN ('season', 'hijri_month')) AS h
    ON h.date = toDate(i.occurred_at)
LEFT ANY JOIN (SELECT country, days FROM weekends WHERE {by:String} = 'weekend') AS w
    ON w.country = i.country
LEFT ANY JOIN (SELECT * FROM stays WHERE {by:String} IN ({placed})) AS p ON p.journey_id = i.journey_id
LEFT ASOF JOIN
    (SELECT unit, valid_from, brand, region, parent, kind FROM unit_levels WHERE {by:String} IN ({levels})) AS u
    ON u.unit = {whose}.1 AND u.valid_from <= i.occurred_at"""
_JOINS = (
    _JOINS.replace("{levels}", ", ".join(f"'{name}'" for name in LEVELS))
    .replace("{placed}", ", ".join(f"'{name}'" for name in _PLACED))
    .replace("{whose}", f"({_WHOSE})")
)


def basis_of(by: str) -> str | None:
    """What shows on what the values of a segment rest; None for one that rests on no attribution."""
    return "agents_basis" if by == "agent" else "unit_basis" if by in ("unit", *LEVELS) else None


def fill(text: str) -> str:
    """The text of a query with {segments}, {segment} and {segment_joins} filled in."""
    branches = ", ".join(f"{{by:String}} = '{name}', {value}" for name, value in SEGMENTS.items())
    refusal = f"toString(throwIf(1, 'by is one of: {NAMES}'))"
    return (
        text.replace("{segments}", NAMES)
        .replace("{segment}", f"multiIf({branches}, {refusal})")
        .replace("{segment_joins}", _JOINS)
    )
