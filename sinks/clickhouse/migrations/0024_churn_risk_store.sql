-- Risks of churn, of all models. Read them through the view churn_risk.
CREATE TABLE IF NOT EXISTS {database}.churn_risk_store {on_cluster}
(
    customer_id String COMMENT 'Who' CODEC(ZSTD(1)),
    model_id String COMMENT 'Model that gave the risk' CODEC(ZSTD(1)),
    ended_at DateTime64(3, 'UTC') COMMENT 'End of the last journey',
    risk Float64 COMMENT 'Probability of churn by the model',
    decile UInt8 COMMENT 'Tenth of the back-test into which that risk falls, 1 the highest',
    reasons Array(String) COMMENT 'Features that raise the log odds most over the average customer''s, and by how much',
    fitted_at DateTime64(3, 'UTC') COMMENT 'When the model was fitted'
)
ENGINE = {replicated}ReplacingMergeTree(fitted_at)
ORDER BY customer_id
COMMENT 'Churn risks, of all models; read them through the view churn_risk';
