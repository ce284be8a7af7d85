-- Evidence of halal readiness
--
-- The pieces that `halal_readiness` counts of one unit, those that weigh most against it first, each with its time on the unit's
-- clock and the prayer that was prayed then. Guests without a report of a breach or of harassment are counted there and
-- not listed here; those with one are. Nobody is named: what was said stands for itself.
--
-- columns:
--   need           halal_food, prayer, washrooms, ramadan, local_experiences, privacy, no_islamophobia
--   at             When
--   local_time     The same by the unit's clock
--   prayer_window  Prayer that was prayed there: fajr, dhuhr, jumua, asr, maghrib, isha, none; empty: the unit has no coordinates
--   touchpoint     What happened
--   well           Share that is well, 0 to 1
--   weight         What it weighs now
--   language       Language of the text; null: no text, or not known
--   text           What the guest said, scrubbed; null: nothing
-- parameters:
--   unit String =                                         The unit
--   half_life Float64 = 180                               Days in which evidence loses half of its weight
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First moment counted
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First moment no longer counted, and from which age is counted, now at most
--   limit UInt32 = 60                                     Most pieces
WITH least({until:DateTime64(3,'UTC')}, now64(3, 'UTC')) AS today
SELECT
    p.need AS need,
    p.at AS at,
    l.local_time AS local_time,
    l.prayer_window AS prayer_window,
    p.touchpoint AS touchpoint,
    round(p.well, 3) AS well,
    round(exp2(-dateDiff('second', p.at, today) / (86400 * {half_life:Float64})), 3) AS weight,
    p.language AS language,
    p.text AS text
FROM
(
    SELECT subject, event_id, occurred_at AS at, toString(touchpoint) AS touchpoint, (1 + assumeNotNull(mention.score)) / 2 AS well,
        toString(language) AS language, text,
        multiIf(touchpoint IN ('stay.wudu_facility_used', 'stay.wudu_facility_unusable'), 'washrooms',
            mention.aspect = 'halal_food', 'halal_food', mention.aspect = 'prayer', 'prayer',
            mention.aspect = 'ziyarah', 'local_experiences', '') AS need
    FROM (SELECT *, arrayJoin(aspects) AS mention FROM interactions_attributed WHERE notEmpty(aspects) AND attributed_unit = {unit:String})
    WHERE mention.score IS NOT NULL AND touchpoint NOT IN ('stay.suhoor_served', 'stay.iftar_served')
    UNION ALL
    SELECT subject, event_id, occurred_at, toString(touchpoint), toFloat64(ramadan_meal != 'fast'), NULL, NULL, 'ramadan'
    FROM interactions_local
    WHERE touchpoint IN ('stay.suhoor_served', 'stay.iftar_served') AND ramadan_meal IN ('suhoor', 'iftar', 'fast')
        AND attributed_unit = {unit:String}
    UNION ALL
    SELECT subject, event_id, occurred_at, toString(touchpoint), 0., toString(language), text, 'privacy'
    FROM interactions_attributed
    WHERE channel = 'stay' AND touchpoint = 'stay.privacy_breach' AND attributed_unit = {unit:String}
    UNION ALL
    SELECT i.subject, i.event_id, i.occurred_at, toString(i.touchpoint), 0., toString(i.language), i.text, 'no_islamophobia'
    FROM interactions_attributed AS i
    WHERE i.attributed_unit = {unit:String} AND (i.customer_id, i.occurred_at) IN
        (SELECT customer_id, occurred_at FROM alerts_attributed WHERE rule = 'harassment' AND attributed_unit = {unit:String})
) AS p
LEFT ANY JOIN
(
    SELECT subject, event_id, local_time, prayer_window FROM interactions_local WHERE attributed_unit = {unit:String}
) AS l ON l.subject = p.subject AND l.event_id = p.event_id
WHERE p.need != '' AND p.at >= {since:DateTime64(3,'UTC')} AND p.at < {until:DateTime64(3,'UTC')}
ORDER BY weight * (0.5 - well) DESC, at DESC, need
LIMIT {limit:UInt32}
SETTINGS join_use_nulls = 0
