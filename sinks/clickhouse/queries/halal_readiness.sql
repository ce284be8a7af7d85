-- Halal readiness
--
-- How well a unit meets the needs of Muslim travellers that CrescentRating publishes (Faith-Based Service Needs 2.0, 2019), as
-- its guests experienced it. Evidence is a mention of an aspect with a score, a meal of Ramadan in time or not by the
-- times of prayer at the unit, and, for what must not happen, each guest of the unit without a report of it. Evidence loses half of its
-- weight in `half_life` days. This is what guests say, no audit: what nobody speaks of has no evidence, and shows none.
--
-- columns:
--   unit         Where it was, attributed where the event does not say
--   need         halal_food, prayer, washrooms, ramadan, no_islamophobia, social_causes, local_experiences, no_non_halal, privacy
--   importance   need, good or nice to have, by the same source
--   evidence     Weight of the evidence now
--   experiences  Pieces of evidence
--   guests       Customers whom they are of
--   against      Pieces that speak against the unit
--   share        Mean of the share that is well: (1 + good) / (2 + evidence), that of a Beta distribution with a flat prior
--   low          Its lower bound at 90 %: 1.645 standard deviations below
--   high         Its upper bound
--   last_at      Latest piece of evidence
-- parameters:
--   unit String =                                         One unit alone; empty: all
--   half_life Float64 = 180                               Days in which evidence loses half of its weight
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First moment counted
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First moment no longer counted, and from which age is counted, now at most
WITH least({until:DateTime64(3,'UTC')}, now64(3, 'UTC')) AS today
SELECT
    units.unit AS unit,
    need,
    multiIf(need IN ('halal_food', 'prayer', 'no_islamophobia'), 'need',
        need IN ('washrooms', 'ramadan', 'social_causes', 'local_experiences'), 'good', 'nice') AS importance,
    round(known.good + known.bad, 2) AS evidence,
    known.pieces AS experiences,
    known.customers AS guests,
    known.contrary AS against,
    if(known.pieces = 0, NULL, round((1 + known.good) / (2 + known.good + known.bad), 3)) AS share,
    if(known.pieces = 0, NULL, round(greatest(0., assumeNotNull(share) - 1.645 * deviation), 3)) AS low,
    if(known.pieces = 0, NULL, round(least(1., assumeNotNull(share) + 1.645 * deviation), 3)) AS high,
    if(known.pieces = 0, NULL, known.latest) AS last_at
FROM
(
    SELECT DISTINCT attributed_unit AS unit,
        arrayJoin(['halal_food', 'prayer', 'washrooms', 'ramadan', 'no_islamophobia', 'social_causes', 'local_experiences',
            'no_non_halal', 'privacy']) AS need
    FROM interactions_attributed
    WHERE channel = 'stay' AND attributed_unit IS NOT NULL AND ({unit:String} = '' OR attributed_unit = {unit:String})
        AND occurred_at >= {since:DateTime64(3,'UTC')} AND occurred_at < {until:DateTime64(3,'UTC')}
) AS units
LEFT JOIN
(
    SELECT unit, need, sum(weight * well) AS good, sum(weight * (1 - well)) AS bad, count() AS pieces,
        uniqExact(customer_id) AS customers, countIf(well < 0.5) AS contrary, max(at) AS latest,
        sqrt((1 + good) * (1 + bad) / (pow(2 + good + bad, 2) * (3 + good + bad))) AS deviation
    FROM
    (
        SELECT unit, need, customer_id, at, well, exp2(-dateDiff('second', at, today) / (86400 * {half_life:Float64})) AS weight
        FROM
        (
            SELECT attributed_unit AS unit, customer_id, occurred_at AS at, (1 + assumeNotNull(mention.score)) / 2 AS well,
                multiIf(touchpoint IN ('stay.wudu_facility_used', 'stay.wudu_facility_unusable'), 'washrooms',
                    mention.aspect = 'halal_food', 'halal_food', mention.aspect = 'prayer', 'prayer',
                    mention.aspect = 'ziyarah', 'local_experiences', '') AS need
            FROM (SELECT *, arrayJoin(aspects) AS mention FROM interactions_attributed WHERE notEmpty(aspects))
            WHERE mention.score IS NOT NULL AND touchpoint NOT IN ('stay.suhoor_served', 'stay.iftar_served')
            UNION ALL
            SELECT attributed_unit, customer_id, occurred_at, toFloat64(ramadan_meal != 'fast'), 'ramadan'
            FROM interactions_local
            WHERE touchpoint IN ('stay.suhoor_served', 'stay.iftar_served') AND ramadan_meal IN ('suhoor', 'iftar', 'fast')
            UNION ALL
            SELECT attributed_unit, customer_id, max(occurred_at), toFloat64(countIf(touchpoint = 'stay.privacy_breach') = 0), 'privacy'
            FROM interactions_attributed
            WHERE channel = 'stay'
                AND occurred_at >= {since:DateTime64(3,'UTC')} AND occurred_at < {until:DateTime64(3,'UTC')}
            GROUP BY attributed_unit, customer_id
            UNION ALL
            SELECT i.attributed_unit, i.customer_id, max(i.occurred_at),
                toFloat64((i.attributed_unit, i.customer_id) NOT IN (SELECT attributed_unit, customer_id FROM alerts_attributed
                    WHERE rule = 'harassment' AND attributed_unit IS NOT NULL
                        AND occurred_at >= {since:DateTime64(3,'UTC')} AND occurred_at < {until:DateTime64(3,'UTC')})),
                'no_islamophobia'
            FROM interactions_attributed AS i
            WHERE i.channel = 'stay'
                AND i.occurred_at >= {since:DateTime64(3,'UTC')} AND i.occurred_at < {until:DateTime64(3,'UTC')}
            GROUP BY i.attributed_unit, i.customer_id
        )
        WHERE need != '' AND unit IS NOT NULL
            AND at >= {since:DateTime64(3,'UTC')} AND at < {until:DateTime64(3,'UTC')}
    )
    GROUP BY unit, need
) AS known ON known.unit = units.unit AND known.need = units.need
ORDER BY unit, indexOf(['halal_food', 'prayer', 'no_islamophobia', 'washrooms', 'ramadan', 'social_causes', 'local_experiences',
    'no_non_halal', 'privacy'], need)
SETTINGS join_use_nulls = 0
