-- What the churn model looks at
--
-- Customers who may come back or not, as they were at a moment: their last journey ended at most the horizon ago, none is
-- under way or coming, and they have not booked again. Everything is counted from events up to the moment; only returned_at
-- looks beyond it, to judge by. (Who is who is as known today.)
--
-- A journey begins with its first booking.confirmed, check_in.completed or stay.arrived. It has ended with stay.checked_out,
-- booking.cancelled or check_in.no_show, or, where that is never told, 30 days after the last event of a guest who came.
--
-- columns:
--   customer_id         Who
--   ended_at            End of the last journey
--   returned_at         Beginning of the next journey, after the moment; null: none so far
--   days_since_end      Days from there to the moment
--   trips               Journeys so far
--   booked_share        Share of them that the customer booked himself
--   lost_share          Share of them that were cancelled or not shown up for
--   sentiment           Rolling sentiment at the moment, half-life 90 days
--   trend               Mean score of the last 90 days less that of the time before, each with one answer of 0 more
--   bad_moments         Interactions of the last 180 days with a score below -0.25
--   complaints          Complaints not resolved: complaints made less complaints resolved, at least 0
--   contacts            Interactions of the last 90 days
-- parameters:
--   at DateTime64(3,'UTC') = 2200-01-01 00:00:00       The moment
--   horizon_days UInt32 = 180                          Within how many days of the end one has to return
WITH
    {at:DateTime64(3,'UTC')} AS moment,
    arrayFilter(trip -> trip.1 <= moment, trips_all) AS begun,
    arrayMap(trip -> trip.1, arrayFilter(trip -> trip.1 > moment, trips_all)) AS next
SELECT
    customer_id,
    arrayMax(arrayMap(trip -> trip.2, begun)) AS ended_at,
    if(empty(next), NULL, arrayMin(next)) AS returned_at,
    dateDiff('second', ended_at, moment) / 86400 AS days_since_end,
    length(begun) AS trips,
    arraySum(trip -> trip.3, begun) / trips AS booked_share,
    arraySum(trip -> trip.4, begun) / trips AS lost_share,
    s90 / (w90 + 1) AS sentiment,
    late_sum / (late_count + 1) - (score_sum - late_sum) / (score_count - late_count + 1) AS trend,
    bad AS bad_moments,
    greatest(0, made - resolved) AS complaints,
    recent AS contacts
FROM
(
    SELECT
        customer_id,
        groupArrayIf((begins, ends, booked, lost), ref != '' AND begins > toDateTime64(0, 3, 'UTC')) AS trips_all,
        sum(w) AS w90, sum(s) AS s90, sum(scores) AS score_count, sum(total) AS score_sum, sum(late) AS late_count,
        sum(late_total) AS late_sum, sum(bads) AS bad, sum(mades) AS made, sum(resolveds) AS resolved, sum(recents) AS recent
    FROM
    (
        WITH
            i.occurred_at <= {at:DateTime64(3,'UTC')} AS known,
            i.score IS NOT NULL AND known AS scored,
            ifNull(i.score_weight, 0) * exp2(-dateDiff('second', i.occurred_at, {at:DateTime64(3,'UTC')}) / 86400 / 90) AS a,
            i.occurred_at > {at:DateTime64(3,'UTC')} - INTERVAL 90 DAY AS in_90
        SELECT
            i.customer_id AS customer_id,
            ifNull(i.booking_ref, '') AS ref,
            minIf(i.occurred_at, i.touchpoint IN ('booking.confirmed', 'check_in.completed', 'stay.arrived')) AS begins,
            maxIf(i.occurred_at, known AND i.touchpoint IN ('stay.checked_out', 'booking.cancelled', 'check_in.no_show')) AS told_end,
            maxIf(i.occurred_at, known) AS last_at,
            countIf(known AND i.touchpoint IN ('check_in.completed', 'stay.arrived')) > 0 AS came,
            multiIf(
                told_end > toDateTime64(0, 3, 'UTC'), told_end,
                came AND last_at < {at:DateTime64(3,'UTC')} - INTERVAL 30 DAY, last_at,
                toDateTime64('2200-01-01', 3, 'UTC')) AS ends,
            countIf(known AND i.touchpoint = 'booking.confirmed') > 0 AS booked,
            countIf(known AND i.touchpoint IN ('booking.cancelled', 'check_in.no_show')) > 0 AS lost,
            sumIf(a, scored) AS w,
            sumIf(a * ifNull(i.score, 0), scored) AS s,
            countIf(scored) AS scores,
            sumIf(ifNull(i.score, 0), scored) AS total,
            countIf(scored AND in_90) AS late,
            sumIf(ifNull(i.score, 0), scored AND in_90) AS late_total,
            countIf(scored AND i.score < -0.25 AND i.occurred_at > {at:DateTime64(3,'UTC')} - INTERVAL 180 DAY) AS bads,
            countIf(known AND (endsWith(i.touchpoint, '.complaint_made') OR endsWith(i.touchpoint, '.complaint_reopened'))) AS mades,
            countIf(known AND endsWith(i.touchpoint, '.complaint_resolved')) AS resolveds,
            countIf(known AND in_90) AS recents
        FROM interactions AS i
        GROUP BY customer_id, ref
    )
    GROUP BY customer_id
)
WHERE notEmpty(begun) AND ended_at <= moment AND ended_at > moment - toIntervalDay({horizon_days:UInt32})
ORDER BY customer_id
