-- Units
--
-- The units that events name or the master has (rihla units load), with how often and when. A unit that the master does not
-- know works as any other, and is listed first: load it, or mend its name.
--
-- columns:
--   unit        Its id
--   known       Whether the master has it
--   name        Its name for people
--   kind        property, flight, desk ...
--   parent      What it is a part of now
--   brand       Its brand now, own or inherited
--   region      Its region now, own or inherited
--   timezone    Its clock now, own or inherited
--   events      Interactions that name it
--   customers   Customers of these
--   first_at    The first
--   last_at     The last
-- parameters:
--   known String = all           all, yes or no: only those that the master has, or has not
--   limit UInt32 = 100           Most rows
SELECT
    unit,
    if(m.unit = '', 'no', 'yes') AS known,
    ifNull(m.name, '') AS name,
    m.kind AS kind,
    m.parent AS parent,
    m.brand AS brand,
    m.region AS region,
    m.timezone AS timezone,
    e.events AS events,
    e.customers AS customers,
    if(e.events = 0, NULL, e.first_at) AS first_at,
    if(e.events = 0, NULL, e.last_at) AS last_at
FROM
(
    SELECT toString(assumeNotNull(i.unit)) AS unit, count() AS events, uniqExact(i.customer_id) AS customers,
        min(i.occurred_at) AS first_at, max(i.occurred_at) AS last_at
    FROM interactions AS i
    WHERE i.unit IS NOT NULL
    GROUP BY unit
) AS e
FULL JOIN
(
    SELECT unit, name, kind, parent, brand, region, timezone FROM unit_levels
    WHERE valid_from <= now64(3) AND now64(3) < valid_until
) AS m USING (unit)
WHERE multiIf(
    {known:String} = 'all', 1,
    {known:String} = 'yes', m.unit != '',
    {known:String} = 'no', m.unit = '',
    throwIf(1, 'known is one of: all, yes, no'))
ORDER BY known, events DESC, unit
LIMIT {limit:UInt32}
SETTINGS join_use_nulls = 0
