-- Staff and units
--
-- How customers feel about whom they met, for training and recognition. Small samples deserve little trust: the adjusted
-- score pulls the mean of n scores towards that of everybody, as if prior more answers had been given there (empirical
-- Bayes, in its simplest form), and nobody is singled out whose margin of error reaches the mean of everybody.
--
-- A score says how the customer felt, not whose fault it was: who answers complaints meets unhappy people. And of a
-- hundred alike, about five fall outside of their margin by chance: look twice before acting on one.
--
-- columns:
--   who              Member of staff or unit
--   interactions     Interactions
--   customers        Customers met
--   scores           Interactions with a score: the sample
--   sentiment        Mean score, -1 to 1
--   margin           Margin of error of it at 95 %: 1.96 x s / sqrt(scores); null where all are alike
--   adjusted         (sum of scores + prior x mean of everybody) / (scores + prior)
--   negative_share   Share of the scores below 0
--   compliments      Compliments
--   complaints       Complaints, breaches of halal and of privacy
--   advice           recognise (mean above everybody's by more than the margin), train (below it by more than the margin),
--                    typical, or too_few scores
-- parameters:
--   by String = agent                                     agent, or unit for properties, flights and desks
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First moment counted
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First moment no longer counted
--   minimum UInt32 = 10                                   Fewest scores for any advice
--   prior Float64 = 10                                    How many answers the mean of everybody weighs
WITH sum(sum(i.score)) OVER () / sum(count(i.score)) OVER () AS everybody
SELECT
    multiIf(
        {by:String} = 'agent', arrayJoin(if({by:String} = 'agent', {attributed_agents}, [''])),
        {by:String} = 'unit', {attributed_unit},
        toString(throwIf(1, 'by is one of: agent, unit'))
    ) AS who,
    count() AS interactions,
    uniqExact(i.customer_id) AS customers,
    count(i.score) AS scores,
    round(avg(i.score), 3) AS sentiment,
    if(min(i.score) < max(i.score), round(1.96 * stddevSamp(i.score) / sqrt(scores), 3), NULL) AS margin,
    round((ifNull(sum(i.score), 0) + {prior:Float64} * everybody) / (scores + {prior:Float64}), 3) AS adjusted,
    round(countIf(i.score < 0) / nullIf(scores, 0), 4) AS negative_share,
    countIf(endsWith(i.touchpoint, '.compliment_made') OR i.touchpoint = 'stay.crew_helped') AS compliments,
    countIf(endsWith(i.touchpoint, '.complaint_made') OR endsWith(i.touchpoint, '_breach')) AS complaints,
    multiIf(
        scores < greatest({minimum:UInt32}, 2), 'too_few',
        avg(i.score) - 1.96 * stddevSamp(i.score) / sqrt(scores) > everybody, 'recognise',
        avg(i.score) + 1.96 * stddevSamp(i.score) / sqrt(scores) < everybody, 'train',
        'typical'
    ) AS advice
FROM interactions AS i
{attributed_by}
WHERE if({by:String} = 'unit', {attributed_unit} != '', notEmpty({attributed_agents}))
    AND i.occurred_at >= {since:DateTime64(3,'UTC')} AND i.occurred_at < {until:DateTime64(3,'UTC')}
GROUP BY who
ORDER BY adjusted DESC, who
