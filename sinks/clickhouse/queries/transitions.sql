-- Transition matrix of the profiles
--
-- How many customers moved from one profile to another, as observed when their events came in, and the share of each way
-- out of a profile. Everybody begins as non-committal.
--
-- columns:
--   from_profile     Profile before the move
--   to_profile       Profile after it
--   moves            Moves
--   customers        Different customers among them
--   share            Of all moves out of from_profile, per cent
--   score            Mean 30-day sentiment just after the move
-- parameters:
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First moment counted
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First moment no longer counted
SELECT
    m.from_profile AS from_profile,
    m.to_profile AS to_profile,
    count() AS moves,
    uniqExact(m.customer_id) AS customers,
    round(100 * moves / sum(moves) OVER (PARTITION BY from_profile), 1) AS share,
    round(avg(m.score), 3) AS score
FROM moves AS m
WHERE m.occurred_at >= {since:DateTime64(3,'UTC')} AND m.occurred_at < {until:DateTime64(3,'UTC')}
GROUP BY from_profile, to_profile
ORDER BY
    indexOf(['negative', 'non_committal', 'advocate'], from_profile),
    indexOf(['negative', 'non_committal', 'advocate'], to_profile)
