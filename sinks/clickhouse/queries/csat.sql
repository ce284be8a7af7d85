-- Customer satisfaction
--
-- Share of satisfied answers: 4 and 5 on the scale of 1 to 5. Every answer counts once, unless answers or weight say
-- otherwise.
--
-- Margin of error at 95 %: 1.96 x 100 x sqrt(c (1 - c) / n) for the share c (normal approximation of the binomial). It
-- claims too much of few answers; low and high do not: Wilson's score interval (Journal of the American Statistical
-- Association 22, 1927).
--
-- columns:
--   segment          Value of what is grouped by; 'all' without grouping; empty where it is not known
--   n                Answers
--   satisfied        Answers of 4 and 5
--   csat             Share of satisfied answers, per cent
--   margin           Margin of error at 95 %, in points; null where all answers are alike: the formula would claim certainty
--   mean             Mean answer, 1 to 5
--   low              Lower end of the 95 % interval, for few answers and such that are alike, too
--   high             Upper end
--   effective        Effective sample size on which the intervals rest: n where all answers weigh alike
-- samples:
--   n                satisfied, csat, margin, mean, low, high, effective
-- compared:
--   csat             segment
-- parameters:
--   by String = all                                       What to group by: {segments}
--   {answers}
--   {clocks}
--   {filters}
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First moment counted
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First moment no longer counted
WITH
    sum(c.w * c.ups / c.m) / sum(c.w) AS share,
    {effective} AS answers_in_effect,
    {wilson:share:answers_in_effect} AS bounds
SELECT
    segment,
    sum(c.m) AS n,
    sum(c.ups) AS satisfied,
    round(100 * share, 1) AS csat,
    round(196 * sqrt(nullIf(greatest(0, share * (1 - share)), 0) / answers_in_effect), 1) AS margin,
    round(sum(c.w * c.s1 / c.m) / sum(c.w), 2) AS mean,
    round(100 * bounds.1, 1) AS low,
    round(100 * bounds.2, 1) AS high,
    round(answers_in_effect, 1) AS effective{compared:share:share:answers_in_effect}
FROM {cells:csat} AS c
GROUP BY segment
ORDER BY segment
