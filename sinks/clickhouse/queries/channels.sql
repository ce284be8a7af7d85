-- Channel consistency
--
-- The same company, different channels: how far sentiment, effort and waiting differ. A channel far from the others is
-- where the experience breaks.
--
-- columns:
--   channel          booking, check_in, stay or post_travel
--   medium           How the customer was met, when grouped by medium; else 'all'
--   interactions     Interactions
--   customers        Customers who used it
--   sentiment        Mean score, -1 to 1
--   gap              Its distance from the mean score of all interactions
--   negative_share   Share of the scored interactions whose score is below 0
--   effort           Mean effort answer (CES), 1 to 7, high is easy
--   wait_seconds     Median time waited, where it was measured
-- parameters:
--   by String = channel                                   channel, or medium for each medium of a channel
--   {clocks}
--   {filters}
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First moment counted
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First moment no longer counted
SELECT
    channel,
    if({by:String} = 'medium', toString(i.medium), 'all') AS medium,
    count() AS interactions,
    uniqExact(i.customer_id) AS customers,
    round(avg(score), 3) AS sentiment,
    round(avg(score) - sum(sum(score)) OVER () / sum(count(score)) OVER (), 3) AS gap,
    round(countIf(score < 0) / nullIf(count(score), 0), 4) AS negative_share,
    round(avgIf(survey.score, survey.instrument = 'ces'), 2) AS effort,
    quantileExactInclusiveOrNull(0.5)(wait_seconds) AS wait_seconds
FROM interactions AS i
{filter_joins}
WHERE i.occurred_at >= {since:DateTime64(3,'UTC')} AND i.occurred_at < {until:DateTime64(3,'UTC')} AND {fits}
GROUP BY channel, medium
ORDER BY indexOf(['booking', 'check_in', 'stay', 'post_travel'], channel), medium
