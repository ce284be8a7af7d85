-- Times of prayer of a unit
--
-- The five times of each day on the unit's clock, as they are reckoned for its coordinates. Days with events have them, and the
-- 31 after.
--
-- columns:
--   date     Day by the unit's clock
--   ramadan  1 on a day of Ramadan, by the civil calendar
--   fajr     HH:MM; suhoor ends
--   dhuhr    HH:MM; on Fridays Jumua
--   asr      HH:MM
--   maghrib  HH:MM; the fast ends
--   isha     HH:MM
--   timezone  Whose clock this is
-- parameters:
--   unit String =                                         The unit
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First moment counted
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First moment no longer counted
--   limit UInt32 = 7                                      Most days, the latest first
WITH if(t.timezone = '', 'UTC', t.timezone) AS clock
SELECT
    t.date AS date,
    toUInt8(t.ramadan) AS ramadan,
    formatDateTime(t.fajr, '%H:%i', clock) AS fajr,
    formatDateTime(t.dhuhr, '%H:%i', clock) AS dhuhr,
    formatDateTime(t.asr, '%H:%i', clock) AS asr,
    formatDateTime(t.maghrib, '%H:%i', clock) AS maghrib,
    formatDateTime(t.isha, '%H:%i', clock) AS isha,
    clock AS timezone
FROM prayer_times AS t
WHERE t.place != '' AND t.place IN (SELECT argMax(place, valid_from) FROM unit_places WHERE unit = {unit:String})
    AND t.dhuhr >= {since:DateTime64(3,'UTC')} AND t.dhuhr < {until:DateTime64(3,'UTC')}
ORDER BY date DESC
LIMIT {limit:UInt32}
