-- SLA met
--
-- How many alerts were taken and settled in time, by unit, person, brand, loyalty tier, rule or severity.
--
-- columns:
--   segment        Value of what is grouped by; empty where it is not known
--   alerts         Alerts raised
--   responded      Of those that somebody reacted to, in time, per cent; null: nobody reacted to any
--   resolved       Of those settled, in time, per cent; null: none is
--   waiting        Alerts that nobody has reacted to
-- parameters:
--   by String = unit                                      What to group by: all, unit, person, brand, tier, rule, severity
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First raising counted
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First raising no longer counted
SELECT
    multiIf(
        {by:String} = 'all', 'all',
        {by:String} = 'unit', ifNull(toString(unit), ''),
        {by:String} = 'person', ifNull(toString(handler), ''),
        {by:String} = 'brand', ifNull(toString(brand), ''),
        {by:String} = 'tier', ifNull(toString(tier), ''),
        {by:String} = 'rule', toString(rule),
        {by:String} = 'severity', toString(severity),
        toString(throwIf(1, 'by is one of: all, unit, person, brand, tier, rule, severity'))) AS segment,
    count() AS alerts,
    round(100 * avgOrNull(responded_in_time), 1) AS responded,
    round(100 * avgOrNull(resolved_in_time), 1) AS resolved,
    countIf(responded_in_time IS NULL) AS waiting
FROM alert_sla
WHERE raised_at >= {since:DateTime64(3,'UTC')} AND raised_at < {until:DateTime64(3,'UTC')}
GROUP BY segment
ORDER BY alerts DESC, segment
