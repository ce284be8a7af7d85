-- Response to alerts
--
-- Whether the loop is closed: how many alerts were raised, how soon somebody reacted and how soon they were resolved.
--
-- columns:
--   segment          Value of what is grouped by; empty where it is not known
--   alerts           Alerts raised
--   open             Of these, not closed
--   unacknowledged   Of the open ones, without any reaction
--   acknowledged     Of all, with a reaction or closed, per cent
--   reaction_hours   Median hours from the cause to the first reaction, of those with one; null: none has
--   closing_hours    Median hours from the cause to the closing, of those closed; null: none is
--   oldest_open      The oldest cause of an open one; null: none is open
-- parameters:
--   by String = rule                                      What to group by: all, rule, severity, unit, month
--   {clocks}
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First cause counted
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First cause no longer counted
SELECT
    multiIf(
        {by:String} = 'all', 'all',
        {by:String} = 'rule', toString(a.rule),
        {by:String} = 'severity', toString(a.severity),
        {by:String} = 'unit', ifNull(toString(w.attributed_unit), ''),
        {by:String} = 'month', formatDateTime(a.occurred_at, '%Y-%m', {zone}),
        toString(throwIf(1, 'by is one of: all, rule, severity, unit, month'))) AS segment,
    count() AS alerts,
    countIf(a.closed_at IS NULL) AS open,
    countIf(a.closed_at IS NULL AND a.acknowledged_at IS NULL) AS unacknowledged,
    round(100 * countIf(a.acknowledged_at IS NOT NULL OR a.closed_at IS NOT NULL) / alerts, 1) AS acknowledged,
    round(quantileExactInclusiveOrNullIf(0.5)(dateDiff('second', a.occurred_at, assumeNotNull(a.acknowledged_at)), a.acknowledged_at IS NOT NULL) / 3600, 1) AS reaction_hours,
    round(quantileExactInclusiveOrNullIf(0.5)(dateDiff('second', a.occurred_at, assumeNotNull(a.closed_at)), a.closed_at IS NOT NULL) / 3600, 1) AS closing_hours,
    minIfOrNull(a.occurred_at, a.closed_at IS NULL) AS oldest_open
FROM alerts AS a
LEFT ANY JOIN
    (SELECT alert_id, attributed_unit FROM alerts_attributed WHERE {by:String} = 'unit' OR ({by:String} = 'month' AND {clock_joined})) AS w
    ON w.alert_id = a.alert_id
LEFT ASOF JOIN (SELECT unit, valid_from, timezone FROM unit_places WHERE {by:String} = 'month' AND {clock_joined}) AS u
    ON u.unit = ifNull(toString(w.attributed_unit), '') AND u.valid_from <= a.occurred_at
WHERE a.occurred_at >= {since:DateTime64(3,'UTC')} AND a.occurred_at < {until:DateTime64(3,'UTC')}
GROUP BY segment
ORDER BY open DESC, alerts DESC, segment
