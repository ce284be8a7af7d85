-- Customer Effort Score
--
-- How easy it was, 1 to 7, high is easy: the mean of all answers.
--
-- Margin of error at 95 %: 1.96 x s / sqrt(n), s being the sample's standard deviation; null for a single answer.
--
-- columns:
--   segment          Value of what is grouped by; 'all' without grouping; empty where it is not known
--   n                Answers
--   ces              Mean answer, 1 to 7
--   margin           Margin of error at 95 %
--   easy             Share of answers of 5 and more, per cent
-- parameters:
--   by String = all                                       What to group by: all, day, month, channel, unit, country, medium, touchpoint, language
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First moment counted
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First moment no longer counted
SELECT
    multiIf(
        {by:String} = 'all', 'all',
        {by:String} = 'day', toString(toDate(occurred_at)),
        {by:String} = 'month', formatDateTime(occurred_at, '%Y-%m'),
        {by:String} = 'channel', toString(channel),
        {by:String} = 'unit', ifNull(toString(unit), ''),
        {by:String} = 'country', ifNull(toString(country), ''),
        {by:String} = 'medium', toString(medium),
        {by:String} = 'touchpoint', toString(touchpoint),
        {by:String} = 'language', ifNull(toString(language), ''),
        toString(throwIf(1, 'by is one of: all, day, month, channel, unit, country, medium, touchpoint, language'))
    ) AS segment,
    count() AS n,
    round(avg(survey.score), 2) AS ces,
    if(n > 1, round(1.96 * stddevSamp(survey.score) / sqrt(n), 2), NULL) AS margin,
    round(100 * countIf(survey.score >= 5) / n, 1) AS easy
FROM interactions
WHERE survey.instrument = 'ces' AND occurred_at >= {since:DateTime64(3,'UTC')} AND occurred_at < {until:DateTime64(3,'UTC')}
GROUP BY segment
ORDER BY segment
