-- Net flow between the profiles, by week
--
-- How many customers came to each profile and left it: whether advocates are gained or lost, week by week.
--
-- columns:
--   week             Monday of the week
--   moves            Moves of that week
--   negative         Customers gained by the negative profile, less those lost
--   non_committal    The same of the non-committal
--   advocate         The same of the advocates
-- parameters:
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First moment counted
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First moment no longer counted
SELECT
    toMonday(occurred_at) AS week,
    count() AS moves,
    toInt64(countIf(to_profile = 'negative')) - toInt64(countIf(from_profile = 'negative')) AS negative,
    toInt64(countIf(to_profile = 'non_committal')) - toInt64(countIf(from_profile = 'non_committal')) AS non_committal,
    toInt64(countIf(to_profile = 'advocate')) - toInt64(countIf(from_profile = 'advocate')) AS advocate
FROM moves
WHERE occurred_at >= {since:DateTime64(3,'UTC')} AND occurred_at < {until:DateTime64(3,'UTC')}
GROUP BY week
ORDER BY week
