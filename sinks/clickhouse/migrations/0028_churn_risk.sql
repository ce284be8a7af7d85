-- As before, with a name for each column: without one for model_id, which both sides have, SELECT * was refused.
CREATE OR REPLACE VIEW {database}.churn_risk {on_cluster}
(
    customer_id String COMMENT 'Who, as known when the model was fitted',
    risk Float64 COMMENT 'Probability of churn by the model',
    decile UInt8 COMMENT 'Tenth of the back-test into which that risk falls, 1 the highest',
    tested_churn Float64 COMMENT 'Share of that tenth that did churn in the back-test',
    reasons Array(String) COMMENT 'Features that raise the log odds most over the average customer''s, and by how much',
    ended_at DateTime64(3, 'UTC') COMMENT 'End of the last journey',
    known_until DateTime64(3, 'UTC') COMMENT 'Moment that the risk is of',
    horizon_days UInt32 COMMENT 'Churned is who begins no journey within so many days after ended_at',
    auc Float64 COMMENT 'Of the back-test: area under the ROC curve, 0.5 is chance',
    auc_margin Float64 COMMENT 'Margin of error of it at 95 %',
    useful Bool COMMENT 'Whether the back-test was better than chance and than saying the same of everybody',
    model_id String COMMENT 'Model that gave the risk'
)
AS
SELECT
    r.customer_id AS customer_id, r.risk AS risk, r.decile AS decile,
    arrayFirst(band -> band.decile = r.decile, m.deciles).churned AS tested_churn,
    r.reasons AS reasons, r.ended_at AS ended_at, m.known_until AS known_until, m.horizon_days AS horizon_days,
    m.auc AS auc, m.auc_margin AS auc_margin, m.useful AS useful, m.model_id AS model_id
FROM {database}.churn_risk_store AS r FINAL
INNER JOIN
(
    SELECT * FROM {database}.churn_models_store FINAL ORDER BY fitted_at DESC, model_id DESC LIMIT 1
) AS m ON m.model_id = r.model_id
COMMENT 'Churn risk of each customer who may come back or not, by the latest model, with the figures of its back-test';
