-- What holds of being written to is in the customer's record: for Customer 360, which reads the topic and keeps contacts
-- for thirty days. The view consents has the same from the interactions, statement by statement.
ALTER TABLE {database}.customers_store {on_cluster}
    ADD COLUMN IF NOT EXISTS consents Array(Tuple(purpose LowCardinality(String), channel LowCardinality(String), given Bool, source Nullable(String), since DateTime64(3, 'UTC'))) COMMENT 'Consent, by purpose and channel of which something was said: what holds, where that was said (empty: not said, null: not kept), since when' CODEC(ZSTD(1)) AFTER preferences;

-- FINAL keeps the current version of each customer and leaves out what is withdrawn.
CREATE OR REPLACE VIEW {database}.customers {on_cluster}
(
    customer_id String COMMENT 'Value of the root identifier for kind customer, else the root as kind:value',
    kind LowCardinality(String) COMMENT 'Kind of the root identifier',
    value String COMMENT 'Value of the root identifier',
    profile LowCardinality(String) COMMENT 'negative, non_committal or advocate',
    sentiment_7d Nullable(Float64) COMMENT 'Rolling sentiment in [-1, 1], half-life 7 days, at the last event; null: nothing was expressed',
    sentiment_30d Nullable(Float64) COMMENT 'Rolling sentiment, half-life 30 days',
    sentiment_90d Nullable(Float64) COMMENT 'Rolling sentiment, half-life 90 days',
    evidence Float64 COMMENT 'Effective sample size of the 30-day sentiment',
    interactions Int64 COMMENT 'Interactions of the customer',
    journeys Int64 COMMENT 'Journeys of the customer',
    first_event_at DateTime64(3, 'UTC') COMMENT 'First event',
    last_event_at DateTime64(3, 'UTC') COMMENT 'Last event',
    open_cases Int64 COMMENT 'Cases not resolved',
    preferences Array(Tuple(key LowCardinality(String), value String, evidence Int64, last_at DateTime64(3, 'UTC'))) COMMENT 'What is known of likes and needs: key, value, how often it was seen, when last',
    consents Array(Tuple(purpose LowCardinality(String), channel LowCardinality(String), given Bool, source Nullable(String), since DateTime64(3, 'UTC'))) COMMENT 'Consent, by purpose and channel of which something was said: what holds, where that was said (empty: not said, null: not kept), since when',
    identifiers Array(Tuple(kind LowCardinality(String), value String)) COMMENT 'Every identifier that is this customer, as in the view identities'
)
AS
SELECT
    c.customer_id, c.kind, c.value, c.profile, c.sentiment_7d, c.sentiment_30d, c.sentiment_90d, c.evidence,
    c.interactions, c.journeys, c.first_event_at, c.last_event_at, c.open_cases, c.preferences, c.consents,
    arraySort(arrayDistinct(arrayPushBack(linked.identifiers, (c.kind, c.value)))) AS identifiers
FROM {database}.customers_store AS c FINAL
LEFT ANY JOIN
(
    SELECT customer_id, groupArray((kind, value)) AS identifiers FROM {database}.identities_store FINAL GROUP BY customer_id
) AS linked ON linked.customer_id = c.customer_id
COMMENT 'One row per customer';
