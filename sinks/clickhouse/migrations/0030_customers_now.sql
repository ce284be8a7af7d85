-- What follows from the clock besides events: a score fades with time, also when nothing happens. The table of customers
-- has it at the last event, here it is carried on to the moment of reading, by the same formula (docs/metrics.md): with a
-- the weight of a score, halved every 30 days, sum(a x score) / (sum(a) + 1). Events later than the clock are not faded.
CREATE OR REPLACE VIEW {database}.customers_now {on_cluster}
(
    customer_id String COMMENT 'Who',
    last_event_at DateTime64(3, 'UTC') COMMENT 'Last event',
    profile LowCardinality(String) COMMENT 'As in customers: at the last event',
    sentiment_30d Nullable(Float64) COMMENT 'As in customers: at the last event',
    profile_now LowCardinality(String) COMMENT 'By the same bounds, -0.25 and 0.25, by sentiment_now',
    sentiment_now Nullable(Float64) COMMENT 'Rolling sentiment, half-life 30 days, now by the server''s clock; null: nothing was expressed'
)
AS
SELECT
    c.customer_id AS customer_id,
    c.last_event_at AS last_event_at,
    c.profile AS profile,
    c.sentiment_30d AS sentiment_30d,
    multiIf(ifNull(sentiment_now, 0) <= -0.25, 'negative', ifNull(sentiment_now, 0) >= 0.25, 'advocate', 'non_committal') AS profile_now,
    if(s.scores = 0, NULL, s.felt * ahead / (s.weight * ahead + 1)) AS sentiment_now
FROM
(
    SELECT *, exp2(-greatest(0, dateDiff('millisecond', now64(3), last_event_at)) / 86400000 / 30) AS ahead
    FROM {database}.customers_store FINAL
) AS c
LEFT ANY JOIN
(
    SELECT
        -- An identifier that was never linked with another is a customer of its own.
        coalesce(
            nullIf(who.customer_id, ''),
            if(startsWith(i.subject, 'customer:'), substring(i.subject, 10), i.subject)
        ) AS customer_id,
        count() AS scores,
        sum(i.a) AS weight,
        sum(i.a * i.score) AS felt
    FROM
    (
        SELECT
            subject,
            assumeNotNull(score) AS score,
            assumeNotNull(score_weight) * exp2(-dateDiff('millisecond', occurred_at, now64(3)) / 86400000 / 30) AS a
        FROM {database}.interactions_store FINAL
        WHERE score IS NOT NULL AND score_weight IS NOT NULL
            AND (subject, event_id, epoch) NOT IN (SELECT subject, event_id, epoch FROM {database}.left_out)
    ) AS i
    LEFT ANY JOIN
    (
        SELECT identifier, customer_id FROM {database}.identities_store FINAL
    ) AS who ON who.identifier = i.subject
    GROUP BY customer_id
) AS s ON s.customer_id = c.customer_id
SETTINGS join_use_nulls = 0
COMMENT 'Sentiment and profile of each customer now, by the clock, beside those of the last event';
