-- What customers have said of being written to. Views of the interactions, so they are exact whenever those are; what
-- names no purpose, or no channel, is of all of them (streams/guest/consent.py).
CREATE OR REPLACE VIEW {database}.consent_history {on_cluster}
(
    event_id String COMMENT 'Event that says it',
    occurred_at DateTime64(3, 'UTC') COMMENT 'When it was said',
    customer_id Nullable(String) COMMENT 'Who said it',
    purpose LowCardinality(String) COMMENT 'What for: survey, follow_up, marketing ...; any: for everything',
    channel LowCardinality(String) COMMENT 'By which way: email, sms, chat ...; any: by all of them',
    state LowCardinality(String) COMMENT 'given or withdrawn',
    source LowCardinality(Nullable(String)) COMMENT 'Where it was said: a form, a desk, a call'
)
AS
SELECT
    event_id,
    occurred_at,
    customer_id,
    if(of IN ('', '*', 'all'), 'any', of) AS purpose,
    if(by IN ('', '*', 'all'), 'any', by) AS channel,
    state,
    source
FROM
(
    SELECT
        event_id,
        occurred_at,
        customer_id,
        substringUTF8(lower(trimBoth(attributes['purpose'])), 1, 40) AS of,
        substringUTF8(lower(trimBoth(attributes['channel'])), 1, 40) AS by,
        substring(touchpoint, position(touchpoint, '.consent_') + 9) AS state,
        nullIf(attributes['source'], '') AS source
    FROM {database}.interactions
    WHERE match(touchpoint, '^(booking|check_in|stay|post_travel)\\.consent_(given|withdrawn)$')
)
COMMENT 'One row per time that a customer gave or withdrew consent';

CREATE OR REPLACE VIEW {database}.consents {on_cluster}
(
    customer_id Nullable(String) COMMENT 'Who has said it',
    purpose LowCardinality(String) COMMENT 'What for; any: for everything',
    channel LowCardinality(String) COMMENT 'By which way; any: by all of them',
    state LowCardinality(String) COMMENT 'given or withdrawn: what was said last of this purpose and this channel',
    since DateTime64(3, 'UTC') COMMENT 'When it was said last',
    source LowCardinality(Nullable(String)) COMMENT 'Where it was said last'
)
AS
SELECT
    customer_id,
    purpose,
    channel,
    tupleElement(latest, 3) AS state,
    tupleElement(latest, 1) AS since,
    tupleElement(latest, 4) AS source
FROM
(
    SELECT customer_id, purpose, channel,
        argMax((occurred_at, event_id, state, source), (occurred_at, event_id)) AS latest
    FROM {database}.consent_history
    GROUP BY customer_id, purpose, channel
)
COMMENT 'One row per customer, purpose and channel that something was said of';
