-- The three profiles
--
-- How many customers are negative, non-committal and advocates, and what they spend: the money of the negative ones is
-- what is at risk.
--
-- columns:
--   profile          negative (30-day sentiment at or below -0.25), advocate (at or above 0.25), non_committal
--   customers        Customers
--   share            Of all customers, per cent
--   sentiment_30d    Mean 30-day sentiment of those that have one
--   evidence         Mean effective sample size of that sentiment
--   interactions     Interactions of all of them
--   open_cases       Cases not resolved
--   spend            Sum of their journeys' money, by currency, in minor units (cents)
SELECT
    c.profile AS profile,
    count() AS customers,
    round(100 * customers / sum(customers) OVER (), 1) AS share,
    round(avg(c.sentiment_30d), 3) AS sentiment_30d,
    round(avg(c.evidence), 2) AS evidence,
    sum(c.interactions) AS interactions,
    sum(c.open_cases) AS open_cases,
    sumMap(s.spend) AS spend
FROM customers AS c
LEFT ANY JOIN (SELECT customer_id, sumMap(spend) AS spend FROM journeys GROUP BY customer_id) AS s
    ON s.customer_id = c.customer_id
GROUP BY profile
ORDER BY indexOf(['negative', 'non_committal', 'advocate'], profile)
