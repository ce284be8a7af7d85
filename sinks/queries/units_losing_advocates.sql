-- Units that lose advocates
--
-- Which unit loses most advocates, why, and what it costs: the moves away from advocate, by the unit of the event that
-- moved the customer. A customer who is an advocate again counts as lost here, but not as cost.
--
-- columns:
--   unit             Property, flight or desk; empty where it is not known
--   lost             Moves away from advocate
--   customers        Customers who moved
--   still_lost       Of these, customers who are no advocates now
--   causes           The most frequent touchpoints that did it, at most three, each with its count
--   cost_minor       What those still lost have spent so far, by currency, in minor units (cents): the business at stake
-- parameters:
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First moment counted
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First moment no longer counted
--   limit UInt32 = 20                                     Most rows
WITH
    losses AS
    (
        SELECT customer_id, ifNull(toString(unit), '') AS unit, toString(touchpoint) AS touchpoint
        FROM moves
        WHERE from_profile = 'advocate'
            AND occurred_at >= {since:DateTime64(3,'UTC')} AND occurred_at < {until:DateTime64(3,'UTC')}
    ),
    reasons AS
    (
        SELECT unit, arraySlice(arraySort(x -> (-x.2, x.1), groupArray((touchpoint, n))), 1, 3) AS causes
        FROM (SELECT unit, touchpoint, count() AS n FROM losses GROUP BY unit, touchpoint)
        GROUP BY unit
    ),
    people AS
    (
        SELECT l.unit AS unit, l.customer_id AS customer_id, l.n AS n, c.profile != 'advocate' AS gone, s.spend AS spend
        FROM (SELECT unit, customer_id, count() AS n FROM losses GROUP BY unit, customer_id) AS l
        LEFT ANY JOIN (SELECT customer_id, profile FROM customers) AS c ON c.customer_id = l.customer_id
        LEFT ANY JOIN (SELECT customer_id, sumMap(spend) AS spend FROM journeys GROUP BY customer_id) AS s
            ON s.customer_id = l.customer_id
    )
SELECT
    p.unit AS unit,
    sum(p.n) AS lost,
    count() AS customers,
    countIf(p.gone) AS still_lost,
    any(r.causes) AS causes,
    sumMapIf(p.spend, p.gone) AS cost_minor
FROM people AS p
LEFT ANY JOIN reasons AS r ON r.unit = p.unit
GROUP BY unit
ORDER BY lost DESC, unit
LIMIT {limit:UInt32}
