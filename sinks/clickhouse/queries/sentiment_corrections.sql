-- Texts that were read wrongly
--
-- What people said a text really says (touchpoint CHANNEL.sentiment_corrected: attributes about, the id of the event with the
-- text, and right, the score that it should have), the last word on each text. `rihla score --learn` proposes lexicon lines
-- from it.
--
-- columns:
--   text           The text
--   locale         Its language and region, as it came
--   score          The score that it got, -1 to 1; null: none
--   right          The score that it should have, -1 to 1; 0: nothing is expressed
--   corrections    How many were given
--   corrected_at   When the last was
--   corrected_by   Who gave it
--   event_id       The event with the text
-- parameters:
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First correction counted
--   limit UInt32 = 10000                                  Most rows, the latest first
SELECT
    i.text AS text,
    i.locale AS locale,
    i.score AS score,
    c.right AS right,
    c.corrections AS corrections,
    c.corrected_at AS corrected_at,
    c.corrected_by AS corrected_by,
    i.event_id AS event_id
FROM contacts AS i
INNER JOIN
(
    SELECT
        lower(translate(attributes['about'], 'ghijklmnopq', '0123456789-')) AS about,
        argMax(toFloat64OrNull(attributes['right']), occurred_at) AS right,
        argMax(toString(agent_id), occurred_at) AS corrected_by,
        count() AS corrections,
        max(occurred_at) AS corrected_at
    FROM contacts
    WHERE endsWith(touchpoint, '.sentiment_corrected') AND occurred_at >= {since:DateTime64(3,'UTC')}
    GROUP BY about
) AS c ON i.event_id = c.about
WHERE i.text IS NOT NULL AND c.right BETWEEN -1 AND 1
ORDER BY corrected_at DESC, event_id
LIMIT {limit:UInt32}
