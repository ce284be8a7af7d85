-- Retention and repeat bookings
--
-- Who comes back. A customer's first booking opens the time in which to book again; the next booking counts by when its
-- journey started. Journeys that stand cancelled, before the guest came, do not count, neither as the first nor as the next one, and journeys that
-- start within some hours of the one before are one booking with it: who cancels and books again, or books two rooms, has
-- not come back. Only customers whose time is over by the latest event stored can be judged (mature): the others may
-- still come back, and would make the rate look worse than it is.
--
-- Margin of error at 95 %: 1.96 x 100 x sqrt(r (1 - r) / mature) for the share r.
--
-- columns:
--   cohort           Month of the first booking, or 'all'
--   customers        Customers with a booking that is not cancelled
--   bookings         Their bookings so far that are not cancelled; what was booked at once is one
--   mature           Customers who have had the whole time since the last event of their first booking (of all its journeys)
--   repeated         Of these, those who booked again within it
--   repeat_rate      Share of the mature ones, per cent
--   margin           Margin of error at 95 %, in points; null where all did alike
--   median_days      Median days from the start of the first booking to that of the second, of all who have one
-- parameters:
--   by String = all                     all, or month for the month of the first booking
--   {clocks}
--   within_days UInt32 = 180            The time in which to book again, from the last event of the first booking
--   apart_hours UInt32 = 24             Starts less than this after the start before belong to one booking
WITH
    (SELECT max(last_event_at) FROM journeys) AS now_at,
    first_end + toIntervalDay({within_days:UInt32}) AS due_at
SELECT
    multiIf({by:String} = 'all', 'all', {by:String} = 'month', formatDateTime(trips[1].1, '%Y-%m', {zone}),
        toString(throwIf(1, 'by is one of: all, month'))) AS cohort,
    count() AS customers,
    sum(length(trips)) AS bookings,
    countIf(due_at <= now_at) AS mature,
    countIf(due_at <= now_at AND length(trips) > 1 AND trips[2].1 <= due_at) AS repeated,
    round(100 * repeated / nullIf(mature, 0), 1) AS repeat_rate,
    round(196 * sqrt(nullIf((repeated / nullIf(mature, 0)) * (1 - repeated / nullIf(mature, 0)), 0) / nullIf(mature, 0)), 1) AS margin,
    round(quantileExactInclusiveOrNullIf(0.5)(dateDiff('millisecond', trips[1].1, trips[2].1) / 86400000, length(trips) > 1), 1) AS median_days
FROM
(
    SELECT
        customer_id,
        arraySort(groupArray((started_at, journey_id, last_event_at))) AS journeys_all,
        -- A booking begins with each journey that starts long enough after the one before.
        arraySplit((trip, before) -> trip.1 >= before.1 + toIntervalHour({apart_hours:UInt32}),
            journeys_all, arrayPushFront(arrayPopBack(journeys_all), journeys_all[1])) AS bookings_all,
        arrayMap(booking -> (booking[1].1, arrayMax(arrayMap(trip -> trip.3, booking))), bookings_all) AS trips,
        trips[1].2 AS first_end,
        trips[1].1 AS first_start,
        bookings_all[1][1].2 AS first_journey
    FROM journeys
    WHERE kind = 'booking' AND (booked_at IS NOT NULL OR arrived_at IS NOT NULL) AND {held} != 'cancelled'
    GROUP BY customer_id
) AS f
LEFT ANY JOIN
    (SELECT journey_id, attributed_unit FROM journeys_attributed WHERE {by:String} = 'month' AND {clock_joined}) AS w
    ON w.journey_id = f.first_journey
LEFT ASOF JOIN (SELECT unit, valid_from, timezone FROM unit_places WHERE {by:String} = 'month' AND {clock_joined}) AS u
    ON u.unit = ifNull(toString(w.attributed_unit), '') AND u.valid_from <= f.first_start
GROUP BY cohort
ORDER BY cohort
