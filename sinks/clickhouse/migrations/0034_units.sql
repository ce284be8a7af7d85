-- Units: properties, flights, desks, buses, tents, and the brands and regions that they belong to, with their history.
-- Rows come by `rihla units load` and by the topic units. Of one (unit, valid_from) the highest version is current, and
-- versions are the clock of whoever says it: a rebuild of what follows from events does not touch them.
CREATE TABLE IF NOT EXISTS {database}.units_store {on_cluster}
(
    unit String COMMENT 'Id, as events name it',
    valid_from DateTime64(3, 'UTC') COMMENT 'Since when this holds',
    name Nullable(String) COMMENT 'Name for people',
    kind LowCardinality(Nullable(String)) COMMENT 'company, brand, region, property, airport, flight, desk, bus, tent or other',
    parent Nullable(String) COMMENT 'Unit that it is a part of',
    brand LowCardinality(Nullable(String)) COMMENT 'Brand',
    region LowCardinality(Nullable(String)) COMMENT 'Region',
    timezone LowCardinality(Nullable(String)) COMMENT 'Its clock: a zone of the IANA database',
    currency LowCardinality(Nullable(String)) COMMENT 'ISO 4217',
    latitude Nullable(Float64) COMMENT 'Degrees, north positive',
    longitude Nullable(Float64) COMMENT 'Degrees, east positive',
    prayer_method LowCardinality(Nullable(String)) COMMENT 'How its times of prayer are reckoned',
    capacity Nullable(Int64) COMMENT 'People that it takes',
    version UInt64 COMMENT 'Time of writing, epoch ms: the highest of a key is current',
    withdrawn UInt8 COMMENT '1: was never so'
)
ENGINE = {replicated}ReplacingMergeTree(version, withdrawn)
ORDER BY (unit, valid_from)
COMMENT 'Units, every version; read them through the views units and unit_levels';
-- FINAL keeps what is said last of each unit and time.
CREATE OR REPLACE VIEW {database}.units {on_cluster}
(
    unit String COMMENT 'Id, as events name it',
    valid_from DateTime64(3, 'UTC') COMMENT 'Since when this holds; the first of a unit holds for all time before, too',
    name Nullable(String) COMMENT 'Name for people',
    kind LowCardinality(Nullable(String)) COMMENT 'company, brand, region, property, airport, flight, desk, bus, tent or other',
    parent Nullable(String) COMMENT 'Unit that it is a part of',
    brand LowCardinality(Nullable(String)) COMMENT 'Brand',
    region LowCardinality(Nullable(String)) COMMENT 'Region',
    timezone LowCardinality(Nullable(String)) COMMENT 'Its clock: a zone of the IANA database',
    currency LowCardinality(Nullable(String)) COMMENT 'ISO 4217',
    latitude Nullable(Float64) COMMENT 'Degrees, north positive',
    longitude Nullable(Float64) COMMENT 'Degrees, east positive',
    prayer_method LowCardinality(Nullable(String)) COMMENT 'How its times of prayer are reckoned',
    capacity Nullable(Int64) COMMENT 'People that it takes'
)
AS
SELECT
    unit, valid_from, name, kind, parent, brand, region, timezone, currency, latitude, longitude, prayer_method, capacity
FROM {database}.units_store FINAL
COMMENT 'One row per unit and time from which something else holds of it; as it was said, nothing filled in';
-- What holds of a unit at a time: its own row, and where that says nothing, its parent's, the parent's parent's, up to six
-- levels, and at last that of the unit which is its brand. Rows of a unit do not overlap and leave no gap.
CREATE OR REPLACE VIEW {database}.unit_levels {on_cluster}
(
    unit String COMMENT 'Id, as events name it',
    valid_from DateTime64(3, 'UTC') COMMENT 'From here on; 1970-01-01: always',
    valid_until DateTime64(3, 'UTC') COMMENT 'Up to here, not included; 2200-01-01: it still holds',
    name String COMMENT 'Name for people; without one, the id',
    kind LowCardinality(String) COMMENT 'Its own; empty: not known',
    parent String COMMENT 'Unit that it is a part of; empty: none',
    brand LowCardinality(String) COMMENT 'Its own or inherited; of a brand, itself; empty: none',
    region LowCardinality(String) COMMENT 'Its own or inherited; of a region, itself; empty: none',
    timezone LowCardinality(String) COMMENT 'Its own or inherited; empty: not known',
    currency LowCardinality(String) COMMENT 'Its own or inherited; empty: not known',
    latitude Nullable(Float64) COMMENT 'Its own, or with the longitude that of its parent; null: not known',
    longitude Nullable(Float64) COMMENT 'Its own, or with the latitude that of its parent; null: not known',
    prayer_method LowCardinality(String) COMMENT 'Its own or inherited; empty: not known',
    capacity Nullable(Int64) COMMENT 'Its own'
)
AS
WITH
    said AS
    (
        SELECT
            unit,
            if(row_number() OVER times = 1, toDateTime64(0, 3, 'UTC'), valid_from) AS since,
            leadInFrame(valid_from, 1, toDateTime64('2200-01-01', 3, 'UTC')) OVER times AS until,
            ifNull(name, unit) AS name,
            toString(ifNull(kind, '')) AS kind,
            ifNull(parent, '') AS parent,
            if(kind = 'brand', unit, toString(ifNull(brand, ''))) AS brand,
            if(kind = 'region', unit, toString(ifNull(region, ''))) AS region,
            toString(ifNull(timezone, '')) AS timezone,
            toString(ifNull(currency, '')) AS currency,
            if(isNull(longitude), NULL, latitude) AS latitude,
            if(isNull(latitude), NULL, longitude) AS longitude,
            toString(ifNull(prayer_method, '')) AS prayer_method,
            capacity
        FROM (SELECT * FROM {database}.units_store FINAL)
        WHERE unit != '' AND valid_from >= toDateTime64(0, 3, 'UTC') AND valid_from < toDateTime64('2200-01-01', 3, 'UTC')
        WINDOW times AS (PARTITION BY unit ORDER BY valid_from ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
    ),
    level_0 AS (SELECT *, parent AS up FROM said),
    level_1 AS
    (
        SELECT
            s.unit AS unit,
            if(p.unit = '', s.since, greatest(s.since, p.since)) AS since,
            if(p.unit = '', s.until, least(s.until, p.until)) AS until,
            s.name AS name, s.kind AS kind, s.parent AS parent,
            if(s.brand = '', p.brand, s.brand) AS brand,
            if(s.region = '', p.region, s.region) AS region,
            if(s.timezone = '', p.timezone, s.timezone) AS timezone,
            if(s.currency = '', p.currency, s.currency) AS currency,
            if(isNull(s.latitude), p.latitude, s.latitude) AS latitude,
            if(isNull(s.longitude), p.longitude, s.longitude) AS longitude,
            if(s.prayer_method = '', p.prayer_method, s.prayer_method) AS prayer_method,
            s.capacity AS capacity,
            p.parent AS up
        FROM level_0 AS s
        LEFT JOIN said AS p ON p.unit = s.up
        WHERE p.unit = '' OR (p.since < s.until AND s.since < p.until)
    ),
    level_2 AS
    (
        SELECT
            s.unit AS unit,
            if(p.unit = '', s.since, greatest(s.since, p.since)) AS since,
            if(p.unit = '', s.until, least(s.until, p.until)) AS until,
            s.name AS name, s.kind AS kind, s.parent AS parent,
            if(s.brand = '', p.brand, s.brand) AS brand,
            if(s.region = '', p.region, s.region) AS region,
            if(s.timezone = '', p.timezone, s.timezone) AS timezone,
            if(s.currency = '', p.currency, s.currency) AS currency,
            if(isNull(s.latitude), p.latitude, s.latitude) AS latitude,
            if(isNull(s.longitude), p.longitude, s.longitude) AS longitude,
            if(s.prayer_method = '', p.prayer_method, s.prayer_method) AS prayer_method,
            s.capacity AS capacity,
            p.parent AS up
        FROM level_1 AS s
        LEFT JOIN said AS p ON p.unit = s.up
        WHERE p.unit = '' OR (p.since < s.until AND s.since < p.until)
    ),
    level_3 AS
    (
        SELECT
            s.unit AS unit,
            if(p.unit = '', s.since, greatest(s.since, p.since)) AS since,
            if(p.unit = '', s.until, least(s.until, p.until)) AS until,
            s.name AS name, s.kind AS kind, s.parent AS parent,
            if(s.brand = '', p.brand, s.brand) AS brand,
            if(s.region = '', p.region, s.region) AS region,
            if(s.timezone = '', p.timezone, s.timezone) AS timezone,
            if(s.currency = '', p.currency, s.currency) AS currency,
            if(isNull(s.latitude), p.latitude, s.latitude) AS latitude,
            if(isNull(s.longitude), p.longitude, s.longitude) AS longitude,
            if(s.prayer_method = '', p.prayer_method, s.prayer_method) AS prayer_method,
            s.capacity AS capacity,
            p.parent AS up
        FROM level_2 AS s
        LEFT JOIN said AS p ON p.unit = s.up
        WHERE p.unit = '' OR (p.since < s.until AND s.since < p.until)
    ),
    level_4 AS
    (
        SELECT
            s.unit AS unit,
            if(p.unit = '', s.since, greatest(s.since, p.since)) AS since,
            if(p.unit = '', s.until, least(s.until, p.until)) AS until,
            s.name AS name, s.kind AS kind, s.parent AS parent,
            if(s.brand = '', p.brand, s.brand) AS brand,
            if(s.region = '', p.region, s.region) AS region,
            if(s.timezone = '', p.timezone, s.timezone) AS timezone,
            if(s.currency = '', p.currency, s.currency) AS currency,
            if(isNull(s.latitude), p.latitude, s.latitude) AS latitude,
            if(isNull(s.longitude), p.longitude, s.longitude) AS longitude,
            if(s.prayer_method = '', p.prayer_method, s.prayer_method) AS prayer_method,
            s.capacity AS capacity,
            p.parent AS up
        FROM level_3 AS s
        LEFT JOIN said AS p ON p.unit = s.up
        WHERE p.unit = '' OR (p.since < s.until AND s.since < p.until)
    ),
    level_5 AS
    (
        SELECT
            s.unit AS unit,
            if(p.unit = '', s.since, greatest(s.since, p.since)) AS since,
            if(p.unit = '', s.until, least(s.until, p.until)) AS until,
            s.name AS name, s.kind AS kind, s.parent AS parent,
            if(s.brand = '', p.brand, s.brand) AS brand,
            if(s.region = '', p.region, s.region) AS region,
            if(s.timezone = '', p.timezone, s.timezone) AS timezone,
            if(s.currency = '', p.currency, s.currency) AS currency,
            if(isNull(s.latitude), p.latitude, s.latitude) AS latitude,
            if(isNull(s.longitude), p.longitude, s.longitude) AS longitude,
            if(s.prayer_method = '', p.prayer_method, s.prayer_method) AS prayer_method,
            s.capacity AS capacity,
            p.parent AS up
        FROM level_4 AS s
        LEFT JOIN said AS p ON p.unit = s.up
        WHERE p.unit = '' OR (p.since < s.until AND s.since < p.until)
    ),
    level_6 AS
    (
        SELECT
            s.unit AS unit,
            if(p.unit = '', s.since, greatest(s.since, p.since)) AS since,
            if(p.unit = '', s.until, least(s.until, p.until)) AS until,
            s.name AS name, s.kind AS kind, s.parent AS parent,
            if(s.brand = '', p.brand, s.brand) AS brand,
            if(s.region = '', p.region, s.region) AS region,
            if(s.timezone = '', p.timezone, s.timezone) AS timezone,
            if(s.currency = '', p.currency, s.currency) AS currency,
            if(isNull(s.latitude), p.latitude, s.latitude) AS latitude,
            if(isNull(s.longitude), p.longitude, s.longitude) AS longitude,
            if(s.prayer_method = '', p.prayer_method, s.prayer_method) AS prayer_method,
            s.capacity AS capacity,
            p.parent AS up
        FROM level_5 AS s
        LEFT JOIN said AS p ON p.unit = s.up
        WHERE p.unit = '' OR (p.since < s.until AND s.since < p.until)
    ),
    branded AS
    (
        SELECT
            s.unit AS unit,
            if(p.unit = '', s.since, greatest(s.since, p.since)) AS since,
            if(p.unit = '', s.until, least(s.until, p.until)) AS until,
            s.name AS name, s.kind AS kind, s.parent AS parent,
            if(s.brand = '', p.brand, s.brand) AS brand,
            if(s.region = '', p.region, s.region) AS region,
            if(s.timezone = '', p.timezone, s.timezone) AS timezone,
            if(s.currency = '', p.currency, s.currency) AS currency,
            s.latitude AS latitude,
            s.longitude AS longitude,
            if(s.prayer_method = '', p.prayer_method, s.prayer_method) AS prayer_method,
            s.capacity AS capacity,
            '' AS up
        FROM level_6 AS s
        LEFT JOIN said AS p ON p.unit = s.brand
        WHERE p.unit = '' OR (p.since < s.until AND s.since < p.until)
    )
SELECT
    unit, since AS valid_from, until AS valid_until, name, kind, parent, brand, region, timezone, currency, latitude,
    longitude, prayer_method, capacity
FROM branded
SETTINGS join_use_nulls = 0
COMMENT 'What holds of each unit at each time, with what it has from its parents and its brand';
