-- Segments
--
-- How many customers belong to each segment of the model, and what they are like; or who they are.
--
-- columns:
--   segment        Name of the segment
--   customer_id    Who belongs to it; empty: all of them
--   customers      How many
--   negative       Of them, with the profile negative
--   open_cases     Their cases that are open
--   since          Time of the last event that brought somebody in
-- parameters:
--   segment String =          Only this one; empty: all
--   list UInt8 = 0            1: a row for each customer
--   limit UInt32 = 100        Most rows
SELECT
    toString(s.segment) AS segment,
    if({list:UInt8} = 1, s.customer_id, '') AS customer_id,
    count() AS customers,
    countIf(c.profile = 'negative') AS negative,
    sum(c.open_cases) AS open_cases,
    max(s.occurred_at) AS since
FROM segments AS s
LEFT ANY JOIN (SELECT customer_id, toString(profile) AS profile, open_cases FROM customers) AS c ON c.customer_id = s.customer_id
WHERE {segment:String} = '' OR s.segment = {segment:String}
GROUP BY segment, customer_id
ORDER BY segment, customer_id
LIMIT {limit:UInt32}
