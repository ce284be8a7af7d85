"""What interactions can be grouped by in the named queries: one list for all of them, filled in when a file is read.

A query whose table is `interactions AS i` may hold

    {segments}        in its comment: the names, for the parameter `by`
    {segment}         the value that an interaction has of what {by:String} names; raises an error for other names
    {segment_joins}   the joins that this needs; each is empty unless it is asked for, and left out where the
                      parameters are known (`fill_for`)
    {clocks}          in its comment, alone on a line: the parameters that say whose days they are
    {filters}         in its comment, alone on a line: the parameters that say of which interactions it speaks
    {fits}            the condition of these; true where none is given
    {filter_joins}    the joins that this needs, for a table that is grouped by something else: {segment_joins} has them
    {unfiltered}      whether there are no filters: a constant, with which ClickHouse skips a subquery
    {weights}         in its comment: what answers can be weighted by
    {stratum}         the value of what {weight:String} names, as {segment} is that of {by:String}

Any query with these parameters may hold

    {zone}            the clock of a row where `u` is joined to it as a unit
    {clock_joined}    whether it must be joined for that, as a condition: where all have one clock, no unit is asked
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from sinks.clickhouse import prayers
from sinks.clickhouse.attribution import agents_of, joined_staff, joined_units, served, unit_of, whose

ZONE = (
    "multiIf({timezone:String} != '', {timezone:String}, ifNull(u.timezone, '') != '', u.timezone, {elsewhere:String})"
)
"""The time zone of a row, where `u` is joined as in {segment_joins}: the one asked for, else its unit's (its own,
inherited or its brand's), else that of the settings."""
_DAY = f"formatDateTime(i.occurred_at, '%Y-%m-%d', {ZONE})"

_WHOSE = whose("i.unit", "i.channel", "i.occurred_at", "p")
_UNIT = unit_of("i.unit", "i.channel", "i.occurred_at", "pu")
_SERVED = served("i.agent_id", f"({_WHOSE}).1", "i.occurred_at", "p")

_MILESTONES = ("booked", "cancelled", "no_show", "checked_in", "arrived", "checked_out")
"""Of each the view journeys has the latest, NAME_at, in the order of their ranks among milestones of one instant."""
_STAGES = ("exploring", "booked", "cancelled", "no_show", "checked_in", "in_stay", "completed")
"""What a journey is after the milestone of that rank."""
_NEVER = "-9223372036854775808"
_BEFORE = "toUnixTimestamp64Milli(i.occurred_at) * 8 + 7"
_REACHED = ", ".join(f"if(m.{name} <= {_BEFORE}, m.{name}, {_NEVER})" for name in _MILESTONES)
# A milestone is its time and its rank in one number: these are compared for each row, which arrays would make dear.
_STAGE = f"transform(bitAnd(greatest({_REACHED}), 7), {list(range(7))}, {list(_STAGES)}, 'exploring')"

MANY: Mapping[str, str] = {
    "agent": agents_of("i.agent_id", "i.unit", "i.channel", "i.occurred_at", "pa"),
    "segment": "sm.member_of",
    "group": "arrayMap(one -> one.1, "
    "arrayFilter(one -> one.2 <= i.occurred_at AND i.occurred_at < one.3, gm.group_periods))",
}
"""Names of which an interaction can have several values, as an array: it counts once for each."""


def _each(name: str) -> str:
    """A value of MANY where it is grouped by, else the empty one."""
    return f"arrayJoin(if({{by:String}} = '{name}' AND notEmpty({MANY[name]}), {MANY[name]}, ['']))"


LEVELS = ("brand", "region", "parent", "unit_kind")
"""Properties of a unit that can be grouped by, as the master of units has them at the time of the event."""

SEGMENTS: dict[str, str] = {
    "all": "'all'",
    "day": _DAY,
    "week": f"toString(toMonday(toDate({_DAY})))",
    "month": f"formatDateTime(i.occurred_at, '%Y-%m', {ZONE})",
    "year": f"formatDateTime(i.occurred_at, '%Y', {ZONE})",
    "weekday": f"toString(toDayOfWeek(toDate({_DAY})))",
    "hour": f"formatDateTime(i.occurred_at, '%H', {ZONE})",
    "channel": "toString(i.channel)",
    "unit": _UNIT,
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
    "agent": _each("agent"),
    "agents_basis": f"({_SERVED}).2",
    "stage": f"if(ifNull(i.journey_id, '') = '', '', {_STAGE})",
    "season": "ifNull(h.season, '')",
    "hijri_month": "if(ifNull(h.hijri_year, 0) = 0, '', "
    "concat(toString(h.hijri_year), '-', leftPad(toString(h.hijri_month), 2, '0')))",
    "hijri_day": "if(ifNull(h.hijri_year, 0) = 0, '', concat(toString(h.hijri_year), '-', "
    "leftPad(toString(h.hijri_month), 2, '0'), '-', leftPad(toString(h.hijri_day), 2, '0')))",
    "hijri_day_from_sunset": "if(ifNull(h.hijri_year, 0) = 0, '', concat(toString(h.hijri_year), '-', "
    "leftPad(toString(h.hijri_month), 2, '0'), '-', leftPad(toString(h.hijri_day), 2, '0')))",
    "prayer_window": prayers.window("i.occurred_at", "t"),
    "ramadan_meal": prayers.meal("i.occurred_at", "t"),
    "weekend": f"multiIf(empty(w.days), '', has(w.days, toDayOfWeek(toDate({_DAY}))), 'weekend', 'weekday')",
    **{
        name: f"ifNull(toString(i.{name}), '')" for name in ("package", "meal_plan", "room_type", "facility", "service")
    },
    "platform": "ifNull(toString(i.platform), '')",
    "locale": "ifNull(toString(i.locale), '')",
    "campaign": "ifNull(nullIf(i.attributes['campaign'], ''), i.attributes['utm_campaign'])",
    "profile": "cp.profile",
    "segment": _each("segment"),
    "group": _each("group"),
}
"""Name: its value as a String, empty where it is not known. `stage` is the journey's status as it was at that moment;
`season`, `hijri_month` and `hijri_day` are of the view hijri, and `hijri_day_from_sunset` of its day after a sunset at
the unit; `prayer_window` and `ramadan_meal` are those of prayer_times for the unit; `weekend` is that of the customer's
country. Days, weeks (by their Monday), hours ... are those of the row's own clock (ZONE), a weekday is 1 for Monday to
7. `profile` is the customer's at their last event, `segment` the segments of the model that the customer belongs to
now, `group` those whose member they were at that moment; `campaign` the attribute campaign, else utm_campaign. `unit`
and `agent` are those to which it is attributed (sinks.clickhouse.attribution), so that an interaction counts once for
each of its agents, and `unit_basis`, `agents_basis` what that rests on."""

NAMES = ", ".join(SEGMENTS)

HIJRI = ("season", "hijri_month", "hijri_day")
TIMED = ("day", "week", "month", "year", "weekday", "hour", "weekend", *HIJRI)
"""Groupings that depend on the time zone, and so on the unit, if the master of units has any."""
PRAYED = ("prayer_window", "ramadan_meal", "hijri_day_from_sunset")
"""Groupings that depend on the times of prayer at the unit, in any time zone."""


FILTERS = ("unit", "brand", "channel", "medium", "country", "season", "stage")
"""Segments by which queries can be filtered: each is a parameter of that name."""
SEPARATOR = "\x1f"
"""Separates the values of a filter that has several, and in a segment those of several dimensions; no name contains
it."""
WEIGHTS = ("channel", "unit", *LEVELS, "country", "medium", "language", "stage", "month", "package")
"""Segments by whose shares of the customers answers can be weighted."""


class Fit(NamedTuple):
    """A condition on interactions `i`: the segment that its text names, empty if none, and the text."""

    segment: str
    sql: str


CLOCK_JOINED = "({timezone:String} = '' AND (SELECT count() FROM units) > 0)"
_FROM_SUNSET = prayers.day_from_sunset("i.occurred_at", "t")


def fits(names: Sequence[str] = FILTERS) -> str:
    """Whether an interaction `i`, joined as in {segment_joins}, matches every one of these filters that is given."""
    return (
        " AND ".join(
            f"({{{name}:String}} = '' OR has(splitByChar(char(31), {{{name}:String}}), {SEGMENTS[name]}))"
            for name in names
        )
        or "1"
    )


def _joins(grouped: bool, weighted: bool, asked: Collection[str]) -> dict[str, str]:
    """The joins of {segment_joins} by their aliases, each after those that it needs. None changes the number of rows.

    grouped: the query groups by {by:String}; else for its filters alone. weighted: it has {weight:String}. asked:
    segments that are known to be asked for.
    """

    def some(names: Sequence[str]) -> str:
        if any(name in asked for name in names):
            return "1"
        given = [f"{{{name}:String}} != ''" for name in names if name in FILTERS]
        parameters = [*(["by"] if grouped else []), *(["weight"] if weighted else [])]
        listed = ", ".join(f"'{name}'" for name in names)
        return "(" + (" OR ".join([*(f"{{{one}:String}} IN ({listed})" for one in parameters), *given]) or "0") + ")"

    timed = f"({some(TIMED)} AND {CLOCK_JOINED})"
    placed = some(["unit", *LEVELS, *PRAYED])
    reached = ", ".join(
        f"ifNull(toUnixTimestamp64Milli({name}_at) * 8 + {rank}, {_NEVER}) AS {name}"
        for rank, name in enumerate(_MILESTONES, 1)
    )
    civil = f"toDate({_DAY})"
    day = f"if({{by:String}} = 'hijri_day_from_sunset', {_FROM_SUNSET}, {civil})" if grouped else civil
    if "hijri_day_from_sunset" in asked:
        day = _FROM_SUNSET
    return {
        "m": f"""LEFT ANY JOIN (SELECT journey_id, {reached} FROM journeys WHERE {some(["stage"])}) AS m
    ON m.journey_id = i.journey_id""",
        "p": f"""LEFT ANY JOIN (SELECT * FROM stays WHERE {some(["unit_basis", "agents_basis"])}) AS p
    ON p.journey_id = i.journey_id""",
        "pa": joined_staff("pa", some(["agent"])),
        "pu": joined_units("pu", f"({placed} OR {timed})"),
        "u": f"""LEFT ASOF JOIN (SELECT * FROM unit_places WHERE {some((*LEVELS, *PRAYED))} OR {timed}) AS u
    ON u.unit = {_UNIT} AND u.valid_from <= i.occurred_at""",
        "t": f"""LEFT ASOF JOIN (SELECT * FROM prayer_times WHERE {some(PRAYED)}) AS t
    ON t.place = ifNull(u.place, '') AND t.fajr <= i.occurred_at""",
        "h": f"""LEFT ANY JOIN
(
    SELECT date, season, hijri_year, hijri_month, hijri_day FROM hijri
    WHERE {some((*HIJRI, "hijri_day_from_sunset"))}
) AS h
    ON h.date = {day}""",
        "w": f"""LEFT ANY JOIN (SELECT country, days FROM weekends WHERE {some(["weekend"])}) AS w
    ON w.country = i.country""",
        "cp": f"""LEFT ANY JOIN
    (SELECT customer_id, toString(profile) AS profile FROM customers WHERE {some(["profile"])}) AS cp
    ON cp.customer_id = i.customer_id""",
        "sm": f"""LEFT ANY JOIN
(
    SELECT customer_id, groupArray(toString(segment)) AS member_of
    FROM segments WHERE {some(["segment"])} GROUP BY customer_id
) AS sm
    ON sm.customer_id = i.customer_id""",
        "gm": f"""LEFT ANY JOIN
(
    SELECT
        customer_id,
        groupUniqArray((group_id, since, ifNull(until, toDateTime64('2200-01-01', 3, 'UTC')))) AS group_periods
    FROM memberships WHERE {some(["group"])} GROUP BY customer_id
) AS gm
    ON gm.customer_id = i.customer_id""",
    }


_INTERACTIONS = re.compile(r"\b(FROM|JOIN) interactions\b(\s+AS\b)?")
"""The view whose rows the view contacts has, too, but for their journey_id; and whether it has another name there."""


def basis_of(by: str) -> str | None:
    """The column that shows what an attributed segment rests on; None for a segment that is not attributed."""
    return "agents_basis" if by == "agent" else "unit_basis" if by in ("unit", *LEVELS) else None


CLOCKS = """timezone String =        Whose days, hours and months: an IANA time zone for all; empty: each event's own
--   elsewhere String = UTC   The time zone of events whose unit and brand have none (rihla query --timezone)"""

_FILTERED = "\n--   ".join(
    [
        "unit String =            Only this unit, as by=unit has it (several: with character 31 between)",
        *(f"{name} String =            Only this {name}, as by={name} has it" for name in FILTERS[1:]),
    ]
)
_UNFILTERED = "(" + " AND ".join(f"{{{name}:String}} = ''" for name in FILTERS) + ")"


def fill(text: str) -> str:
    """The text of a query with the placeholders of this module filled in, for whatever its parameters are."""
    segment = _choice("by", SEGMENTS)
    stratum = _choice("weight", {name: SEGMENTS[name] for name in WEIGHTS})
    return _filled(text, segment, stratum, fits(), _UNFILTERED, _all, ZONE, ())


def fill_for(text: str, given: Mapping[str, str], where: Sequence[Fit] = ()) -> str:
    """The same for parameters that are known: what they do not ask for is left out, which gives the same answer.

    The joins of `fill` cost half a second before the first row is read, and time for each row.
    given: all parameters of the query with their values; `by` may name several segments, with commas between: the
    segment of an interaction is then that of each, with SEPARATOR between. where: further conditions for {fits}.
    """
    by, weight = given.get("by", ""), given.get("weight", "")
    names = by.split(",")
    several = len(names) > 1 and all(is_segment(name) for name in names)
    if several or is_segment(by):
        values = [expression(name) for name in names]
        segment = f"arrayStringConcat([{', '.join(values)}], char(31))" if several else values[0]
    else:
        names, segment = [], _choice("by", SEGMENTS)
    strata = {weight: SEGMENTS[weight]} if weight in WEIGHTS else {name: SEGMENTS[name] for name in WEIGHTS}
    stratum = _choice("weight", strata) if weight not in ("", "customer") else "''"
    zone = "{timezone:String}" if given.get("timezone") else ZONE
    filters = [name for name in FILTERS if given.get(name)]
    fitting = " AND ".join([*([fits(filters)] if filters or not where else []), *(fit.sql for fit in where)])
    asked = frozenset((*names, weight, *(fit.segment for fit in where)))
    text = _filled(text, segment, stratum, fitting, "0" if where else _UNFILTERED, _referred, zone, asked)
    return text if "journey_id" in text else _INTERACTIONS.sub(_contacts, text)


ATTRIBUTE = re.compile(r"attributes\.([\w-]+(?:\.[\w-]+)*)", re.ASCII)
"""A segment of any attribute of events."""


def is_segment(name: str) -> bool:
    """Whether interactions can be grouped by it: a name of SEGMENTS, or attributes.NAME."""
    return name in SEGMENTS or ATTRIBUTE.fullmatch(name) is not None


def expression(name: str) -> str:
    """The value of a segment that is known to be grouped by."""
    if name in MANY:
        return f"arrayJoin(if(notEmpty({MANY[name]}), {MANY[name]}, ['']))"
    attribute = ATTRIBUTE.fullmatch(name)
    return f"i.attributes['{attribute[1]}']" if attribute else SEGMENTS[name]


def _choice(parameter: str, chosen: Mapping[str, str]) -> str:
    """The value of the segment that a parameter names; an error of ClickHouse where it names none."""
    branches = ", ".join(f"{{{parameter}:String}} = '{name}', {value}" for name, value in chosen.items())
    names = NAMES if parameter == "by" else ", ".join(("customer", *WEIGHTS))
    return f"multiIf({branches}, toString(throwIf(1, '{parameter} is one of: {names}')))"


def _contacts(found: re.Match[str]) -> str:
    """Under the name that the query has for it: it may say `interactions.medium`."""
    return f"{found[1]} contacts{found[2] or ' AS interactions'}"


def _filled(
    text: str,
    segment: str,
    stratum: str,
    fitting: str,
    unfiltered: str,
    joins: Callable[[str, Mapping[str, str]], str],
    zone: str,
    asked: Collection[str],
) -> str:
    """joins: given the text and all joins by their aliases, those that it gets. zone: what stands for ZONE."""
    weighted = "{stratum}" in text
    text = (
        text.replace("{clocks}", CLOCKS)
        .replace("{filters}", _FILTERED)
        .replace("{fits}", fitting)
        .replace("{unfiltered}", unfiltered)
        .replace("{segments}", NAMES)
        .replace("{weights}", ", ".join(("customer", *WEIGHTS)))
        .replace("{segment}", segment)
        .replace("{stratum}", stratum)
        .replace("{zone}", ZONE)
        .replace("{clock_joined}", CLOCK_JOINED)
        .replace(ZONE, zone)
    )
    for place, grouped in (("{filter_joins}", False), ("{segment_joins}", True)):
        if place in text:
            found = _joins(grouped, weighted, asked)
            text = text.replace(place, joins(text, {k: join.replace(ZONE, zone) for k, join in found.items()}))
    return text


def _all(_: str, joins: Mapping[str, str]) -> str:
    return "\n".join(joins.values())


def _referred(text: str, joins: Mapping[str, str]) -> str:
    """The joins whose aliases the text names, and those that these need."""
    needed: set[str] = set()
    for alias, join in reversed(list(joins.items())):
        if re.search(rf"\b{alias}\.", text):
            needed.add(alias)
            text += join
    return "\n".join(join for alias, join in joins.items() if alias in needed)
