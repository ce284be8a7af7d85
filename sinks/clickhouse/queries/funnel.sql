-- Funnel of booking journeys
--
-- How many journeys get from one stage to the next, and where they are lost. A journey has reached a stage when it has
-- its milestone or that of a later stage (not every source reports every milestone). What comes after a cancellation or a
-- no-show does not count, unless the journey was confirmed again after that. Something heard of the customer after the
-- trip is no milestone: it says nothing of a trip that was not completed. With the parameter steps it is that of chosen
-- steps: the query funnel_steps. Held to a unit, a country ..., journeys count of
-- which an interaction fits.
--
-- columns:
--   step             1 booked, 2 checked_in, 3 in_stay, 4 completed, 5 post_travel
--   stage            Stage; booked: also where all that is known is the cancellation or no-show; post_travel: completed,
--                    and something was heard of the customer on the channel post_travel
--   journeys         Journeys that reached it
--   of_booked        Share of those that were booked, per cent
--   of_previous      Share of those that reached the stage before, per cent
--   lost             Journeys that reached this stage, and none after it, and stand cancelled or not shown up for; one that
--                    is reported so after the guest had come is not lost
--   open             Journeys that reached this stage, and none after it, and may still go on: they are neither cancelled nor not
--                    shown up for, and the model has not ended the stage by the clock (view journeys_now)
--   median_days      Median days since the milestone of the stage before, where both are known and count, in this order
-- parameters:
--   {clocks}
--   {filters}
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First start of a journey that counts
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First start of a journey that counts no longer
WITH
    -- Milestones after an ending count if it was undone by a later confirmation. At the same moment, the ending is first.
    arrayMin(arrayMap(ended -> if(ended IS NULL OR ifNull(booked_at > ended, false), toDateTime64('2200-01-01', 3, 'UTC'),
        assumeNotNull(ended)), [cancelled_at, no_show_at])) AS ended_at,
    arrayMap(at -> if(at < ended_at, at, NULL), [checked_in_at, arrived_at, checked_out_at]) AS later,
    arrayConcat([booked_at], later, [NULL]) AS milestones,
    multiIf(
        later[3] IS NOT NULL, if(post_travel_interactions > 0, 5, 4),
        later[2] IS NOT NULL, 3,
        later[1] IS NOT NULL, 2,
        coalesce(booked_at, cancelled_at, no_show_at, checked_in_at, arrived_at, checked_out_at) IS NOT NULL, 1,
        0
    ) AS reached,
    if(step = 1, NULL, dateDiff('millisecond', milestones[step - 1], milestones[step]) / 86400000) AS days
SELECT
    step,
    ['booked', 'checked_in', 'in_stay', 'completed', 'post_travel'][step] AS stage,
    countIf(reached >= step) AS journeys,
    round(100 * journeys / nullIf(countIf(reached >= 1), 0), 1) AS of_booked,
    if(step = 1, NULL, round(100 * journeys / nullIf(countIf(reached >= step - 1), 0), 1)) AS of_previous,
    countIf(reached = step AND held IN ('cancelled', 'no_show')) AS lost,
    countIf(reached = step AND held NOT IN ('cancelled', 'no_show') AND (ends_at IS NULL OR ends_at > now64(3)) AND held != 'completed') AS open,
    round(quantileExactInclusiveOrNullIf(0.5)(days, days >= 0), 1) AS median_days
FROM journeys_now
ARRAY JOIN [1, 2, 3, 4, 5] AS step
WHERE kind = 'booking'
    AND started_at >= {since:DateTime64(3,'UTC')} AND started_at < {until:DateTime64(3,'UTC')}
    AND ({unfiltered} OR journey_id IN
    (
        SELECT assumeNotNull(i.journey_id)
        FROM interactions AS i
        {filter_joins}
        WHERE NOT {unfiltered} AND i.journey_id IS NOT NULL AND {fits}
    ))
GROUP BY step
ORDER BY step
