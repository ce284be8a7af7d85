-- Paths
--
-- What comes next: for each touchpoint of a journey the most frequent next one, and how often there is none.
--
-- columns:
--   touchpoint       What happened
--   next             What happened next in the same journey; '(end)': nothing so far
--   times            How often
--   share            Of all times that the touchpoint happened
--   median_hours     Median time until then
--   drop_off         Share of all times that the touchpoint happened that nothing followed and the journey is not completed
-- parameters:
--   touchpoint String =                                   Only this one; empty: all
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First moment counted
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First moment no longer counted
--   next UInt32 = 3                                       Most rows of a touchpoint
--   limit UInt32 = 100                                    Most rows
SELECT
    touchpoint,
    next,
    times,
    round(times / total, 4) AS share,
    median_hours,
    round(lost / total, 4) AS drop_off
FROM
(
    SELECT
        step.1 AS touchpoint,
        step.2 AS next,
        count() AS times,
        if(next = '(end)', NULL, round(quantileExactInclusive(0.5)(step.3) / 3600000, 2)) AS median_hours,
        sum(times) OVER (PARTITION BY touchpoint) AS total,
        sum(countIf(next = '(end)' AND not j.completed)) OVER (PARTITION BY touchpoint) AS lost
    FROM
    (
        SELECT
            journey,
            arrayJoin(arrayMap(
                (event, after) -> (event.3, if(after.3 = '', '(end)', after.3), dateDiff('millisecond', event.1, after.1)),
                events, arrayPushBack(arrayPopFront(events), (toDateTime64(0, 3, 'UTC'), '', '')))) AS step
        FROM
        (
            SELECT
                assumeNotNull(i.journey_id) AS journey,
                arraySort(groupArray((i.occurred_at, i.event_id, toString(i.touchpoint)))) AS events
            FROM interactions AS i
            WHERE i.journey_id IS NOT NULL AND i.occurred_at >= {since:DateTime64(3,'UTC')} AND i.occurred_at < {until:DateTime64(3,'UTC')}
            GROUP BY journey
        )
    ) AS s
    LEFT ANY JOIN (SELECT journey_id, status = 'completed' AS completed FROM journeys) AS j ON j.journey_id = s.journey
    WHERE {touchpoint:String} = '' OR touchpoint = {touchpoint:String}
    GROUP BY touchpoint, next
)
ORDER BY total DESC, touchpoint, times DESC, next
LIMIT {next:UInt32} BY touchpoint
LIMIT {limit:UInt32}
