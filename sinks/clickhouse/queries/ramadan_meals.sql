-- Meals of Ramadan
--
-- Was suhoor served before Fajr, and iftar at Maghrib? By unit and day of the fast: what was served (stay.suhoor_served,
-- stay.iftar_served), from when to when on the unit's clock, and how much of it in time. Suhoor is in time before Fajr;
-- iftar from Maghrib to `grace` minutes after it. A night's suhoor is that of the day which follows.
--
-- columns:
--   unit             Unit whose doing it was
--   date             Day of the fast, by the unit's clock
--   hijri_date       The same day, Hijri
--   meal             suhoor or iftar
--   due              Fajr or Maghrib, by the unit's clock
--   served           Times that it was served
--   first            First of these, by the unit's clock
--   last             Last of these
--   in_time          Share in time, per cent
--   minutes          Of suhoor, minutes left between the last serving and Fajr (negative: after it); of iftar, those from Maghrib to the first
-- parameters:
--   grace Float64 = 15                                    Minutes after Maghrib in which iftar is in time
--   unit String =                                         One unit alone; empty: all
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First moment counted
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First moment no longer counted
WITH if(d.timezone = '', 'UTC', d.timezone) AS clock
SELECT
    d.unit AS unit,
    d.date AS date,
    any(if(ifNull(h.hijri_year, 0) = 0, '', concat(toString(h.hijri_year), '-', leftPad(toString(h.hijri_month), 2, '0'), '-',
        leftPad(toString(h.hijri_day), 2, '0')))) AS hijri_date,
    d.meal AS meal,
    any(formatDateTime(d.due_at, '%H:%i', clock)) AS due,
    count() AS served,
    formatDateTime(min(d.occurred_at), '%H:%i', any(clock)) AS first,
    formatDateTime(max(d.occurred_at), '%H:%i', any(clock)) AS last,
    round(100 * countIf(if(d.meal = 'suhoor', d.occurred_at < d.due_at,
        d.occurred_at >= d.due_at AND d.occurred_at <= d.due_at + toIntervalSecond(60 * {grace:Float64}))) / served, 1) AS in_time,
    round(if(d.meal = 'suhoor', dateDiff('second', max(d.occurred_at), any(d.due_at)), dateDiff('second', any(d.due_at), min(d.occurred_at))) / 60, 1) AS minutes
FROM
(
    SELECT
        e.attributed_unit AS unit, e.occurred_at AS occurred_at, e.meal AS meal, t.date AS date, t.timezone AS timezone,
        if(e.meal = 'suhoor', t.fajr, t.maghrib) AS due_at
    FROM
    (
        SELECT a.*, u.place AS place
        FROM
        (
            SELECT ifNull(toString(attributed_unit), '') AS attributed_unit, occurred_at,
                if(touchpoint = 'stay.suhoor_served', 'suhoor', 'iftar') AS meal
            FROM interactions_attributed
            WHERE touchpoint IN ('stay.suhoor_served', 'stay.iftar_served')
                AND occurred_at >= {since:DateTime64(3,'UTC')} AND occurred_at < {until:DateTime64(3,'UTC')}
                AND ({unit:String} = '' OR ifNull(toString(attributed_unit), '') = {unit:String})
        ) AS a
        LEFT ASOF JOIN unit_places AS u ON u.unit = a.attributed_unit AND u.valid_from <= a.occurred_at
    ) AS e
    -- A meal belongs to the day whose noon is nearest: suhoor served late is that of the same morning, not of the next.
    INNER ASOF JOIN (SELECT *, dhuhr - toIntervalHour(12) AS begins_at FROM prayer_times) AS t
        ON t.place = e.place AND t.begins_at <= e.occurred_at
    WHERE t.ramadan AND e.occurred_at < t.begins_at + toIntervalHour(25)
) AS d
LEFT ANY JOIN hijri AS h ON h.date = d.date
GROUP BY unit, date, meal, d.timezone
ORDER BY date, unit, meal DESC
