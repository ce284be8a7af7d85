-- Net Promoter Score
--
-- How likely customers are to recommend us: 100 x (promoters - detractors) / answers. Promoters answered 9 or 10,
-- detractors 0 to 6. Every answer counts once, also several of one customer.
--
-- Margin of error at 95 %: an answer is worth +1, 0 or -1, its variance is p + d - (p - d)^2 with the shares p of promoters
-- and d of detractors, so the margin is 1.96 x 100 x sqrt(variance / n) (normal approximation; Rocks, "Interval estimation
-- for the Net Promoter Score", The American Statistician 70(4), 2016). Small samples deserve little trust: see n.
--
-- columns:
--   segment          Value of what is grouped by; 'all' without grouping; empty where it is not known
--   n                Answers
--   promoters        Answers of 9 and 10
--   passives         Answers of 7 and 8
--   detractors       Answers of 0 to 6
--   nps              Net Promoter Score, -100 to 100
--   margin           Margin of error at 95 %, in points: the true value lies within nps - margin and nps + margin; null where all answers are alike: the formula would claim certainty
-- parameters:
--   by String = all                                       What to group by: {segments}
--   {clocks}
--   {filters}
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First moment counted
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First moment no longer counted
SELECT
    {segment} AS segment,
    count() AS n,
    countIf(i.survey.score >= 9) AS promoters,
    countIf(i.survey.score > 6 AND i.survey.score < 9) AS passives,
    countIf(i.survey.score <= 6) AS detractors,
    round(100 * (promoters - detractors) / n, 1) AS nps,
    round(196 * sqrt(nullIf((promoters + detractors) / n - pow((promoters - detractors) / n, 2), 0) / n), 1) AS margin
FROM interactions AS i
{segment_joins}
WHERE i.survey.instrument = 'nps' AND i.occurred_at >= {since:DateTime64(3,'UTC')} AND i.occurred_at < {until:DateTime64(3,'UTC')} AND {fits}
GROUP BY segment
ORDER BY segment
