-- An insert need not look for other copies of an event that the sink knows to be the first (sinks.first_copies). Of ten
-- million stored the look-up was most of what an insert cost. Rows that do not say so, as those of an older worker, are
-- looked for as before. The column tells nothing of the interaction: it is in no hash and no view.
ALTER TABLE {database}.interactions_store {on_cluster}
    ADD COLUMN IF NOT EXISTS first_copy Bool DEFAULT false COMMENT 'When this row came, the sink knew that no other copy of the event was stored';

ALTER TABLE {database}.interactions_by_time_corrected {on_cluster}
    MODIFY QUERY SELECT
    i.subject AS subject, i.event_id AS event_id, toDateTime64(if(i.version < o.version, i.day, o.day), 3, 'UTC') AS occurred_at,
    toUInt32(bitShiftRight(least(i.version, o.version), 44)) AS epoch, least(i.version, o.version) * 2 + 1 AS rank, 1 AS gone
FROM
(
    SELECT subject, event_id, cityHash64(subject) AS owner, sipHash64(event_id) AS event, toDate(occurred_at) AS day, version
    FROM {database}.interactions_store
    WHERE NOT first_copy
) AS i
INNER JOIN
(
    SELECT owner, event, day, version FROM {database}.interaction_days_store
    WHERE (owner, event) IN (SELECT cityHash64(subject), sipHash64(event_id) FROM {database}.interactions_store WHERE NOT first_copy)
    UNION ALL
    SELECT cityHash64(subject) AS owner, sipHash64(event_id) AS event, toDate(occurred_at) AS day, version FROM {database}.interactions_store
) AS o ON o.owner = i.owner AND o.event = i.event
WHERE o.day != i.day;
