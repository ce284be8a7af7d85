-- FINAL keeps one of the copies of each model.
CREATE OR REPLACE VIEW {database}.churn_models {on_cluster}
(
    model_id String COMMENT 'Random id of the model',
    fitted_at DateTime64(3, 'UTC') COMMENT 'When it was fitted',
    known_until DateTime64(3, 'UTC') COMMENT 'Latest event that it could know of, and moment that its risks are of',
    horizon_days UInt32 COMMENT 'Churned is who begins no journey within so many days after the end of the last',
    sample UInt32 COMMENT 'Customers that it was fitted on (several moments of one count as several)',
    intercept Float64 COMMENT 'Log odds of the average customer',
    weights Array(Tuple(feature String, mean Float64, scale Float64, weight Float64)) COMMENT 'Per feature of churn_features: mean, standard deviation, and what one standard deviation more adds to the log odds',
    tested_at DateTime64(3, 'UTC') COMMENT 'Moment of the back-test: a model fitted as of then was judged by the horizon after it',
    tested UInt32 COMMENT 'Customers of the back-test',
    churned Float64 COMMENT 'Share of them that churned',
    auc Float64 COMMENT 'Area under the ROC curve: 0.5 is chance, 1 perfect',
    auc_margin Float64 COMMENT 'Margin of error of it at 95 %',
    brier Float64 COMMENT 'Mean squared error of the risk',
    brier_base Float64 COMMENT 'The same if all had been given the share that churned before',
    useful Bool COMMENT 'Better than chance by more than the margin, and better than saying the same of everybody',
    deciles Array(Tuple(decile UInt8, customers UInt32, lowest Float64, expected Float64, churned Float64, lift Float64)) COMMENT 'Tenths of the back-test, highest risk first: lowest risk, mean risk, share that churned, lift over all'
)
AS
SELECT
    model_id, fitted_at, known_until, horizon_days, sample, intercept, weights, tested_at, tested, churned, auc,
    auc_margin, brier, brier_base, useful, deciles
FROM {database}.churn_models_store FINAL
COMMENT 'One row per churn model, with its back-test';

-- Risks of the latest model only, and never without its figures.
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
    r.customer_id, r.risk, r.decile,
    arrayFirst(band -> band.decile = r.decile, m.deciles).churned AS tested_churn,
    r.reasons, r.ended_at, m.known_until, m.horizon_days, m.auc, m.auc_margin, m.useful, m.model_id
FROM {database}.churn_risk_store AS r FINAL
INNER JOIN
(
    SELECT * FROM {database}.churn_models_store FINAL ORDER BY fitted_at DESC, model_id DESC LIMIT 1
) AS m ON m.model_id = r.model_id
COMMENT 'Churn risk of each customer who may come back or not, by the latest model, with the figures of its back-test';
