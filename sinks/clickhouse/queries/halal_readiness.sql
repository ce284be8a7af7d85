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
WITH
    least({until:DateTime64(3,'UTC')}, now64(3, 'UTC')) AS today,
    ['halal_food', 'prayer', 'no_islamophobia', 'washrooms', 'ramadan', 'social_causes', 'local_experiences', 'no_non_halal',
        'privacy'] AS needs,
    guests AS
    (
        -- One pass over the interactions: of each guest of a unit what they said and their meals, (need, when, how well).
        SELECT
            {attributed_unit} AS its_unit,
            i.customer_id AS customer_id,
            countIf(channel = 'stay') > 0 AS stayed,
            maxIf(occurred_at, channel = 'stay') AS last_stay_at,
            countIf(channel = 'stay' AND touchpoint = 'stay.privacy_breach') > 0 AS breached,
            groupArrayArray(if(touchpoint IN ('stay.suhoor_served', 'stay.iftar_served'), [('ramadan', occurred_at, 0.)],
                arrayFilter(one -> one.1 != '', arrayMap(mention -> (
                    multiIf(mention.score IS NULL, '',
                        touchpoint IN ('stay.wudu_facility_used', 'stay.wudu_facility_unusable'), 'washrooms',
                        mention.aspect = 'halal_food', 'halal_food', mention.aspect = 'prayer', 'prayer',
                        mention.aspect = 'ziyarah', 'local_experiences', ''),
                    occurred_at, (1 + ifNull(mention.score, 0)) / 2), aspects)))) AS said
        FROM interactions AS i
        {attributed_join}
        WHERE its_unit != '' AND ({unit:String} = '' OR its_unit = {unit:String})
            AND occurred_at >= {since:DateTime64(3,'UTC')} AND occurred_at < {until:DateTime64(3,'UTC')}
        GROUP BY its_unit, customer_id
    ),
    pieces AS
    (
        -- And, of whoever stayed, what they did not report.
        SELECT its_unit, customer_id, arrayJoin(arrayConcat(said, if(stayed, [
            ('privacy', last_stay_at, toFloat64(NOT breached)),
            ('no_islamophobia', last_stay_at, toFloat64((its_unit, customer_id) NOT IN
                (SELECT toString(assumeNotNull(attributed_unit)), customer_id FROM alerts_attributed
                WHERE rule = 'harassment' AND attributed_unit IS NOT NULL
                    AND occurred_at >= {since:DateTime64(3,'UTC')} AND occurred_at < {until:DateTime64(3,'UTC')})))
            ], []))) AS piece
        FROM guests
    ),
    -- A meal was well if it was not served while people fast, by the times of prayer there.
    placed AS
    (
        SELECT g.its_unit AS its_unit, g.customer_id AS customer_id, g.piece.1 AS need, g.piece.2 AS at, g.piece.3 AS well,
            u.place AS place
        FROM pieces AS g
        LEFT ASOF JOIN unit_places AS u ON u.unit = if(g.piece.1 = 'ramadan', g.its_unit, '') AND u.valid_from <= g.piece.2
    ),
    weighed AS
    (
        SELECT p.its_unit AS its_unit, p.need AS need, p.customer_id AS customer_id, p.at AS at,
            exp2(-dateDiff('second', p.at, today) / (86400 * {half_life:Float64})) AS weight,
            if(p.need = 'ramadan', toFloat64({ramadan_meal} != 'fast'), p.well) AS well
        FROM placed AS p
        LEFT ASOF JOIN prayer_times AS t ON t.place = p.place AND t.fajr <= p.at
        WHERE p.need != 'ramadan' OR {ramadan_meal} IN ('suhoor', 'iftar', 'fast')
    ),
    judged AS
    (
        SELECT its_unit, need, sum(weight * well) AS good, sum(weight * (1 - well)) AS bad, count() AS pieces,
            uniqExact(customer_id) AS customers, countIf(well < 0.5) AS contrary, max(at) AS latest,
            sqrt((1 + good) * (1 + bad) / (pow(2 + good + bad, 2) * (3 + good + bad))) AS deviation
        FROM weighed
        GROUP BY its_unit, need
    ),
    known_units AS
    (
        -- Those where somebody stayed, of whom it is known what they did not report.
        SELECT its_unit, groupArray(CAST((need, good, bad, pieces, customers, contrary, latest, deviation),
            'Tuple(need String, good Float64, bad Float64, pieces UInt64, customers UInt64, contrary UInt64,
                latest DateTime64(3, \'UTC\'), deviation Float64)')) AS found
        FROM judged
        GROUP BY its_unit
        HAVING countIf(need = 'privacy') > 0
    )
SELECT
    its_unit AS unit,
    need,
    multiIf(need IN ('halal_food', 'prayer', 'no_islamophobia'), 'need',
        need IN ('washrooms', 'ramadan', 'social_causes', 'local_experiences'), 'good', 'nice') AS importance,
    round(known.good + known.bad, 2) AS evidence,
    known.pieces AS experiences,
    known.customers AS guests,
    known.contrary AS against,
    if(known.pieces = 0, NULL, round((1 + known.good) / (2 + known.good + known.bad), 3)) AS share,
    if(known.pieces = 0, NULL, round(greatest(0., assumeNotNull(share) - 1.645 * known.deviation), 3)) AS low,
    if(known.pieces = 0, NULL, round(least(1., assumeNotNull(share) + 1.645 * known.deviation), 3)) AS high,
    if(known.pieces = 0, NULL, known.latest) AS last_at
FROM (SELECT its_unit, arrayJoin(needs) AS need, arrayFirst(one -> one.need = need, found) AS known FROM known_units)
ORDER BY unit, indexOf(needs, need)
SETTINGS join_use_nulls = 0
