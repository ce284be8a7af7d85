-- Customer Effort Score
--
-- How easy it was, 1 to 7, high is easy: the mean of all answers.
--
-- Margin of error at 95 %: 1.96 x s / sqrt(n), s being the sample's standard deviation; null where all answers are alike: the
-- formula would claim certainty.
--
-- columns:
--   segment          Value of what is grouped by; 'all' without grouping; empty where it is not known
--   n                Answers
--   ces              Mean answer, 1 to 7
--   margin           Margin of error at 95 %
--   easy             Share of answers of 5 and more, per cent
-- parameters:
--   by String = all                                       What to group by: {segments}
--   {clocks}
--   {filters}
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First moment counted
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First moment no longer counted
SELECT
    {segment} AS segment,
    count() AS n,
    round(avg(i.survey.score), 2) AS ces,
    if(min(i.survey.score) < max(i.survey.score), round(1.96 * stddevSamp(i.survey.score) / sqrt(n), 2), NULL) AS margin,
    round(100 * countIf(i.survey.score >= 5) / n, 1) AS easy
FROM interactions AS i
{segment_joins}
WHERE i.survey.instrument = 'ces' AND i.occurred_at >= {since:DateTime64(3,'UTC')} AND i.occurred_at < {until:DateTime64(3,'UTC')} AND {fits}
GROUP BY segment
ORDER BY segment
