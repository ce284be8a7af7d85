-- As before (0029), but of what was replayed only the letters in question are read: after ten million replays of other
-- topics the set of all of them took more memory than a query may have, and `interactions` asks this view. Letters are
-- found by their topics, which their table is ordered by, so that ten million others are not looked through.
CREATE OR REPLACE VIEW {database}.left_out {on_cluster}
(
    subject String COMMENT 'Of the interaction',
    event_id String COMMENT 'Of the interaction, in lower case',
    epoch UInt32 COMMENT 'Number of the history in which it was left out'
)
AS
SELECT DISTINCT
    ifNull(key, '') AS subject,
    lower(substring(payload, if(startsWith(payload, char(195, 1)), 12, 7), 36)) AS event_id,
    epoch
FROM {database}.dead_letters_store FINAL
WHERE topic IN (SELECT DISTINCT topic FROM {database}.dead_letters_store WHERE endsWith(topic, '.interactions'))
    AND reason = 'unprocessable'
    AND (topic, partition, offset, epoch, payload_hash) NOT IN
    (
        SELECT topic, partition, offset, epoch, payload_hash FROM {database}.replays_store
        WHERE (topic, partition, offset, epoch, payload_hash) IN
        (
            SELECT topic, partition, offset, epoch, payload_hash FROM {database}.dead_letters_store
            WHERE reason = 'unprocessable' AND endsWith(topic, '.interactions')
        )
    )
COMMENT 'Interactions that stitch could not process: they are in no table until their dead letters are replayed';
