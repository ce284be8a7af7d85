-- Dead letters, by topic and reason
--
-- What could not be used, and why: the place to look before a replay.
--
-- columns:
--   topic            Topic or file that the records came from
--   reason           Why they were refused
--   letters          How many
--   first_failed_at  When the first was refused
--   last_failed_at   When the last was refused
--   example          Detail of the last one
-- parameters:
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First refusal counted
SELECT
    topic,
    reason,
    count() AS letters,
    min(failed_at) AS first_failed_at,
    max(failed_at) AS last_failed_at,
    argMax(detail, (failed_at, partition, offset)) AS example
FROM dead_letters
WHERE failed_at >= {since:DateTime64(3,'UTC')}
GROUP BY topic, reason
ORDER BY letters DESC, topic, reason
