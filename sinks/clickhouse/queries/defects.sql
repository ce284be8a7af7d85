-- Defects per thousand journeys
--
-- How often something goes wrong, aspect by aspect: a journey has a defect in an aspect when it was spoken of, or something
-- happened to it, with a score below 0, be it once or ten times. Per thousand journeys that met the unit, desk or member of
-- staff at all.
--
-- low and high bound the true rate at 95 % (Wilson's interval of a share, good for rare events and small samples: Wilson,
-- "Probable inference, the law of succession, and statistical inference", JASA 22, 1927).
--
-- columns:
--   aspect           What went wrong
--   segment          Value of what is grouped by; 'all' without grouping; empty where it is not known
--   journeys         Journeys with an interaction there
--   defects          Of these, journeys with the defect there
--   per_thousand     1000 x defects / journeys
--   low              Lower bound of it at 95 %
--   high             Upper bound of it at 95 %
-- parameters:
--   by String = all                                       What to group by (unit, agent ...): {segments}
--   {clocks}
--   {filters}
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First moment counted
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First moment no longer counted
--   minimum UInt32 = 1                                    Fewest journeys
WITH 3.8416 AS zz, defects / journeys AS p
SELECT
    aspect,
    segment,
    journeys,
    defects,
    round(1000 * p, 1) AS per_thousand,
    round(1000 * greatest(0, p + zz / (2 * journeys) - sqrt(zz * (p * (1 - p) + zz / (4 * journeys)) / journeys)) / (1 + zz / journeys), 1) AS low,
    round(1000 * (p + zz / (2 * journeys) + sqrt(zz * (p * (1 - p) + zz / (4 * journeys)) / journeys)) / (1 + zz / journeys), 1) AS high
FROM
(
    SELECT
        segment,
        count() AS journeys,
        sumMap(CAST((bad, arrayMap(one -> 1, bad)), 'Map(String, UInt64)')) AS by_aspect
    FROM
    (
        SELECT
            {segment} AS segment,
            i.journey_id AS journey,
            groupUniqArrayArray(arrayMap(a -> toString(a.aspect), arrayFilter(a -> ifNull(a.score < 0, false), i.aspects))) AS bad
        FROM interactions AS i
        {segment_joins}
        WHERE i.journey_id IS NOT NULL AND i.occurred_at >= {since:DateTime64(3,'UTC')} AND i.occurred_at < {until:DateTime64(3,'UTC')} AND {fits}
        GROUP BY segment, journey
    )
    GROUP BY segment
)
ARRAY JOIN mapKeys(by_aspect) AS aspect, mapValues(by_aspect) AS defects
WHERE journeys >= {minimum:UInt32}
ORDER BY per_thousand DESC, defects DESC, aspect, segment
