-- Anomalies
--
-- Days of a unit that were not as the days before let expect, as `rihla anomalies` judged them last: by weekday, season of the Hijri
-- year and level, at one false alarm a year of each unit and metric at most. The back-test judges the 365 days before in the same way.
--
-- columns:
--   day              Day, UTC
--   unit             Unit
--   metric           nps, csat (points), sentiment (mean score) or contacts (a day)
--   actual           What it was
--   expected         What was expected
--   low              Lower end of the interval of 95 %
--   high             Upper end
--   n                Answers of the day, or contacts
--   alarm            1: out of the ordinary
--   tested_days      Days of the back-test
--   tested_alarms    Alarms in these
--   within           Share of these within their interval; 0.95 is right
-- parameters:
--   unit String =                                         Only this unit (several: with character 31 between)
--   alarms UInt8 = 1                                      1: alarms alone; 0: every day that was judged
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First moment counted
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First moment no longer counted
SELECT
    day, unit, metric, round(actual, 3) AS actual, round(expected, 3) AS expected, round(low, 3) AS low, round(high, 3) AS high,
    n, toUInt8(alarm) AS alarm, tested_days, tested_alarms, round(tested_within / tested_days, 3) AS within
FROM anomalies
WHERE (alarm OR {alarms:UInt8} = 0) AND ({unit:String} = '' OR has(splitByChar(char(31), {unit:String}), toString(unit)))
    AND toDateTime64(day, 3, 'UTC') >= {since:DateTime64(3,'UTC')} AND toDateTime64(day, 3, 'UTC') < {until:DateTime64(3,'UTC')}
ORDER BY day DESC, unit, metric
