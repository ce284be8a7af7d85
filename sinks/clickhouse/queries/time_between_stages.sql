-- Time between stages
--
-- How long booking journeys take from one milestone to a later one: half of them at most the median, nine of ten at most p90.
--
-- columns:
--   from_stage       Earlier milestone
--   to_stage         Later milestone
--   journeys         Journeys that have both, in this order
--   median_days      Median, days
--   p90_days         90th percentile, days
--   backwards        Journeys that have both in the other order (booked again after a cancellation, say): not counted
-- parameters:
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First start of a journey that counts
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First start of a journey that counts no longer
WITH dateDiff('millisecond', step.3, step.4) / 86400000 AS days
SELECT
    step.1 AS from_stage,
    step.2 AS to_stage,
    countIf(days >= 0) AS journeys,
    round(quantileExactInclusiveOrNullIf(0.5)(days, days >= 0), 2) AS median_days,
    round(quantileExactInclusiveOrNullIf(0.9)(days, days >= 0), 2) AS p90_days,
    countIf(days < 0) AS backwards
FROM journeys
ARRAY JOIN [
    ('booked', 'cancelled', booked_at, cancelled_at),
    ('booked', 'no_show', booked_at, no_show_at),
    ('booked', 'checked_in', booked_at, checked_in_at),
    ('checked_in', 'in_stay', checked_in_at, arrived_at),
    ('booked', 'in_stay', booked_at, arrived_at),
    ('in_stay', 'completed', arrived_at, checked_out_at),
    ('booked', 'completed', booked_at, checked_out_at)
] AS step
WHERE kind = 'booking' AND step.3 IS NOT NULL AND step.4 IS NOT NULL
    AND started_at >= {since:DateTime64(3,'UTC')} AND started_at < {until:DateTime64(3,'UTC')}
GROUP BY from_stage, to_stage
ORDER BY indexOf(['booked', 'checked_in', 'in_stay'], from_stage),
    indexOf(['cancelled', 'no_show', 'checked_in', 'in_stay', 'completed'], to_stage)
