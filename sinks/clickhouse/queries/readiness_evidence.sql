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
    formatDateTime(p.at, '%Y-%m-%d %H:%i:%S', if(p.timezone = '', 'UTC', p.timezone)) AS local_time,
    {prayer_window} AS prayer_window,
    p.touchpoint AS touchpoint,
    round(if(p.need = 'ramadan', toFloat64({ramadan_meal} != 'fast'), p.well), 3) AS well,
    round(exp2(-dateDiff('second', p.at, today) / (86400 * {half_life:Float64})), 3) AS weight,
    p.language AS language,
    p.text AS text
FROM
(
    SELECT e.piece.1 AS need, e.piece.2 AS well, e.at AS at, e.touchpoint AS touchpoint,
        if(need = 'ramadan', NULL, e.language) AS language, if(need = 'ramadan', NULL, e.text) AS text,
        u.place AS place, u.timezone AS timezone
    FROM
    (
        SELECT
            {attributed_unit} AS its_unit, occurred_at AS at, toString(touchpoint) AS touchpoint, toString(language) AS language, text,
            arrayJoin(arrayConcat(
                if(touchpoint IN ('stay.suhoor_served', 'stay.iftar_served'), [('ramadan', 0.)],
                    arrayFilter(one -> one.1 != '', arrayMap(mention -> (
                        multiIf(mention.score IS NULL, '',
                            touchpoint IN ('stay.wudu_facility_used', 'stay.wudu_facility_unusable'), 'washrooms',
                            mention.aspect = 'halal_food', 'halal_food', mention.aspect = 'prayer', 'prayer',
                            mention.aspect = 'ziyarah', 'local_experiences', ''),
                        (1 + ifNull(mention.score, 0)) / 2), aspects))),
                if(channel = 'stay' AND touchpoint = 'stay.privacy_breach', [('privacy', 0.)], []),
                if((customer_id, occurred_at) IN
                    (SELECT customer_id, occurred_at FROM alerts_attributed WHERE rule = 'harassment' AND attributed_unit = {unit:String}),
                    [('no_islamophobia', 0.)], []))) AS piece
        FROM interactions AS i
        {attributed_join}
        WHERE its_unit = {unit:String} AND its_unit != ''
            AND occurred_at >= {since:DateTime64(3,'UTC')} AND occurred_at < {until:DateTime64(3,'UTC')}
    ) AS e
    LEFT ASOF JOIN unit_places AS u ON u.unit = e.its_unit AND u.valid_from <= e.at
) AS p
LEFT ASOF JOIN prayer_times AS t ON t.place = p.place AND t.fajr <= p.at
WHERE p.need != 'ramadan' OR {ramadan_meal} IN ('suhoor', 'iftar', 'fast')
ORDER BY weight * (0.5 - well) DESC, at DESC, need
LIMIT {limit:UInt32}
SETTINGS join_use_nulls = 0
