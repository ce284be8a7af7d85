-- The three profiles
--
-- How many customers are negative, non-committal and advocates, and what was kept of their money: the money of the negative ones is
-- what is at risk. Profiles are those at each customer's last event; as_of=now lets opinions fade from there to the server's
-- clock (view customers_now), so that who was angry two years ago and never heard of again is not negative now.
--
-- columns:
--   profile          negative (30-day sentiment at or below -0.25), advocate (at or above 0.25), non_committal
--   customers        Customers
--   share            Of all customers, per cent
--   sentiment_30d    As of the same moment, mean 30-day sentiment of those that have one
--   evidence         Mean effective sample size of the 30-day sentiment at the last event
--   interactions     Interactions of all of them
--   open_cases       Cases not resolved
--   spend            What was kept of their money (view customer_spend), by currency, in major units
-- parameters:
--   as_of String = last_event        last_event, or now by the server's clock
SELECT
    multiIf(
        {as_of:String} = 'last_event', toString(c.profile),
        {as_of:String} = 'now', toString(n.profile_now),
        toString(throwIf(1, 'as_of is one of: last_event, now'))) AS profile,
    count() AS customers,
    round(100 * customers / sum(customers) OVER (), 1) AS share,
    round(avg(if({as_of:String} = 'now', n.sentiment_now, c.sentiment_30d)), 3) AS sentiment_30d,
    round(avg(c.evidence), 2) AS evidence,
    sum(c.interactions) AS interactions,
    sum(c.open_cases) AS open_cases,
    sumMap(s.spend) AS spend
FROM customers AS c
LEFT ANY JOIN customer_spend AS s
    ON s.customer_id = c.customer_id
LEFT ANY JOIN (SELECT customer_id, profile_now, sentiment_now FROM customers_now WHERE {as_of:String} = 'now') AS n
    ON n.customer_id = c.customer_id
GROUP BY profile
ORDER BY indexOf(['negative', 'non_committal', 'advocate'], profile)
