-- Aspects
--
-- What customers speak of, and how they feel about it: each mention of an aspect in a text or by what happened. A mention
-- without a score says nothing of how it was, and counts in the volume only.
--
-- columns:
--   aspect           halal_food, prayer, cleanliness, staff, waiting, room, wifi, baggage, delay, price ...
--   segment          Value of what is grouped by; 'all' without grouping; empty where it is not known
--   volume           Mentions
--   customers        Customers who made them
--   scored           Mentions with a score
--   score            Mean score, -1 to 1
--   margin           Margin of error of the mean at 95 %: 1.96 x s / sqrt(scored); null where all are alike
--   negative_share   Share of the scored mentions whose score is below 0
-- samples:
--   scored           score, margin, negative_share
-- compared:
--   score            aspect, segment
-- parameters:
--   by String = all                                       What to group by as well: {segments}
--   {clocks}
--   {filters}
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First moment counted
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First moment no longer counted
--   minimum UInt32 = 1                                    Fewest mentions
SELECT
    mention.aspect AS aspect,
    {segment} AS segment,
    count() AS volume,
    uniqExact(i.customer_id) AS customers,
    count(mention.score) AS scored,
    round(avg(mention.score), 3) AS score,
    if(min(mention.score) < max(mention.score), round(1.96 * stddevSamp(mention.score) / sqrt(scored), 3), NULL) AS margin,
    round(countIf(mention.score < 0) / nullIf(scored, 0), 4) AS negative_share{compared:mean:avg(mention.score):varSamp(mention.score):count(mention.score)}
FROM (SELECT *, arrayJoin(aspects) AS mention FROM interactions WHERE notEmpty(aspects)) AS i
{segment_joins}
WHERE i.occurred_at >= {since:DateTime64(3,'UTC')} AND i.occurred_at < {until:DateTime64(3,'UTC')} AND {fits}
GROUP BY aspect, segment
HAVING volume >= {minimum:UInt32}
ORDER BY volume DESC, aspect, segment
