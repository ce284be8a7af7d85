-- Service recovery
--
-- What customers felt before a case was opened and after it was resolved: mean score of their interactions in the days
-- before and after, whether one contact was enough, and whether they were told what was improved. Only cases that are
-- resolved, and with a score on both sides, can be compared; the others are counted beside it.
--
-- columns:
--   touchpoint       What opened the case
--   cases            Cases resolved
--   first_contact    Of these, resolved with one contact of the customer and never reopened, per cent
--   hours            Median hours from opening to resolution
--   compared         Cases with a score before and after
--   before           Mean score in the days before the opening
--   after            Mean score in the days after the resolution
--   change           after less before
--   recovered        Of those compared, share that felt at least as good afterwards, per cent
--   told             Of all, those with an improvement told after the resolution, per cent, as in the query cases
-- parameters:
--   days UInt16 = 30                                      Days before and after that are looked at
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First opening counted
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First opening no longer counted
WITH each AS
(
    SELECT
        c.case_id AS case_id,
        c.customer_id AS customer_id,
        any(c.touchpoint) AS touchpoint,
        any(c.contacts <= 1 AND c.reopened_at IS NULL) AS at_once,
        any(c.began) AS opened,
        any(c.ended) AS resolved,
        avgIfOrNull(i.score, i.occurred_at < c.began AND i.occurred_at >= c.began - toIntervalDay({days:UInt16})) AS before,
        avgIfOrNull(i.score, i.occurred_at > c.ended AND i.occurred_at <= c.ended + toIntervalDay({days:UInt16})) AS after,
        any(c.told) AS told
    FROM
    (
        SELECT k.case_id AS case_id, k.customer_id AS customer_id, k.touchpoint AS touchpoint, k.contacts AS contacts,
            k.reopened_at AS reopened_at, assumeNotNull(k.opened_at) AS began, assumeNotNull(k.resolved_at) AS ended,
            t.told_at >= k.resolved_at AS told
        FROM cases AS k
        LEFT ANY JOIN improvements_told AS t ON t.customer_id = k.customer_id AND t.case_id = k.case_id
        WHERE k.status = 'resolved' AND opened_at IS NOT NULL
            AND opened_at >= {since:DateTime64(3,'UTC')} AND opened_at < {until:DateTime64(3,'UTC')}
    ) AS c
    LEFT JOIN (SELECT customer_id, occurred_at, score FROM interactions WHERE score IS NOT NULL) AS i ON i.customer_id = c.customer_id
    GROUP BY case_id, customer_id
)
SELECT
    e.touchpoint AS touchpoint,
    count() AS cases,
    round(100 * countIf(e.at_once) / cases, 1) AS first_contact,
    round(quantileExactInclusive(0.5)(dateDiff('second', e.opened, e.resolved)) / 3600, 1) AS hours,
    countIf(e.before IS NOT NULL AND e.after IS NOT NULL) AS compared,
    round(avgIf(e.before, e.after IS NOT NULL), 3) AS before,
    round(avgIf(e.after, e.before IS NOT NULL), 3) AS after,
    round(after - before, 3) AS change,
    if(compared = 0, NULL, round(100 * countIf(e.after >= e.before) / compared, 1)) AS recovered,
    round(100 * countIf(e.told) / cases, 1) AS told
FROM each AS e
GROUP BY touchpoint
ORDER BY cases DESC, touchpoint
