-- Cases
--
-- How cases are dealt with: how many, how soon they are answered and resolved, how often the customer had to come, how
-- often a resolution did not hold, and whether customers are told what was improved.
--
-- columns:
--   segment          Value of what is grouped by; empty where it is not known
--   cases            Cases opened
--   open             Of these, not resolved
--   answered         Of these, answered or resolved, per cent
--   response_hours   Median hours from opening to the first response, of those with one; null: none has
--   resolve_hours    Median hours from opening to the latest resolution, of those resolved; null: none is
--   first_contact    Of those resolved, with one contact of the customer and never reopened, per cent
--   margin           Margin of error of that at 95 %; null where all went alike
--   reopened         Of all, reopened, per cent
--   contacts         Mean contacts of the customer in a case
--   told             Of those resolved, with an improvement told after the resolution, per cent: of the case that the message
--                    names or, where it names none, of the customer's case resolved last before it
-- parameters:
--   by String = touchpoint                                What to group by: all, touchpoint (that opened it), unit, month
--   {clocks}
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First opening counted
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First opening no longer counted
SELECT
    multiIf(
        {by:String} = 'all', 'all',
        {by:String} = 'touchpoint', toString(k.touchpoint),
        {by:String} = 'unit', ifNull(toString(k.attributed_unit), ''),
        {by:String} = 'month', formatDateTime(k.opened, '%Y-%m', {zone}),
        toString(throwIf(1, 'by is one of: all, touchpoint, unit, month'))) AS segment,
    count() AS cases,
    countIf(k.status = 'open') AS open,
    round(100 * countIf(k.first_response_at IS NOT NULL OR k.resolved_at IS NOT NULL) / cases, 1) AS answered,
    round(quantileExactInclusiveOrNullIf(0.5)(dateDiff('second', k.opened, assumeNotNull(k.first_response_at)), k.first_response_at IS NOT NULL) / 3600, 1) AS response_hours,
    round(quantileExactInclusiveOrNullIf(0.5)(dateDiff('second', k.opened, assumeNotNull(k.resolved_at)), k.status = 'resolved') / 3600, 1) AS resolve_hours,
    round(100 * countIf(k.status = 'resolved' AND k.contacts <= 1 AND k.reopened_at IS NULL) / nullIf(cases - open, 0), 1) AS first_contact,
    round(1.96 * sqrt(nullIf(first_contact * (100 - first_contact), 0) / nullIf(cases - open, 0)), 1) AS margin,
    round(100 * countIf(k.reopened_at IS NOT NULL) / cases, 1) AS reopened,
    round(avg(k.contacts), 2) AS contacts,
    round(100 * countIf(k.status = 'resolved' AND t.told_at >= k.resolved_at) / nullIf(cases - open, 0), 1) AS told
FROM
(
    SELECT c.*, assumeNotNull(c.opened_at) AS opened, w.attributed_unit AS attributed_unit
    FROM cases AS c
    LEFT ANY JOIN (SELECT case_id, customer_id, attributed_unit FROM cases_attributed WHERE {by:String} = 'unit' OR ({by:String} = 'month' AND {clock_joined})) AS w
        ON w.case_id = c.case_id AND w.customer_id = c.customer_id
    WHERE opened_at IS NOT NULL AND opened_at >= {since:DateTime64(3,'UTC')} AND opened_at < {until:DateTime64(3,'UTC')}
) AS k
LEFT ASOF JOIN (SELECT unit, valid_from, timezone FROM unit_places WHERE {by:String} = 'month' AND {clock_joined}) AS u
    ON u.unit = ifNull(toString(k.attributed_unit), '') AND u.valid_from <= k.opened
LEFT ANY JOIN improvements_told AS t ON t.customer_id = k.customer_id AND t.case_id = k.case_id
GROUP BY segment
ORDER BY cases DESC, segment
