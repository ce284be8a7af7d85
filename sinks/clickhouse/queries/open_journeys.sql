-- Open journeys
--
-- Where journeys stand that are not over, by what events say and by what holds now: a stay that nobody ended is over by its
-- plan (arrival and nights), or by what the model gives its stage (view journeys_now, docs/model.md).
--
-- columns:
--   status           Where they stand by their latest milestone
--   status_now       What holds now
--   journeys         How many
--   silent_days      Median days since anything was heard of them
--   with_plan        Share of those whose plan is known (arrival and nights), per cent
--   next_end         When the first of them ends by itself; null: none does
-- parameters:
--   kind String = booking         booking, visit, or empty for both
--   unknown UInt8 = 0             1: only those whose end the model had to assume
SELECT
    status,
    status_now,
    count() AS journeys,
    round(median(dateDiff('second', last_event_at, now64(3))) / 86400, 1) AS silent_days,
    round(100 * countIf(planned_departure IS NOT NULL) / count(), 1) AS with_plan,
    minIf(ends_at, ends_at > now64(3)) AS next_end
FROM journeys_now
WHERE status IN ('exploring', 'booked', 'checked_in', 'in_stay')
    AND ({kind:String} = '' OR kind = {kind:String}) AND ({unknown:UInt8} = 0 OR assumed)
GROUP BY status, status_now
ORDER BY journeys DESC, status, status_now
