-- Seasons of the Hijri calendar
--
-- Ramadan, Hajj, the peaks of Umrah, and the rest of the year, or each Hijri month or day, by when things happened, on the
-- clock of the unit (view hijri; definitions in docs/metrics.md).
--
-- columns:
--   season           ramadan, hajj, umrah_peak or none, or the Hijri month or day; empty outside of the calendar (before 2000, after 2077-11-16)
--   days             Days on which anything happened
--   interactions     Interactions
--   customers        Customers
--   bookings         Bookings confirmed
--   sentiment        Mean score, -1 to 1
--   negative_share   Share of the interactions with a score whose score is below 0
--   nps              Net Promoter Score of the answers given then
--   nps_n            Such answers
--   csat             Share of satisfied answers (4 and 5), per cent
--   csat_n           Such answers
--   ces              Mean effort answer, 1 to 7, high is easy
--   ces_n            Such answers
--   complaints       Interactions that are complaints
--   complaints_rate  Per thousand interactions
-- parameters:
--   by String = season                                    What to group by: season, hijri_month, hijri_day
--   {clocks}
--   {filters}
--   year UInt16 = 0                                       Hijri year; 0: all
SELECT
    multiIf({by:String} IN ('season', 'hijri_month', 'hijri_day'), {segment},
        toString(throwIf(1, 'by is one of: season, hijri_month, hijri_day'))) AS season,
    uniqExact(formatDateTime(i.occurred_at, '%Y-%m-%d', {zone})) AS days,
    count() AS interactions,
    uniqExact(i.customer_id) AS customers,
    countIf(i.touchpoint = 'booking.confirmed') AS bookings,
    round(avg(i.score), 3) AS sentiment,
    round(countIf(i.score < 0) / nullIf(count(i.score), 0), 4) AS negative_share,
    round(100 * (countIf(i.survey.instrument = 'nps' AND i.survey.score >= 9) - countIf(i.survey.instrument = 'nps' AND i.survey.score <= 6)) / nullIf(nps_n, 0), 1) AS nps,
    countIf(i.survey.instrument = 'nps') AS nps_n,
    round(100 * countIf(i.survey.instrument = 'csat' AND i.survey.score >= 4) / nullIf(csat_n, 0), 1) AS csat,
    countIf(i.survey.instrument = 'csat') AS csat_n,
    round(avgIf(i.survey.score, i.survey.instrument = 'ces'), 2) AS ces,
    countIf(i.survey.instrument = 'ces') AS ces_n,
    countIf(endsWith(i.touchpoint, '.complaint_made')) AS complaints,
    round(1000 * complaints / interactions, 2) AS complaints_rate
FROM interactions AS i
{segment_joins}
WHERE ({year:UInt16} = 0 OR h.hijri_year = {year:UInt16}) AND {fits}
GROUP BY season
ORDER BY indexOf(['ramadan', 'hajj', 'umrah_peak', 'none'], season), season
