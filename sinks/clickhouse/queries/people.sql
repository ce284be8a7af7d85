-- Who is behind a figure
--
-- The customers whose interactions a figure counts, those who felt worst first: by answer, aspect, mood, profile, and by all
-- that the figures can be held to.
--
-- columns:
--   customer_id      Who
--   interactions     Interactions that fit
--   score            Mean score of these, -1 to 1
--   answer           Latest answer to the survey asked for; null: none was asked for
--   last_at          Latest interaction that fits
--   profile          Profile of the customer, at their last event
-- parameters:
--   {clocks}
--   {filters}
--   instrument String =                                   Only answers to this survey: nps, csat, ces or stars
--   low Float64 = -1                                      Lowest answer
--   high Float64 = 10                                     Highest answer
--   aspect String =                                       Only those that speak of this aspect, and with its score
--   mood String =                                         negative: only scores below 0; positive: only those above
--   profile String =                                      Only customers who have this profile, at their last event
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First moment counted
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First moment no longer counted
--   limit UInt32 = 100                                    Most rows
WITH
    if({aspect:String} = '', i.score,
        arrayFirstOrNull(one -> one.1 = {aspect:String}, i.aspects).2) AS felt
SELECT
    i.customer_id AS customer_id,
    count() AS interactions,
    round(avg(felt), 3) AS score,
    if({instrument:String} = '', NULL, argMax(i.survey.score, (i.occurred_at, i.event_id))) AS answer,
    max(i.occurred_at) AS last_at,
    any(c.profile) AS profile
FROM interactions AS i
{filter_joins}
LEFT ANY JOIN (SELECT customer_id, toString(profile) AS profile FROM customers) AS c ON c.customer_id = i.customer_id
WHERE i.occurred_at >= {since:DateTime64(3,'UTC')} AND i.occurred_at < {until:DateTime64(3,'UTC')} AND {fits}
    AND ({instrument:String} = '' OR (i.survey.instrument = {instrument:String}
        AND i.survey.score >= {low:Float64} AND i.survey.score <= {high:Float64}))
    AND ({aspect:String} = '' OR arrayExists(one -> one.1 = {aspect:String}, i.aspects))
    AND multiIf(
        {mood:String} = '', 1,
        {mood:String} = 'negative', ifNull(felt < 0, 0),
        {mood:String} = 'positive', ifNull(felt > 0, 0),
        throwIf(1, 'mood is one of: negative, positive'))
    AND ({profile:String} = '' OR c.profile = {profile:String})
GROUP BY customer_id
ORDER BY score IS NULL, score, interactions DESC, customer_id
LIMIT {limit:UInt32}
