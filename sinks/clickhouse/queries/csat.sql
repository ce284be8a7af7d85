-- Customer satisfaction
--
-- Share of satisfied answers: 4 and 5 on the scale of 1 to 5.
--
-- Margin of error at 95 %: 1.96 x 100 x sqrt(c (1 - c) / n) for the share c (normal approximation of the binomial).
--
-- columns:
--   segment          Value of what is grouped by; 'all' without grouping; empty where it is not known
--   n                Answers
--   satisfied        Answers of 4 and 5
--   csat             Share of satisfied answers, per cent
--   margin           Margin of error at 95 %, in points; null where all answers are alike: the formula would claim certainty
--   mean             Mean answer, 1 to 5
-- parameters:
--   by String = all                                       What to group by: {segments}
--   {clocks}
--   {filters}
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First moment counted
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First moment no longer counted
SELECT
    {segment} AS segment,
    count() AS n,
    countIf(i.survey.score >= 4) AS satisfied,
    round(100 * satisfied / n, 1) AS csat,
    round(196 * sqrt(nullIf((satisfied / n) * (1 - satisfied / n), 0) / n), 1) AS margin,
    round(avg(i.survey.score), 2) AS mean
FROM interactions AS i
{segment_joins}
WHERE i.survey.instrument = 'csat' AND i.occurred_at >= {since:DateTime64(3,'UTC')} AND i.occurred_at < {until:DateTime64(3,'UTC')} AND {fits}
GROUP BY segment
ORDER BY segment
