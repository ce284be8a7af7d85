-- What may be done for each customer, and when, as stitch publishes it: every version.
CREATE TABLE IF NOT EXISTS {database}.next_actions_store {on_cluster}
(
    customer_id String COMMENT 'For whom' CODEC(ZSTD(1)),
    actions Array(Tuple(action String, reason String, evidence String, begins_at Nullable(DateTime64(3, 'UTC')), ends_at Nullable(DateTime64(3, 'UTC')))) COMMENT 'All that may be done, now or later; empty: nothing any more' CODEC(ZSTD(1)),
    version UInt64 COMMENT 'epoch * 2^44 + version of the record: the highest of a key is current' CODEC(ZSTD(1))
)
ENGINE = {replicated}ReplacingMergeTree(version)
ORDER BY customer_id
COMMENT 'What may be done for customers, copies included; read it through the views next_actions and next_best_actions';

-- FINAL keeps the current version.
CREATE OR REPLACE VIEW {database}.next_actions {on_cluster}
(
    customer_id String COMMENT 'For whom',
    action String COMMENT 'answer_alert, call_about_case, manager_call, follow_up_detractor, tell_improvement, prepare_stay or ask_for_review',
    reason String COMMENT 'A sentence that says why',
    evidence String COMMENT 'What it rests on: alert, case, survey answer, journey or figures',
    begins_at Nullable(DateTime64(3, 'UTC')) COMMENT 'From when it is due; null: at once',
    ends_at Nullable(DateTime64(3, 'UTC')) COMMENT 'From when on it is due no longer; null: until events end it'
)
AS
SELECT customer_id, todo.1 AS action, todo.2 AS reason, todo.3 AS evidence, todo.4 AS begins_at, todo.5 AS ends_at
FROM {database}.next_actions_store FINAL
ARRAY JOIN actions AS todo
COMMENT 'What may be done for customers, now or later, whether or not the model proposes it';

-- What to do for each customer now, and why. Version 5: stitch says what may be done, and when; the clock and the model say
-- what of it is proposed. docs/recovery.md has the rules.
CREATE OR REPLACE VIEW {database}.next_best_actions {on_cluster}
(
    customer_id String COMMENT 'Whom it concerns',
    priority UInt8 COMMENT 'Rank of the action: the lowest of a customer is the next best action',
    action LowCardinality(String) COMMENT 'answer_alert, call_about_case, manager_call, follow_up_detractor, tell_improvement, prepare_stay or ask_for_review',
    reason String COMMENT 'A sentence that says why',
    evidence String COMMENT 'What it rests on: alert, case, survey answer, journey or figures'
)
AS
WITH (SELECT groupArray((action, rank, propose)) FROM {database}.actions_known) AS known
SELECT customer_id, arrayFirst(one -> one.1 = action, known).2 AS priority, action, reason, evidence
FROM {database}.next_actions
WHERE (begins_at IS NULL OR begins_at <= now64(3)) AND (ends_at IS NULL OR ends_at > now64(3))
    AND arrayFirst(one -> one.1 = action, known).3
COMMENT 'What to do next for each customer, by rules that say why';
