-- To which case a customer was told of an improvement: to the one that the message names; where it names none, to the case
-- of the customer that was resolved last before it, and to no other.
CREATE OR REPLACE VIEW {database}.improvements_told {on_cluster}
(
    customer_id String COMMENT 'Who was told',
    case_id String COMMENT 'What it was about',
    told_at DateTime64(3, 'UTC') COMMENT 'When the customer was told last'
)
AS
WITH told AS
(
    SELECT customer_id, occurred_at, ifNull(case_id, '') AS named
    FROM {database}.interactions
    WHERE touchpoint = 'post_travel.improvement_told'
)
SELECT customer_id, case_id, max(occurred_at) AS told_at
FROM
(
    SELECT customer_id, named AS case_id, occurred_at FROM told WHERE named != ''
    UNION ALL
    SELECT t.customer_id AS customer_id, k.case_id AS case_id, t.occurred_at AS occurred_at
    FROM (SELECT customer_id, occurred_at FROM told WHERE named = '') AS t
    ASOF INNER JOIN
    (
        SELECT customer_id, assumeNotNull(resolved_at) AS resolved, max(case_id) AS case_id
        FROM {database}.cases_store FINAL
        WHERE status = 'resolved' AND resolved_at IS NOT NULL
        GROUP BY customer_id, resolved
    ) AS k ON k.customer_id = t.customer_id AND k.resolved <= t.occurred_at
)
GROUP BY customer_id, case_id
COMMENT 'Improvements that customers were told of, each credited to one case';
