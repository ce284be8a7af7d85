-- Customer Effort Score
--
-- How easy it was, 1 to 7, high is easy: the mean of all answers, each counted once unless answers or weight say otherwise.
--
-- Margin of error at 95 %: 1.96 x s / sqrt(n), s being the sample's standard deviation, n the effective sample size; null where all answers are alike: the
-- formula would claim certainty.
--
-- columns:
--   segment          Value of what is grouped by; 'all' without grouping; empty where it is not known
--   n                Answers
--   ces              Mean answer, 1 to 7
--   margin           Margin of error at 95 %
--   easy             Share of answers of 5 and more, per cent
--   deviation        Standard deviation of the answers, of a sample; null for one answer
--   effective        Effective sample size on which the margin rests: n where all answers weigh alike
-- samples:
--   n                ces, margin, easy, deviation, effective
-- compared:
--   ces              segment
-- parameters:
--   by String = all                                       What to group by: {segments}
--   {answers}
--   {clocks}
--   {filters}
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First moment counted
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First moment no longer counted
WITH
    sum(c.w * c.s1 / c.m) / sum(c.w) AS mean,
    {effective} AS answers_in_effect,
    -- Weighted variance with the correction for a sample of that size.
    greatest(0, sum(c.w * c.s2 / c.m) / sum(c.w) - mean * mean) * answers_in_effect / nullIf(greatest(answers_in_effect - 1, 0), 0) AS variance
SELECT
    segment,
    sum(c.m) AS n,
    round(mean, 2) AS ces,
    round(1.96 * sqrt(nullIf(round(variance, 9), 0) / answers_in_effect), 2) AS margin,
    round(100 * sum(c.w * c.ups / c.m) / sum(c.w), 1) AS easy,
    round(sqrt(variance), 4) AS deviation,
    round(answers_in_effect, 1) AS effective{compared:mean:mean:variance:answers_in_effect}
FROM {cells:ces} AS c
GROUP BY segment
ORDER BY segment
