-- Late answers, and prayer
--
-- How long cases waited for their first answer, and whether they waited for prayer alone: the times in which the people of
-- the unit prayed (view prayer_windows: half an hour from each prayer, an hour on Friday noon) do not count against them.
-- An answer is late when it took longer than `hours`, and late for prayer alone when it did not without those times.
--
-- columns:
--   segment          Value of what is grouped by; empty where it is not known
--   answered         Cases answered
--   hours            Median hours from opening to the first answer
--   without_prayer   Median hours without the times of prayer, of those for which they are known; null: of none
--   late             Answers that took longer than the parameter hours
--   for_prayer       Of these, late for prayer alone
--   not_known        Of the late ones, those of which nobody can say: the unit has no coordinates, or it took over 31 days
-- parameters:
--   by String = unit                                      What to group by: all, unit
--   hours Float64 = 1                                     Longest time that is not late
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First opening counted
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First opening no longer counted
SELECT
    multiIf(
        {by:String} = 'all', 'all',
        {by:String} = 'unit', ifNull(toString(attributed_unit), ''),
        toString(throwIf(1, 'by is one of: all, unit'))) AS segment,
    count() AS answered,
    round(quantileExactInclusive(0.5)(response_seconds) / 3600, 2) AS hours,
    round(quantileExactInclusiveOrNullIf(0.5)(response_seconds - ifNull(prayer_seconds, 0), prayer_seconds IS NOT NULL) / 3600, 2) AS without_prayer,
    countIf(response_seconds > 3600 * {hours:Float64}) AS late,
    countIf(response_seconds > 3600 * {hours:Float64} AND response_seconds - prayer_seconds <= 3600 * {hours:Float64}) AS for_prayer,
    countIf(response_seconds > 3600 * {hours:Float64} AND prayer_seconds IS NULL) AS not_known
FROM case_response
WHERE opened_at >= {since:DateTime64(3,'UTC')} AND opened_at < {until:DateTime64(3,'UTC')}
GROUP BY segment
ORDER BY late DESC, segment
