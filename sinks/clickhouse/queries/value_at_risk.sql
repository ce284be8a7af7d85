-- Value at risk
--
-- What was kept of the money of the customers who are negative, by currency: the business that goes when they go. Customers
-- without any money kept, or charged, in a currency are not among its customers. Who is negative is as of each
-- customer's last event; as_of=now lets opinions fade from there to the server's clock (view customers_now).
--
-- columns:
--   currency         ISO 4217
--   customers        Customers who are negative and whose money in that currency is kept
--   spend            What was kept of their money, in major units
--   of_all           Of what was kept of all customers' money in that currency, per cent; null where that is nothing
--   open_cases       Cases of theirs that are not resolved
-- parameters:
--   as_of String = last_event        last_event, or now by the server's clock
SELECT
    s.currency AS currency,
    countIf(c.negative) AS customers,
    sumIf(s.amount, c.negative) AS spend,
    round(100 * toFloat64(spend) / nullIf(toFloat64(sum(s.amount)), 0), 1) AS of_all,
    sumIf(c.open_cases, c.negative) AS open_cases
FROM
(
    SELECT customer_id, money.1 AS currency, money.2 AS amount
    FROM customer_spend
    ARRAY JOIN CAST(spend, 'Array(Tuple(String, Decimal(38, 4)))') AS money
    WHERE money.2 != 0
) AS s
INNER JOIN
(
    SELECT
        c.customer_id AS customer_id,
        c.open_cases AS open_cases,
        multiIf(
            {as_of:String} = 'last_event', toString(c.profile),
            {as_of:String} = 'now', toString(n.profile_now),
            toString(throwIf(1, 'as_of is one of: last_event, now'))) = 'negative' AS negative
    FROM (SELECT customer_id, open_cases, profile FROM customers) AS c
    LEFT ANY JOIN (SELECT customer_id, profile_now FROM customers_now WHERE {as_of:String} = 'now') AS n
        ON n.customer_id = c.customer_id
) AS c ON c.customer_id = s.customer_id
GROUP BY currency
HAVING customers > 0
ORDER BY currency
