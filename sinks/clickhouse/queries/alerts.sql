-- Alerts
--
-- What needs a person now: the alerts that are open, the gravest and oldest first.
--
-- columns:
--   severity         low, medium, high or critical
--   rule             Rule that raised it
--   unit             Unit that has to act: the event's own or, where it names none, that of the stay
--   customer_id      Whom it concerns
--   journey_id       Journey that it concerns
--   reason           Why
--   occurred_at      When the cause was
--   raised_at        When it was raised
--   acknowledged_at  When somebody first reacted
--   closed_at        When it was resolved; null while it is open
--   owner            Who has to act: the unit, else the care centre of the brand
--   alert_id         Its id
-- parameters:
--   state String = open          open, closed or all
--   unit String =                Only those on which this unit, or care centre, has to act; all without
--   limit UInt32 = 100           Most rows
SELECT
    a.severity AS severity, a.rule AS rule, a.attributed_unit AS unit, a.customer_id AS customer_id, a.journey_id AS journey_id,
    a.reason AS reason, a.occurred_at AS occurred_at, a.raised_at AS raised_at, a.acknowledged_at AS acknowledged_at,
    a.closed_at AS closed_at, a.owner AS owner, a.alert_id AS alert_id
FROM alerts_attributed AS a
WHERE multiIf(
        {state:String} = 'open', isNull(a.closed_at),
        {state:String} = 'closed', isNotNull(a.closed_at),
        {state:String} = 'all', 1,
        throwIf(1, 'state is one of: open, closed, all'))
    AND ({unit:String} = '' OR a.owner = {unit:String})
ORDER BY indexOf(['low', 'medium', 'high', 'critical'], severity) DESC, occurred_at, alert_id
LIMIT {limit:UInt32}
