-- Attribution of conversions
--
-- What led to bookings, or to whatever the goal is: each conversion is shared among the customer's touches in the days before
-- it, by five rules side by side. Every rule gives one conversion in all, so each column sums to the conversions. Touches are
-- interactions; the goal itself, surveys and reviews are none. A touch may share in several conversions.
--
--   first       all to the first touch
--   last        all to the last one
--   linear      the same to each
--   time_decay  to each by its age: half as much for every half-life before the conversion
--   position    40 % to the first, 40 % to the last, the rest among those between; of two, half to each
--
-- columns:
--   segment          Value of what is grouped by, of the touch; (none): nothing was heard in the days before
--   touches          Touches; 0 for (none)
--   conversions      Conversions that they share in
--   first            Conversions by the first touch
--   last             Conversions by the last touch
--   linear           Conversions in equal shares
--   time_decay       Conversions by age
--   position         Conversions by position
-- parameters:
--   by String = channel                                   What conversions are attributed to: campaign, touchpoint ... of: {segments}
--   goal String = booking.confirmed                       The conversion: touchpoints, * for anything, | between
--   touches String = *                                    What counts as a touch, in the same way
--   within_days Float64 = 30                              Days before the conversion
--   half_life_days Float64 = 7                            Half-life of time_decay, days
--   {clocks}
--   {filters}
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First moment at which a conversion counts
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First moment at which it counts no longer
SELECT
    share.1 AS segment,
    countIf(share.2 > 0) AS touches,
    uniqExact(f.goal) AS conversions,
    round(sum(if(share.2 <= 1, 1, 0)), 3) AS first,
    round(sum(if(share.2 = f.touched, 1, 0)), 3) AS last,
    round(sum(1 / greatest(f.touched, 1)), 3) AS linear,
    round(sum(if(share.2 = 0, 1, share.3 / f.weight)), 3) AS time_decay,
    round(sum(multiIf(
        f.touched <= 1, 1,
        f.touched = 2, 0.5,
        share.2 IN (1, f.touched), 0.4,
        0.2 / (f.touched - 2))), 3) AS position
FROM
(
    SELECT
        won.2 AS goal,
        arrayFilter(touch -> (touch.1, touch.2) < (won.1, won.2)
            AND dateDiff('millisecond', touch.1, won.1) <= {within_days:Float64} * 86400000, all_touches) AS found,
        length(found) AS touched,
        arrayMap(touch -> exp2(-dateDiff('millisecond', touch.1, won.1) / 86400000 / {half_life_days:Float64}), found) AS weights,
        arraySum(weights) AS weight,
        if(empty(found), [('(none)', toUInt32(0), toFloat64(1))],
            arrayMap((touch, at, own) -> (touch.3, at, own), found, arrayEnumerate(found), weights)) AS shares
    FROM
    (
        SELECT
            arraySort(groupArrayIf((e.at, e.event_id, e.segment), NOT e.is_goal)) AS all_touches,
            groupArrayIf((e.at, e.event_id), e.is_goal AND e.counts) AS goals
        FROM
        (
            SELECT
                i.customer_id AS customer_id,
                {segment} AS segment,
                i.occurred_at AS at,
                i.event_id AS event_id,
                arrayExists(pattern -> toString(i.touchpoint) LIKE pattern,
                    splitByChar('|', replaceAll(replaceAll({goal:String}, '_', '\\_'), '*', '%'))) AS is_goal,
                {fits} AND i.occurred_at >= {since:DateTime64(3,'UTC')} AS counts
            FROM interactions AS i
            {segment_joins}
            WHERE i.occurred_at >= greatest({since:DateTime64(3,'UTC')}, toDateTime64('1971-01-01', 3, 'UTC')) - toIntervalSecond({within_days:Float64} * 86400)
                AND i.occurred_at < {until:DateTime64(3,'UTC')}
                AND (is_goal OR (NOT {is_survey} AND arrayExists(pattern -> toString(i.touchpoint) LIKE pattern,
                    splitByChar('|', replaceAll(replaceAll({touches:String}, '_', '\\_'), '*', '%')))))
        ) AS e
        GROUP BY e.customer_id
        HAVING notEmpty(goals)
    )
    ARRAY JOIN goals AS won
) AS f
ARRAY JOIN f.shares AS share
GROUP BY segment
ORDER BY linear DESC, segment
