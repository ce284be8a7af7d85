-- Deliveries by target: what was told, what waits, what is dead
--
-- How each target does. `rihla replay deliveries` sends the dead ones again.
--
-- columns:
--   target      Name of the target in the routes
--   status      waiting, retrying, delivered or dead
--   deliveries  How many versions of alerts, cases and moves
--   attempts    How often they were sent, together
--   p99_s       Of delivered ones: seconds from the topic to the target that 99 of 100 do not exceed
--   oldest      When the oldest of them was in its topic
--   last_error  Why the latest failure of them failed
-- parameters:
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First change counted
SELECT
    target,
    status,
    count() AS deliveries,
    sum(attempts) AS attempts,
    if(
        status = 'delivered',
        quantileExact(0.99)(dateDiff('millisecond', published_at, changed_at)) / 1000,
        NULL
    ) AS p99_s,
    min(published_at) AS oldest,
    argMaxIf(error, changed_at, error IS NOT NULL) AS last_error
FROM deliveries
WHERE changed_at >= {since:DateTime64(3,'UTC')}
GROUP BY target, status
ORDER BY target, status
