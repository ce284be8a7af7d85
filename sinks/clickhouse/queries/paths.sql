-- Paths
--
-- What comes next: for each touchpoint of a journey the most frequent next one, and how often there is none. The window
-- chooses what happened; what came next is looked for beyond it, so that no journey is cut.
--
-- A journey was lost when it was cancelled or not shown up for before the guest came, or when nothing was ever booked
-- although the customer had been on the channel booking, and it has been quiet for 30 days before the latest event stored. One that is booked or under
-- way is open, not lost. Surveys and reviews ask or tell how it was: a journey that ends with one does not drop off there.
--
-- columns:
--   touchpoint       What happened
--   next             What happened next in the same journey; '(end)': nothing so far
--   times            How often
--   share            Of all times that the touchpoint happened
--   median_hours     Median time until then
--   drop_off         Share of all times that the touchpoint happened that nothing followed and the journey was lost; 0 of a survey
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
        sum(countIf(next = '(end)' AND j.lost AND NOT {is_survey})) OVER (PARTITION BY touchpoint) AS lost
    FROM
    (
        SELECT
            journey,
            arrayJoin(arrayMap(
                (event, after) -> (event.3, if(after.3 = '', '(end)', after.3), dateDiff('millisecond', event.1, after.1), event.1),
                events, arrayPushBack(arrayPopFront(events), (toDateTime64(0, 3, 'UTC'), '', '')))) AS step
        FROM
        (
            SELECT
                assumeNotNull(i.journey_id) AS journey,
                arraySort(groupArray((i.occurred_at, i.event_id, toString(i.touchpoint)))) AS events
            FROM interactions AS i
            WHERE i.journey_id IS NOT NULL AND i.occurred_at >= {since:DateTime64(3,'UTC')}
            GROUP BY journey
        )
    ) AS s
    LEFT ANY JOIN
    (
        SELECT
            journey_id,
            {held} IN ('cancelled', 'no_show') OR (status = 'exploring' AND booking_interactions > 0
                AND last_event_at < (SELECT max(last_event_at) FROM journeys) - INTERVAL 30 DAY) AS lost
        FROM journeys
    ) AS j ON j.journey_id = s.journey
    WHERE step.4 < {until:DateTime64(3,'UTC')} AND ({touchpoint:String} = '' OR touchpoint = {touchpoint:String})
    GROUP BY touchpoint, next
)
ORDER BY total DESC, touchpoint, times DESC, next
LIMIT {next:UInt32} BY touchpoint
LIMIT {limit:UInt32}
