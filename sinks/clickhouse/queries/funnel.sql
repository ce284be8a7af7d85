-- Funnel of booking journeys
--
-- How many journeys get from one stage to the next, and where they are lost. A journey has reached a stage when it has
-- its milestone or that of a later stage (not every source reports every milestone).
--
-- columns:
--   step             1 booked, 2 checked_in, 3 in_stay, 4 completed, 5 post_travel
--   stage            Stage; post_travel: anything was heard of the customer after the trip
--   journeys         Journeys that reached it
--   of_booked        Share of those that were booked, per cent
--   of_previous      Share of those that reached the stage before, per cent
--   lost             Journeys that reached this stage, and none after it, and were cancelled or not shown up for
--   median_days      Median days since the milestone of the stage before, where both are known
-- parameters:
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First start of a journey that counts
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First start of a journey that counts no longer
WITH
    multiIf(
        post_travel_interactions > 0, 5,
        checked_out_at IS NOT NULL, 4,
        arrived_at IS NOT NULL, 3,
        checked_in_at IS NOT NULL, 2,
        booked_at IS NOT NULL OR cancelled_at IS NOT NULL OR no_show_at IS NOT NULL, 1,
        0
    ) AS reached,
    [booked_at, checked_in_at, arrived_at, checked_out_at, NULL] AS milestones
SELECT
    step,
    ['booked', 'checked_in', 'in_stay', 'completed', 'post_travel'][step] AS stage,
    countIf(reached >= step) AS journeys,
    round(100 * journeys / countIf(reached >= 1), 1) AS of_booked,
    if(step = 1, NULL, round(100 * journeys / countIf(reached >= step - 1), 1)) AS of_previous,
    countIf(reached = step AND status IN ('cancelled', 'no_show')) AS lost,
    round(quantileExactInclusiveOrNull(0.5)(
        dateDiff('minute', if(step = 1, NULL, milestones[step - 1]), milestones[step]) / 1440), 1) AS median_days
FROM journeys
ARRAY JOIN [1, 2, 3, 4, 5] AS step
WHERE kind = 'booking'
    AND started_at >= {since:DateTime64(3,'UTC')} AND started_at < {until:DateTime64(3,'UTC')}
GROUP BY step
ORDER BY step
