-- Rolling sentiment
--
-- How customers feel lately: the scores of all interactions up to a moment, each weighted by its source and by its age.
-- A score's weight w halves every half-life, a = w x exp(-age / tau) with tau = half-life / ln 2, and
--
--   sentiment = sum(a x score) / (sum(a) + 1)        evidence = sum(a)^2 / sum(a^2)
--
-- as for customers: the 1 is a prior of one full answer at 0, so that a single event does not decide. Interactions that
-- express nothing do not count.
--
-- Margin of error at 95 %, of the weighted mean: 1.96 x sqrt(sum(a^2 (score - mean)^2)) / sum(a), mean = sum(a x score) /
-- sum(a); null where all scores are alike.
--
-- columns:
--   segment          Value of what is grouped by; empty where it is not known
--   scores           Interactions with a score
--   sentiment        Rolling sentiment, -1 to 1
--   evidence         Effective sample size
--   mean             Weighted mean without the prior
--   margin           Margin of error of that mean at 95 %
--   last_at          Latest score
-- samples:
--   scores           sentiment, evidence, mean, margin
-- parameters:
--   by String = touchpoint             What to group by: {segments}
--   {clocks}
--   {filters}
--   at String =                        The moment, ISO 8601, UTC; empty: that of the latest interaction
--   half_life_days Float64 = 30        Half-life, days
--   minimum UInt32 = 1                 Fewest scores
WITH
    if({at:String} = '',
        (SELECT max(occurred_at) FROM interactions WHERE score IS NOT NULL),
        parseDateTime64BestEffort(if({at:String} = '', '2000-01-01', {at:String}), 3, 'UTC')) AS moment,
    assumeNotNull(i.score_weight) * exp2(-dateDiff('millisecond', i.occurred_at, moment) / 86400000 / {half_life_days:Float64}) AS a,
    assumeNotNull(i.score) AS x
SELECT
    {segment} AS segment,
    count() AS scores,
    round(sum(a * x) / (sum(a) + 1), 3) AS sentiment,
    round(pow(sum(a), 2) / nullIf(sum(a * a), 0), 2) AS evidence,
    round(sum(a * x) / nullIf(sum(a), 0), 3) AS mean,
    if(min(x) < max(x), round(1.96 * sqrt(greatest(0,
        sum(a * a * x * x) - 2 * (sum(a * x) / sum(a)) * sum(a * a * x) + pow(sum(a * x) / sum(a), 2) * sum(a * a)
    )) / nullIf(sum(a), 0), 3), NULL) AS margin,
    max(i.occurred_at) AS last_at
FROM interactions AS i
{segment_joins}
WHERE i.score IS NOT NULL AND i.score_weight > 0 AND i.occurred_at <= moment AND {fits}
GROUP BY segment
HAVING scores >= {minimum:UInt32}
ORDER BY segment
