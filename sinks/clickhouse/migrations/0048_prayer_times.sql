-- Times of prayer: a row for each place that units have, and each day from the one before an event to 31 days after it.
-- Written by the sink and by `rihla units load` (sinks/clickhouse/prayers.py); a row follows from its key and the revision.
CREATE TABLE IF NOT EXISTS {database}.prayer_times_store {on_cluster}
(
    place String COMMENT 'Latitude, longitude, method and time zone, as views put them together',
    latitude Float64 COMMENT 'Degrees, north positive',
    longitude Float64 COMMENT 'Degrees, east positive',
    prayer_method LowCardinality(String) COMMENT 'How the times are reckoned',
    timezone LowCardinality(String) COMMENT 'Whose days these are; empty: UTC',
    date Date COMMENT 'Day by the clock of the place',
    ramadan Bool COMMENT 'Whether it is a day of Ramadan by the civil calendar',
    ramadan_next Bool COMMENT 'Whether the day after is one',
    fajr Nullable(DateTime64(3, 'UTC')) COMMENT 'Dawn: the fast begins; null: the sun does not rise or set that day',
    sunrise Nullable(DateTime64(3, 'UTC')) COMMENT 'Sunrise',
    dhuhr Nullable(DateTime64(3, 'UTC')) COMMENT 'Noon prayer',
    asr Nullable(DateTime64(3, 'UTC')) COMMENT 'Afternoon prayer',
    maghrib Nullable(DateTime64(3, 'UTC')) COMMENT 'Sunset: the fast ends, the next Hijri day begins',
    isha Nullable(DateTime64(3, 'UTC')) COMMENT 'Night prayer',
    next_fajr Nullable(DateTime64(3, 'UTC')) COMMENT 'Fajr of the day after; null: there is none',
    revision UInt32 COMMENT 'Number of the reckoning: the highest of a key is current'
)
ENGINE = {replicated}ReplacingMergeTree(revision)
ORDER BY (place, date)
COMMENT 'Times of prayer, every revision; read them through the view prayer_times';
-- Nights are halved between Maghrib and Fajr: who eats before that eats iftar, and who eats after it, suhoor.
CREATE OR REPLACE VIEW {database}.prayer_times {on_cluster}
(
    place String COMMENT 'Latitude, longitude, method and time zone, as views put them together',
    latitude Float64 COMMENT 'Degrees, north positive',
    longitude Float64 COMMENT 'Degrees, east positive',
    prayer_method LowCardinality(String) COMMENT 'How the times are reckoned',
    timezone LowCardinality(String) COMMENT 'Whose days these are; empty: UTC',
    date Date COMMENT 'Day by the clock of the place',
    ramadan Bool COMMENT 'Whether it is a day of Ramadan by the civil calendar',
    ramadan_next Bool COMMENT 'Whether the day after is one',
    fajr DateTime64(3, 'UTC') COMMENT 'Dawn: the fast begins',
    sunrise DateTime64(3, 'UTC') COMMENT 'Sunrise',
    dhuhr DateTime64(3, 'UTC') COMMENT 'Noon prayer',
    asr DateTime64(3, 'UTC') COMMENT 'Afternoon prayer',
    maghrib DateTime64(3, 'UTC') COMMENT 'Sunset: the fast ends, the next Hijri day begins',
    isha DateTime64(3, 'UTC') COMMENT 'Night prayer',
    midnight DateTime64(3, 'UTC') COMMENT 'Half of the night, from Maghrib to the next Fajr',
    until DateTime64(3, 'UTC') COMMENT 'The next Fajr; where there is none, a day after this one'
)
AS
SELECT
    place, latitude, longitude, prayer_method, timezone, date, ramadan, ramadan_next,
    assumeNotNull(fajr) AS fajr, assumeNotNull(sunrise) AS sunrise, assumeNotNull(dhuhr) AS dhuhr,
    assumeNotNull(asr) AS asr, assumeNotNull(maghrib) AS maghrib, assumeNotNull(isha) AS isha,
    maghrib + toIntervalMillisecond(intDiv(dateDiff('millisecond', maghrib, until), 2)) AS midnight,
    assumeNotNull(ifNull(next_fajr, fajr + toIntervalDay(1))) AS until
FROM (SELECT * FROM {database}.prayer_times_store FINAL WHERE fajr IS NOT NULL)
COMMENT 'One row per place and day: the times of prayer';
-- When people pray, and answers wait: half an hour from each of the five, an hour from Friday's noon.
CREATE OR REPLACE VIEW {database}.prayer_windows {on_cluster}
(
    place String COMMENT 'Latitude, longitude, method and time zone, as views put them together',
    date Date COMMENT 'Day by the clock of the place',
    prayer_window String COMMENT 'fajr, dhuhr (jumua on Friday), asr, maghrib or isha',
    begins_at DateTime64(3, 'UTC') COMMENT 'Time of the prayer',
    ends_at DateTime64(3, 'UTC') COMMENT 'Half an hour later; jumua: an hour'
)
AS
WITH
    toDayOfWeek(date) = 5 AS friday,
    arrayJoin([
        ('fajr', fajr, 30), (if(friday, 'jumua', 'dhuhr'), dhuhr, if(friday, 60, 30)), ('asr', asr, 30),
        ('maghrib', maghrib, 30), ('isha', isha, 30)]) AS one
SELECT place, date, one.1 AS prayer_window, one.2 AS begins_at, one.2 + toIntervalMinute(one.3) AS ends_at
FROM {database}.prayer_times
COMMENT 'One row per place, day and prayer: the time in which people pray';
-- What figures are grouped by of a unit at a time, its clock, and the place whose times of prayer are its own.
CREATE OR REPLACE VIEW {database}.unit_places {on_cluster}
(
    unit String COMMENT 'Id, as events name it',
    valid_from DateTime64(3, 'UTC') COMMENT 'From here on; 1970-01-01: always',
    kind LowCardinality(String) COMMENT 'Its own; empty: not known',
    parent String COMMENT 'Unit that it is a part of; empty: none',
    brand LowCardinality(String) COMMENT 'Its own or inherited; empty: none',
    region LowCardinality(String) COMMENT 'Its own or inherited; empty: none',
    timezone String COMMENT 'Its clock; empty: not known, or no time zone',
    place String COMMENT 'Key of prayer_times; empty: it has no coordinates'
)
AS
SELECT
    unit, valid_from, kind, parent, brand, region, timezone,
    if(u.latitude IS NULL OR u.longitude IS NULL, '', concat(toString(ifNull(u.latitude, 0)), ' ', toString(ifNull(u.longitude, 0)), ' ', if(ifNull(u.prayer_method, '') = '', 'muslim_world_league', toString(u.prayer_method)), ' ', ifNull(u.timezone, ''))) AS place
FROM
(
    SELECT unit, valid_from, kind, parent, brand, region, latitude, longitude, prayer_method,
        if(timezone IN (SELECT time_zone FROM system.time_zones), toString(timezone), '') AS timezone
    FROM {database}.unit_levels
) AS u
COMMENT 'One row per unit and time from which something else holds of it: clock, place, and what it belongs to';
-- Whose day it was, and what that day had: by the clock of the unit whose doing it was, by sunset, by prayer.
CREATE OR REPLACE VIEW {database}.interactions_local {on_cluster}
(
    subject String COMMENT 'Strongest identifier of the event',
    event_id String COMMENT 'Event',
    customer_id String COMMENT 'Whose it is',
    journey_id Nullable(String) COMMENT 'Journey',
    channel LowCardinality(String) COMMENT 'booking, check_in, stay or post_travel',
    touchpoint LowCardinality(String) COMMENT 'What happened',
    occurred_at DateTime64(3, 'UTC') COMMENT 'When',
    attributed_unit LowCardinality(Nullable(String)) COMMENT 'Unit, its own or that of the stay that it belongs to; null: not known',
    timezone String COMMENT 'Clock of that unit; UTC where it has none',
    local_time String COMMENT 'When, by that clock',
    date Date COMMENT 'Day by that clock',
    hijri_date String COMMENT 'Hijri day of the civil calendar, YYYY-MM-DD, from midnight to midnight',
    hijri_date_from_sunset String COMMENT 'Hijri day that began with the last sunset there; empty: where that was is not known',
    prayer_window String COMMENT 'Prayer that was prayed there: fajr, dhuhr, jumua, asr, maghrib, isha, none; empty: not known',
    ramadan_meal String COMMENT 'suhoor, fast or iftar on the days of Ramadan; none on others; empty: not known'
)
AS
SELECT
    l.subject AS subject, l.event_id AS event_id, l.customer_id AS customer_id, l.journey_id AS journey_id,
    l.channel AS channel, l.touchpoint AS touchpoint, l.occurred_at AS occurred_at,
    l.attributed_unit AS attributed_unit, l.timezone AS timezone, l.local_time AS local_time, l.date AS date,
    if(h.hijri_year = 0, '', concat(toString(h.hijri_year), '-', leftPad(toString(h.hijri_month), 2, '0'), '-', leftPad(toString(h.hijri_day), 2, '0'))) AS hijri_date,
    if(s.hijri_year = 0, '', concat(toString(s.hijri_year), '-', leftPad(toString(s.hijri_month), 2, '0'), '-', leftPad(toString(s.hijri_day), 2, '0'))) AS hijri_date_from_sunset,
    l.prayer_window AS prayer_window, l.ramadan_meal AS ramadan_meal
FROM
(
    SELECT
        i.subject AS subject, i.event_id AS event_id, i.customer_id AS customer_id, i.journey_id AS journey_id,
        i.channel AS channel, i.touchpoint AS touchpoint, i.occurred_at AS occurred_at,
        i.attributed_unit AS attributed_unit, i.timezone AS timezone,
        formatDateTime(i.occurred_at, '%Y-%m-%d %H:%i:%S', i.timezone) AS local_time,
        toDate(formatDateTime(i.occurred_at, '%Y-%m-%d', i.timezone)) AS date,
        if((ifNull(t.place, '') != '' AND i.occurred_at < t.until), t.date + if(i.occurred_at >= t.maghrib, 1, 0), toDate(0)) AS sunset_date,
        multiIf(NOT (ifNull(t.place, '') != '' AND i.occurred_at < t.until), '', i.occurred_at >= t.dhuhr AND i.occurred_at < t.dhuhr + toIntervalMinute(if(toDayOfWeek(t.date) = 5, 60, 30)), if(toDayOfWeek(t.date) = 5, 'jumua', 'dhuhr'), i.occurred_at >= t.isha AND i.occurred_at < t.isha + toIntervalMinute(30), 'isha', i.occurred_at >= t.maghrib AND i.occurred_at < t.maghrib + toIntervalMinute(30), 'maghrib', i.occurred_at >= t.asr AND i.occurred_at < t.asr + toIntervalMinute(30), 'asr', i.occurred_at >= t.fajr AND i.occurred_at < t.fajr + toIntervalMinute(30), 'fajr', 'none') AS prayer_window,
        multiIf(NOT (ifNull(t.place, '') != '' AND i.occurred_at < t.until), '', i.occurred_at >= t.midnight, if(t.ramadan_next, 'suhoor', 'none'), NOT t.ramadan, 'none', i.occurred_at < t.maghrib, 'fast', 'iftar') AS ramadan_meal
    FROM
    (
        SELECT a.*, u.place AS place, if(u.timezone = '', 'UTC', u.timezone) AS timezone
        FROM {database}.interactions_attributed AS a
        LEFT ASOF JOIN {database}.unit_places AS u
            ON u.unit = ifNull(toString(a.attributed_unit), '') AND u.valid_from <= a.occurred_at
    ) AS i
    LEFT ASOF JOIN {database}.prayer_times AS t ON t.place = i.place AND t.fajr <= i.occurred_at
) AS l
LEFT ANY JOIN {database}.hijri AS h ON h.date = l.date
LEFT ANY JOIN {database}.hijri AS s ON s.date = l.sunset_date
SETTINGS join_use_nulls = 0
COMMENT 'One row per interaction: its day and time where it happened, Hijri days, prayer and meal';
-- Answers to cases, with and without the time in which the people of the unit prayed.
CREATE OR REPLACE VIEW {database}.case_response {on_cluster}
(
    case_id String COMMENT 'Case',
    customer_id String COMMENT 'Whose case it is',
    attributed_unit LowCardinality(Nullable(String)) COMMENT 'Unit that has to act; null: not known',
    opened_at DateTime64(3, 'UTC') COMMENT 'First event that opened it',
    first_response_at DateTime64(3, 'UTC') COMMENT 'First answer to the customer',
    response_seconds Int64 COMMENT 'From one to the other, seconds',
    prayer_seconds Nullable(Int64) COMMENT 'Of these, in the times of prayer (prayer_windows); null: not known, or more than 31 days'
)
AS
SELECT
    c.case_id AS case_id, c.customer_id AS customer_id, c.attributed_unit AS attributed_unit,
    c.opened_at AS opened_at, c.first_response_at AS first_response_at, c.response_seconds AS response_seconds,
    if(c.place = '' OR c.response_seconds > 31 * 86400, NULL, toInt64(ifNull(p.seconds, 0))) AS prayer_seconds
FROM
(
    SELECT
        k.case_id AS case_id, k.customer_id AS customer_id, k.attributed_unit AS attributed_unit, k.opened_at AS opened_at,
        k.first_response_at AS first_response_at, u.place AS place,
        toInt64(dateDiff('second', opened_at, first_response_at)) AS response_seconds
    FROM
    (
        SELECT case_id, customer_id, attributed_unit, assumeNotNull(opened_at) AS opened_at,
            assumeNotNull(first_response_at) AS first_response_at
        FROM {database}.cases_attributed AS k
        WHERE k.opened_at IS NOT NULL AND k.first_response_at >= k.opened_at
    ) AS k
    LEFT ASOF JOIN {database}.unit_places AS u
        ON u.unit = ifNull(toString(k.attributed_unit), '') AND u.valid_from <= k.opened_at
) AS c
LEFT ANY JOIN
(
    SELECT d.case_id AS case_id, d.customer_id AS customer_id,
        sum(greatest(0, dateDiff('second', greatest(w.begins_at, d.opened_at), least(w.ends_at, d.first_response_at)))) AS seconds
    FROM
    (
        SELECT k.case_id AS case_id, k.customer_id AS customer_id, k.opened_at AS opened_at,
            k.first_response_at AS first_response_at, u.place AS place,
            arrayJoin(arrayMap(n -> toDate(k.opened_at) + n,
                range(-1, dateDiff('day', toDate(k.opened_at), toDate(k.first_response_at)) + 2))) AS date
        FROM
        (
            SELECT case_id, customer_id, attributed_unit, assumeNotNull(opened_at) AS opened_at,
                assumeNotNull(first_response_at) AS first_response_at
            FROM {database}.cases_attributed AS k
            WHERE k.opened_at IS NOT NULL AND k.first_response_at >= k.opened_at
                AND k.first_response_at <= k.opened_at + toIntervalDay(31)
        ) AS k
        LEFT ASOF JOIN {database}.unit_places AS u
            ON u.unit = ifNull(toString(k.attributed_unit), '') AND u.valid_from <= k.opened_at
    ) AS d
    INNER JOIN {database}.prayer_windows AS w ON w.place = d.place AND w.date = d.date
    GROUP BY case_id, customer_id
) AS p ON p.case_id = c.case_id AND p.customer_id = c.customer_id
SETTINGS join_use_nulls = 0
COMMENT 'One row per case that was answered: how long it took, and how much of that was time of prayer';
