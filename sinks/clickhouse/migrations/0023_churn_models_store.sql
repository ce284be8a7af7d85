-- Models of churn with their back-tests. A model is stored after the risks that it gave: without it they are not shown.
CREATE TABLE IF NOT EXISTS {database}.churn_models_store {on_cluster}
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
ENGINE = {replicated}ReplacingMergeTree(fitted_at)
ORDER BY model_id
COMMENT 'Churn models and their back-tests; read them through the view churn_models';
