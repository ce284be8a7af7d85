-- Referral
--
-- Who recommends us, by profile: advocates are expected to, and those who have not yet are worth asking.
--
-- Margin of error at 95 %: 1.96 x 100 x sqrt(s (1 - s) / customers) for the share s.
--
-- columns:
--   profile          negative, non_committal or advocate, at the customer's last event
--   customers        Customers
--   referrers        Customers who recommended us at least once
--   referrals        Recommendations (touchpoint post_travel.referral_made)
--   share            Share of the customers who did, per cent
--   margin           Margin of error at 95 %, in points; null where all did alike
--   not_yet          Customers who completed a journey and have not
-- parameters:
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First recommendation counted
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First recommendation no longer counted
SELECT
    c.profile AS profile,
    count() AS customers,
    countIf(r.referrals > 0) AS referrers,
    sum(r.referrals) AS referrals,
    round(100 * referrers / customers, 1) AS share,
    round(196 * sqrt(nullIf((referrers / customers) * (1 - referrers / customers), 0) / customers), 1) AS margin,
    countIf(t.completed > 0 AND r.referrals = 0) AS not_yet
FROM customers AS c
LEFT ANY JOIN
(
    SELECT i.customer_id AS customer_id, count() AS referrals
    FROM interactions AS i
    WHERE i.touchpoint = 'post_travel.referral_made' AND i.occurred_at >= {since:DateTime64(3,'UTC')} AND i.occurred_at < {until:DateTime64(3,'UTC')}
    GROUP BY customer_id
) AS r ON r.customer_id = c.customer_id
LEFT ANY JOIN
(
    SELECT customer_id, countIf({held} = 'completed') AS completed FROM journeys GROUP BY customer_id
) AS t ON t.customer_id = c.customer_id
GROUP BY profile
ORDER BY indexOf(['negative', 'non_committal', 'advocate'], profile)
