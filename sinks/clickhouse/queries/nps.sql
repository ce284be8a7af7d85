-- Net Promoter Score
--
-- How likely customers are to recommend us: 100 x (promoters - detractors) / answers. Promoters answered 9 or 10,
-- detractors 0 to 6. Every answer counts once, also several of one customer, unless answers or weight say otherwise.
--
-- Margin of error at 95 %: an answer is worth +1, 0 or -1, its variance is p + d - (p - d)^2 with the shares p of promoters
-- and d of detractors, so the margin is 1.96 x 100 x sqrt(variance / n) (normal approximation; Rocks, "Interval estimation
-- for the Net Promoter Score", The American Statistician 70(4), 2016). It claims too much of few answers; low and high, the
-- adjusted Wald interval of the same article, do not: 3/4 promoters, 3/2 passives and 3/4 detractors are added.
--
-- columns:
--   segment          Value of what is grouped by; 'all' without grouping; empty where it is not known
--   n                Answers
--   promoters        Answers of 9 and 10
--   passives         Answers of 7 and 8
--   detractors       Answers of 0 to 6
--   nps              Net Promoter Score, -100 to 100
--   margin           Margin of error at 95 %, in points: the true value lies within nps - margin and nps + margin; null where all answers are alike: the formula would claim certainty
--   low              Lower end of the 95 % interval, for few answers and such that are alike, too
--   high             Upper end
--   effective        Effective sample size on which the intervals rest: n where all answers weigh alike
-- samples:
--   n                promoters, passives, detractors, nps, margin, low, high, effective
-- compared:
--   nps              segment
-- parameters:
--   by String = all                                       What to group by: {segments}
--   {answers}
--   {clocks}
--   {filters}
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First moment counted
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First moment no longer counted
WITH
    sum(c.w * c.ups / c.m) / sum(c.w) AS p,
    sum(c.w * c.downs / c.m) / sum(c.w) AS d,
    {effective} AS answers_in_effect,
    {net:p:d:answers_in_effect} AS bounds
SELECT
    segment,
    sum(c.m) AS n,
    sum(c.ups) AS promoters,
    n - promoters - detractors AS passives,
    sum(c.downs) AS detractors,
    round(100 * (p - d), 1) AS nps,
    round(196 * sqrt(nullIf(greatest(0, p + d - pow(p - d, 2)), 0) / answers_in_effect), 1) AS margin,
    round(100 * bounds.1, 1) AS low,
    round(100 * bounds.2, 1) AS high,
    round(answers_in_effect, 1) AS effective{compared:net:p:d:answers_in_effect}
FROM {cells:nps} AS c
GROUP BY segment
ORDER BY segment
