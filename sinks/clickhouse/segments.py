"""What interactions can be grouped by in the named queries: one list for all of them, filled in when a file is read.

A query whose table is `interactions AS i` may hold

    {segments}        in its comment: the names, for the parameter `by`
    {segment}         the value that an interaction has of what {by:String} names; refuses a name that is not here
    {segment_joins}   the joins that this needs; each is empty, and costs nothing, unless it is asked for
"""

from __future__ import annotations

LEVELS = ("brand", "region", "parent", "unit_kind")
"""What can be grouped by of a unit, as the master of units has it at the time of the event."""

SEGMENTS: dict[str, str] = {
    "all": "'all'",
    "day": "toString(toDate(i.occurred_at))",
    "month": "formatDateTime(i.occurred_at, '%Y-%m')",
    "channel": "toString(i.channel)",
    "unit": "ifNull(toString(i.unit), '')",
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
    "agent": "ifNull(toString(i.agent_id), '')",
    "stage": "if(ifNull(i.journey_id, '') = '', '', "
    "ifNull(nullIf(arrayLast(reached -> reached.1 <= i.occurred_at, m.milestones).2, ''), 'exploring'))",
    "season": "ifNull(h.season, '')",
    "hijri_month": "if(ifNull(h.hijri_year, 0) = 0, '', "
    "concat(toString(h.hijri_year), '-', leftPad(toString(h.hijri_month), 2, '0')))",
    "weekend": "multiIf(empty(w.days), '', has(w.days, toDayOfWeek(i.occurred_at)), 'weekend', 'weekday')",
}
"""Name: its value as a String, empty where it is not known. `stage` is the journey's status as it was at that moment;
`season` and `hijri_month` are of the view hijri; `weekend` is that of the customer's country, in UTC."""

NAMES = ", ".join(SEGMENTS)

_JOINS = """LEFT ANY JOIN (SELECT journey_id, milestones FROM milestones WHERE {by:String} = 'stage') AS m
    ON m.journey_id = i.journey_id
LEFT ANY JOIN
    (SELECT date, season, hijri_year, hijri_month FROM hijri WHERE {by:String} IN ('season', 'hijri_month')) AS h
    ON h.date = toDate(i.occurred_at)
LEFT ANY JOIN (SELECT country, days FROM weekends WHERE {by:String} = 'weekend') AS w
    ON w.country = i.country
LEFT ASOF JOIN
    (SELECT unit, valid_from, brand, region, parent, kind FROM unit_levels WHERE {by:String} IN ({levels})) AS u
    ON u.unit = ifNull(toString(i.unit), '') AND u.valid_from <= i.occurred_at""".replace(
    "{levels}", ", ".join(f"'{name}'" for name in LEVELS)
)


def fill(text: str) -> str:
    """The text of a query with {segments}, {segment} and {segment_joins} filled in."""
    branches = ", ".join(f"{{by:String}} = '{name}', {value}" for name, value in SEGMENTS.items())
    refusal = f"toString(throwIf(1, 'by is one of: {NAMES}'))"
    return (
        text.replace("{segments}", NAMES)
        .replace("{segment}", f"multiIf({branches}, {refusal})")
        .replace("{segment_joins}", _JOINS)
    )
