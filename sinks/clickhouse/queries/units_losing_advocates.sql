-- Units that lose advocates
--
-- Which unit loses most advocates, why, and what it costs: the moves away from advocate, by the unit of the event that
-- moved the customer. Lost counts those in which that event was felt to be bad or indifferent (a score of 0 or less); where
-- it expressed nothing, or something good, the old opinion had faded with time, which is counted apart and is no unit's
-- doing. A customer who is an advocate again, at the last event, counts as lost here, but not as cost.
--
-- columns:
--   unit             Property, flight or desk; empty where it is not known
--   lost             Moves away from advocate, by what was felt there
--   customers        Customers who made them
--   still_lost       Of these, customers who are no advocates at their last event
--   faded            Moves away from advocate at an event of the unit that is not their cause
--   causes           The most frequent touchpoints that did it, at most three, each with its count
--   aspects          What these were about, where it was felt to be bad, at most three, each with its count
--   cost             What was kept of the money of those still lost, by currency, in major units: the business at stake
-- parameters:
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First moment counted
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First moment no longer counted
--   limit UInt32 = 20                                     Most rows
SELECT
    p.unit AS unit,
    sum(p.n) AS lost,
    countIf(p.n > 0) AS customers,
    countIf(p.gone) AS still_lost,
    sum(p.faded) AS faded,
    arraySlice(arraySort(x -> (-x.2, x.1), CAST(sumMap(p.did), 'Array(Tuple(String, UInt64))')), 1, 3) AS causes,
    arraySlice(arraySort(x -> (-x.2, x.1), CAST(sumMap(p.about), 'Array(Tuple(String, UInt64))')), 1, 3) AS aspects,
    sumMapIf(p.spend, p.gone) AS cost
FROM
(
    SELECT
        l.unit AS unit, l.n AS n, l.faded AS faded, l.did AS did, l.about AS about,
        l.n > 0 AND c.profile != 'advocate' AS gone, s.spend AS spend
    FROM
    (
        -- Of each customer all that is asked for, so that moves and interactions are read once.
        SELECT
            unit, customer_id, countIf(felt) AS n, countIf(NOT felt) AS faded,
            sumMapIf(map(touchpoint, 1), felt) AS did, sumMapIf(mapFromArrays(bad, arrayMap(x -> 1, bad)), felt) AS about
        FROM
        (
            SELECT
                m.customer_id AS customer_id, ifNull(toString(m.attributed_unit), '') AS unit, toString(m.touchpoint) AS touchpoint,
                ifNull(e.score <= 0, 0) AS felt, e.bad AS bad
            FROM moves_attributed AS m
            LEFT ANY JOIN
            (
                SELECT event_id, score, arrayDistinct(arrayMap(a -> toString(a.aspect), arrayFilter(a -> ifNull(a.score < 0, 0), aspects))) AS bad
                FROM interactions
                WHERE event_id IN (SELECT event_id FROM moves WHERE from_profile = 'advocate')
            ) AS e ON e.event_id = m.event_id
            WHERE m.from_profile = 'advocate'
                AND m.occurred_at >= {since:DateTime64(3,'UTC')} AND m.occurred_at < {until:DateTime64(3,'UTC')}
        )
        GROUP BY unit, customer_id
    ) AS l
    LEFT ANY JOIN (SELECT customer_id, profile FROM customers) AS c ON c.customer_id = l.customer_id
    LEFT ANY JOIN customer_spend AS s ON s.customer_id = l.customer_id
) AS p
GROUP BY unit
ORDER BY lost DESC, faded DESC, unit
LIMIT {limit:UInt32}
