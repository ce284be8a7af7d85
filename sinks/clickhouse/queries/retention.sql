-- Retention by days
--
-- Who comes back, and when. A customer's first event of one kind opens the count: day 0 is the 24 hours that begin with it.
-- By day (n_day): back on that very day; by bracket: from one of the days until before the next; unbounded: on that day or any
-- later one. Only customers whose time is over by the latest event stored are judged (mature); unbounded: whose day has come,
-- and who may still come back. The query repeat is of bookings, where what is booked at once is one.
--
-- low and high: Wilson's score interval (Journal of the American Statistical Association 22, 1927).
--
-- columns:
--   segment          Value of what is grouped by, at the first event; 'all' without grouping
--   from_day         First day that counts
--   to_day           First day that counts no longer; null: no end
--   customers        Customers with a first event
--   mature           Of these, those whose time is over
--   returned         Of the mature ones, those who came back in it
--   rate             Share of the mature ones, per cent
--   low              Lower end of its 95 % interval
--   high             Upper end
-- samples:
--   mature           returned, rate, low, high
-- parameters:
--   kind String = bracket                                 n_day, bracket or unbounded
--   days String = 1,7,30,90,180,365                       The days, commas between; a bracket goes from each to the next
--   start String = booking.confirmed                      What opens the count: touchpoints, * for anything, | between
--   back String = booking.confirmed                       What counts as coming back, in the same way
--   by String = all                                       What to group by: {segments}
--   {clocks}
--   {filters}
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First moment at which a first event counts
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First moment at which it counts no longer
WITH
    (SELECT max(occurred_at) FROM interactions) AS now_at,
    arrayMap(day -> toFloat64(day), splitByChar(',', {days:String})) AS edges,
    multiIf(
        {kind:String} = 'n_day', arrayZip(edges, arrayMap(day -> day + 1, edges)),
        {kind:String} = 'bracket', arrayZip(arrayPopBack(edges), arrayPopFront(edges)),
        {kind:String} = 'unbounded', arrayZip(edges, arrayMap(day -> 1e9, edges)),
        arrayMap(day -> (day, toFloat64(throwIf(1, 'kind is one of: n_day, bracket, unbounded'))), edges)) AS ranges,
    dateDiff('millisecond', f.first_at, now_at) / 86400000 >= if(one.2 = 1e9, one.1, one.2) AS is_mature,
    countIf(is_mature) AS judged,
    countIf(is_mature AND arrayExists(day -> day >= one.1 AND day < one.2, f.days)) AS came,
    came / nullIf(judged, 0) AS share,
    {wilson:share:judged} AS bounds
SELECT
    f.segment AS segment,
    one.1 AS from_day,
    nullIf(one.2, 1e9) AS to_day,
    count() AS customers,
    judged AS mature,
    came AS returned,
    round(100 * share, 1) AS rate,
    round(100 * bounds.1, 1) AS low,
    round(100 * bounds.2, 1) AS high
FROM
(
    SELECT
        e.customer_id AS customer_id,
        argMinIf(e.segment, (e.at, e.event_id), e.begins) AS segment,
        minIf(e.at, e.begins) AS first_at,
        arrayMap(at -> dateDiff('millisecond', first_at, at) / 86400000,
            arrayFilter(at -> at > first_at, groupArrayIf(e.at, e.returns))) AS days
    FROM
    (
        SELECT
            i.customer_id AS customer_id,
            {segment} AS segment,
            i.occurred_at AS at,
            i.event_id AS event_id,
            {fits} AND i.occurred_at < {until:DateTime64(3,'UTC')} AND arrayExists(pattern -> toString(i.touchpoint) LIKE pattern,
                splitByChar('|', replaceAll(replaceAll({start:String}, '_', '\\_'), '*', '%'))) AS begins,
            arrayExists(pattern -> toString(i.touchpoint) LIKE pattern,
                splitByChar('|', replaceAll(replaceAll({back:String}, '_', '\\_'), '*', '%'))) AS returns
        FROM interactions AS i
        {segment_joins}
        WHERE begins OR returns
    ) AS e
    GROUP BY customer_id
    HAVING countIf(e.begins) > 0 AND first_at >= {since:DateTime64(3,'UTC')}
) AS f
ARRAY JOIN ranges AS one
GROUP BY segment, from_day, to_day, one
ORDER BY segment, from_day
