"""Which unit and which staff an interaction is attributed to where it names none: the rule, as SQL.

The views `*_attributed` hold the same text, and the queries that group by unit have it beside their own table, which is
cheaper than another pass through a view. docs/units.md says the rule in words; `rihla verify` has it the plain way.
"""

from __future__ import annotations

BASES = ("own", "same_stay", "last_stay", "only_unit", "none")
"""What an attribution may rest on, from the most to the least reliable."""


def whose(unit: str, channel: str, at: str, places: str) -> str:
    """(unit, basis) of a row, as an expression of SQL; an empty unit: none.

    Args:
        unit, channel, at: expressions for what the row says itself; texts may be null or empty.
        places: alias of the view `stays`, joined by the row's journey.
    """
    own, channel = (f"toString(ifNull({text}, ''))" for text in (unit, channel))
    return f"""multiIf(
        {own} != '', ({own}, 'own'),
        {channel} = 'check_in' AND notEmpty({places}.desks),
            if(length({places}.desks) = 1, ({places}.desks[1], 'only_unit'), ('', 'none')),
        arrayExists(stay -> stay.1 <= {at} AND {at} <= stay.2, {places}.stays),
            (arrayLast(stay -> stay.1 <= {at} AND {at} <= stay.2, {places}.stays).3, 'same_stay'),
        arrayExists(stay -> stay.1 < {at}, {places}.ended),
            (arrayLast(stay -> stay.1 < {at}, {places}.ended).3, 'last_stay'),
        length({places}.properties) = 1, ({places}.properties[1], 'only_unit'),
        ('', 'none'))"""


def served(agent: str, unit: str, at: str, places: str) -> str:
    """(agents, basis) of a row, as an expression of SQL; no agents: none.

    Args:
        agent, at: as for `whose`. unit: the unit that the row belongs to.
    """
    own = f"toString(ifNull({agent}, ''))"
    return f"""arrayMap(
        stay -> multiIf(
            {own} != '', ([{own}], 'own'),
            empty(stay.4), (CAST([], 'Array(String)'), 'none'),
            (stay.4, if({at} <= stay.2, 'same_stay', 'last_stay'))),
        [arrayFirst(stay -> stay.3 = {unit} AND stay.1 <= {at}, {places}.stays)])[1]"""
