-- Value at risk
--
-- What the customers who are negative now have spent, by currency: the business that goes when they go. Refunds count
-- negative; customers without any money on record in a currency are not among its customers.
--
-- columns:
--   currency         ISO 4217
--   customers        Customers who are negative and have spent in that currency
--   spend_minor      What they have spent, in minor units (cents)
--   of_all           Of what all customers have spent in that currency, per cent; null where that is nothing
--   open_cases       Cases of theirs that are not resolved
SELECT
    s.currency AS currency,
    countIf(c.profile = 'negative') AS customers,
    sumIf(s.amount, c.profile = 'negative') AS spend_minor,
    round(100 * spend_minor / nullIf(sum(s.amount), 0), 1) AS of_all,
    sumIf(c.open_cases, c.profile = 'negative') AS open_cases
FROM
(
    SELECT customer_id, toString(money.1) AS currency, sum(money.2) AS amount
    FROM journeys
    ARRAY JOIN CAST(spend, 'Array(Tuple(String, Int64))') AS money
    GROUP BY customer_id, currency
) AS s
INNER JOIN (SELECT customer_id, profile, open_cases FROM customers) AS c ON c.customer_id = s.customer_id
GROUP BY currency
HAVING customers > 0
ORDER BY currency
