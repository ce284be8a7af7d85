-- Places
--
-- Where the units are, how much is heard of each and how it feels there: what a map is drawn of. Units that the master
-- (rihla units load) gives no coordinates come with null.
--
-- columns:
--   unit             Its id
--   name             Its name for people
--   brand            Its brand, own or inherited
--   latitude         Degrees, north positive; null: not known
--   longitude        Degrees, east positive; null: not known
--   interactions     Interactions there
--   customers        Customers of these
--   scored           Interactions with a score
--   sentiment        Mean score, -1 to 1
--   margin           Margin of error of the mean at 95 %: 1.96 x s / sqrt(scored); null where all are alike
--   negative_share   Share of the scored interactions whose score is below 0
-- parameters:
--   by String = unit                                      What the places are: unit, or parent for what units are parts of
--   {clocks}
--   {filters}
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First moment counted
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First moment no longer counted
--   limit UInt32 = 500                                    Most rows
SELECT
    e.segment AS unit,
    if(l.name = '', e.segment, l.name) AS name,
    l.brand AS brand,
    l.latitude AS latitude,
    l.longitude AS longitude,
    e.interactions AS interactions,
    e.customers AS customers,
    e.scores AS scored,
    e.sentiment AS sentiment,
    e.margin AS margin,
    e.negative_share AS negative_share
FROM
(
    SELECT
        if({by:String} IN ('unit', 'parent'), {segment}, toString(throwIf(1, 'by is one of: unit, parent'))) AS segment,
        count() AS interactions,
        uniqExact(i.customer_id) AS customers,
        count(i.score) AS scores,
        round(avg(i.score), 3) AS sentiment,
        if(min(i.score) < max(i.score), round(1.96 * stddevSamp(i.score) / sqrt(scores), 3), NULL) AS margin,
        round(countIf(i.score < 0) / nullIf(scores, 0), 4) AS negative_share
    FROM interactions AS i
    {segment_joins}
    WHERE i.occurred_at >= {since:DateTime64(3,'UTC')} AND i.occurred_at < {until:DateTime64(3,'UTC')} AND {fits}
    GROUP BY segment
    HAVING segment != ''
) AS e
LEFT ANY JOIN
(
    SELECT unit, name, brand, latitude, longitude FROM unit_levels
    WHERE valid_from <= now64(3) AND now64(3) < valid_until
) AS l ON l.unit = e.segment
ORDER BY interactions DESC, unit
LIMIT {limit:UInt32}
SETTINGS join_use_nulls = 0
