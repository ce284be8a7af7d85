-- Pain points
--
-- Where it hurts most: touchpoints by volume x negative share x drop-off. A touchpoint weighs much when it happens often,
-- feels bad, and customers are lost at it or after it. Surveys and reviews are left out: they ask or tell how it was, and are
-- not where it hurt.
--
-- A journey was lost when it was cancelled or not shown up for before the guest came, or when nothing was ever booked
-- although the customer had been on the channel booking, and it has been quiet for 30 days before the latest event stored. One that is booked or under
-- way is open, not lost. After arrival hardly any journey is lost, so there pain is 0: where it is alike, volume x negative
-- share decides the order.
--
-- columns:
--   touchpoint       What happened
--   volume           Interactions
--   negative_share   Share of the interactions with a score whose score is below 0
--   drop_off         Share of the journeys with this touchpoint that were lost: cancelled or not shown up for at it or later,
--                    or never booked, and the touchpoint was their last interaction
--   pain             volume x negative_share x drop_off
--   sentiment        Mean score, -1 to 1
--   journeys         Journeys with this touchpoint
-- parameters:
--   {clocks}
--   {filters}
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First moment counted
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First moment no longer counted
--   limit UInt32 = 20                                     Most rows
WITH
    by_journey AS
    (
        SELECT
            i.journey_id AS journey_id,
            i.touchpoint AS touchpoint,
            count() AS volume,
            countIf(score < 0) AS negative,
            count(score) AS scored,
            sum(score) AS score_sum,
            max(occurred_at) AS last_at
        FROM interactions AS i
        {filter_joins}
        WHERE i.occurred_at >= {since:DateTime64(3,'UTC')} AND i.occurred_at < {until:DateTime64(3,'UTC')}
            AND NOT {is_survey} AND {fits}
        GROUP BY journey_id, touchpoint
    )
SELECT
    b.touchpoint AS touchpoint,
    sum(b.volume) AS volume,
    round(if(sum(b.scored) = 0, 0, sum(b.negative) / sum(b.scored)), 4) AS negative_share,
    round(if(journeys = 0, 0, countIf(
        (j.held = 'cancelled' AND j.cancelled_at >= b.last_at)
        OR (j.held = 'no_show' AND j.no_show_at >= b.last_at)
        OR (j.held = 'exploring' AND j.booking_interactions > 0 AND j.last_event_at = b.last_at
            AND j.last_event_at < (SELECT max(last_event_at) FROM journeys) - INTERVAL 30 DAY)
    ) / journeys), 4) AS drop_off,
    round(volume * negative_share * drop_off, 2) AS pain,
    round(if(sum(b.scored) = 0, NULL, sum(b.score_sum) / sum(b.scored)), 3) AS sentiment,
    countIf(b.journey_id IS NOT NULL) AS journeys
FROM by_journey AS b
LEFT ANY JOIN (SELECT journey_id, {held} AS held, cancelled_at, no_show_at, last_event_at, booking_interactions FROM journeys) AS j
    ON j.journey_id = b.journey_id
GROUP BY touchpoint
ORDER BY pain DESC, volume * negative_share DESC, volume DESC, touchpoint
LIMIT {limit:UInt32}
