"""Which unit and which staff an interaction is attributed to where it names none: the rule, as SQL.

The views `*_attributed` hold the same text, and the queries that group by unit have it beside their own table, which is
cheaper than another pass through a view. docs/units.md says the rule in words; `rihla verify` has it the plain way.

Who asks for the unit alone, or for the staff, and not for what these rest on, needs less: of a journey that names one
property, that one, whenever an event was. The text of a query whose table is `interactions AS i` may hold

    {attributed_unit}     that unit, as a String; empty: none
    {attributed_join}     the join that this needs
    {attributed_agents}   the staff, as an Array(String)
    {attributed_by}       the join of the unit where {by:String} is unit, and that of the staff where it is agent
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


def unit_of(unit: str, channel: str, at: str, places: str) -> str:
    """The unit of a row, as `whose` has it, as an expression of SQL: a String, empty where there is none.

    Args:
        unit, channel, at: as for `whose`. places: alias of `units_of_journeys`, joined as `joined_units` does.
    """
    own = f"toString(ifNull({unit}, ''))"
    return f"""multiIf(
        {own} != '', {own},
        {channel} = 'check_in' AND {places}.desks > 0, if({places}.desks = 1, ifNull({places}.desk, ''), ''),
        {places}.properties = 1, ifNull({places}.property, ''),
        arrayExists(stay -> stay.1 <= {at} AND {at} <= stay.2, {places}.stays),
            arrayMax(arrayFilter(stay -> stay.1 <= {at} AND {at} <= stay.2, {places}.stays)).3,
        arrayMax(arrayMap(stay -> (stay.2, stay.1, stay.3), arrayFilter(stay -> stay.2 < {at}, {places}.stays))).3)"""


def units_of_journeys(asked: str = "1") -> str:
    """What `unit_of` needs of each journey, as a query: how many properties and desks it names and one of each, and its
    stays where the property alone does not decide.

    asked: a condition of constants; where it does not hold nothing is read.
    """
    return f"""
    SELECT journey AS journey_id, countIf(elsewhere) AS properties, anyIf(place, elsewhere) AS property,
        countIf(at_desk) AS desks, anyIf(place, at_desk) AS desk,
        if(properties = 1, [], groupArrayIf((since, until, place), stayed)) AS stays
    FROM
    (
        SELECT journey_id AS journey, toString(assumeNotNull(unit)) AS place,
            minIf(occurred_at, channel = 'stay') AS since,
            maxIf(occurred_at, channel = 'stay') AS until, countIf(channel = 'stay') > 0 AS stayed,
            countIf(channel != 'check_in') > 0 AS elsewhere, countIf(channel = 'check_in') > 0 AS at_desk
        FROM interactions
        WHERE ifNull(unit, '') != '' AND journey_id IS NOT NULL AND {asked}
        GROUP BY journey, place
    )
    GROUP BY journey
"""


def joined_units(places: str, asked: str = "1") -> str:
    """The join of `units_of_journeys` to interactions `i`: to those alone that name no unit."""
    return f"""LEFT ANY JOIN ({units_of_journeys(asked)}) AS {places}
    ON {places}.journey_id = i.journey_id AND ifNull(i.unit, '') = ''"""


def agents_of(agent: str, unit: str, channel: str, at: str, places: str) -> str:
    """The staff of a row, as `served` has it, as an expression of SQL: an Array(String).

    Args: as for `whose` and `served`; places is joined as `joined_staff` does.
    """
    own, its = (f"toString(ifNull({text}, ''))" for text in (agent, unit))
    there = f"""multiIf(
            {its} != '', {its} = {places}.property,
            {channel} = 'check_in' AND notEmpty({places}.desks), {places}.desks = [{places}.property],
            1)"""
    return f"""multiIf(
        {own} != '', [{own}],
        {places}.properties_known = 0, [],
        {places}.properties_known = 1, if({there} AND {places}.since <= {at}, {places}.agents, []),
        ({served("NULL", f"({whose(unit, channel, at, places)}).1", at, places)}).1)"""


def joined_staff(places: str, asked: str) -> str:
    """The join of what `agents_of` needs to interactions `i`: of journeys in whose stays somebody served, and to those
    alone that name nobody. asked: as for `units_of_journeys`."""
    return f"""LEFT ANY JOIN
(
    SELECT
        journey_id, length(s.properties) AS properties_known, s.properties[1] AS property, s.desks AS desks,
        s.stays[1].1 AS since, s.stays[1].4 AS agents,
        if(properties_known = 1, [], s.stays) AS stays, if(properties_known = 1, [], s.ended) AS ended,
        if(properties_known = 1, [], s.properties) AS properties
    FROM stays AS s
    WHERE arrayExists(stay -> notEmpty(stay.4), s.stays) AND {asked}
) AS {places}
    ON {places}.journey_id = i.journey_id AND ifNull(i.agent_id, '') = ''"""


def fill(text: str) -> str:
    """The text of a query with the placeholders of this module filled in."""
    by = "\n".join((joined_units("pu", "{by:String} = 'unit'"), joined_staff("pa", "{by:String} = 'agent'")))
    filled = {
        "{attributed_unit}": unit_of("i.unit", "i.channel", "i.occurred_at", "pu"),
        "{attributed_join}": joined_units("pu"),
        "{attributed_agents}": agents_of("i.agent_id", "i.unit", "i.channel", "i.occurred_at", "pa"),
        "{attributed_by}": by,
    }
    for placeholder, sql in filled.items():
        text = text.replace(placeholder, sql)
    return text


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
