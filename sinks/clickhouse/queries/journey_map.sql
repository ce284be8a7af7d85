-- Journey map
--
-- Where customers meet the company on their way, how that feels, and where they are lost: each stage (or whatever else the
-- columns are) by how they were met. Surveys and reviews are left out: they ask or tell how it was, and are not where it was.
--
-- A journey was lost when it was cancelled or not shown up for before the guest came, or when nothing was ever booked
-- although the customer had been on the channel booking, and it has been quiet for 30 days before the latest event stored: as in pain_points.
--
-- columns:
--   segment          Stage, or what else is grouped by
--   medium           How the customer was met: web, app, kiosk, call_centre ...
--   volume           Interactions
--   customers        Customers
--   journeys         Journeys
--   scored           Interactions with a score
--   sentiment        Mean score, -1 to 1
--   margin           Margin of error of the mean at 95 %: 1.96 x s / sqrt(scored); null where all are alike
--   negative_share   Share of the scored interactions whose score is below 0
--   drop_off         Share of the journeys that were lost here or later
--   pain             volume x negative_share x drop_off
-- samples:
--   scored           sentiment, margin, negative_share, pain
-- compared:
--   sentiment        segment, medium
-- parameters:
--   by String = stage                                     What the columns of the map are: {segments}
--   {clocks}
--   {filters}
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First moment counted
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First moment no longer counted
SELECT
    b.segment AS segment,
    b.medium AS medium,
    sum(b.volume) AS volume,
    uniqExact(b.customer_id) AS customers,
    countIf(b.journey_id IS NOT NULL) AS journeys,
    sum(b.scores) AS scored,
    round(sum(b.score_sum) / nullIf(scored, 0), 3) AS sentiment,
    if(min(b.lowest) < max(b.highest), round(1.96 * sqrt(greatest(0,
        (sum(b.squares) - pow(sum(b.score_sum), 2) / scored) / (scored - 1)) / scored), 3), NULL) AS margin,
    round(sum(b.negative) / nullIf(scored, 0), 4) AS negative_share,
    round(if(journeys = 0, 0, countIf(if(j.held = 'exploring', j.lost_at = b.last_at, j.lost_at >= b.last_at)) / journeys), 4) AS drop_off,
    round(volume * ifNull(negative_share, 0) * drop_off, 2) AS pain{compared:mean:sum(b.score_sum) / nullIf(sum(b.scores), 0):(sum(b.squares) - pow(sum(b.score_sum), 2) / nullIf(sum(b.scores), 0)) / nullIf(sum(b.scores) - 1, 0):sum(b.scores)}
FROM
(
    SELECT
        {segment} AS segment,
        toString(i.medium) AS medium,
        i.journey_id AS journey_id,
        i.customer_id AS customer_id,
        count() AS volume,
        count(i.score) AS scores,
        sum(i.score) AS score_sum,
        sum(i.score * i.score) AS squares,
        min(i.score) AS lowest,
        max(i.score) AS highest,
        countIf(i.score < 0) AS negative,
        max(i.occurred_at) AS last_at
    FROM interactions AS i
    {segment_joins}
    WHERE i.occurred_at >= {since:DateTime64(3,'UTC')} AND i.occurred_at < {until:DateTime64(3,'UTC')}
        AND NOT {is_survey} AND {fits}
    GROUP BY segment, medium, journey_id, customer_id
) AS b
-- Those that were lost, and when.
LEFT ANY JOIN
(
    SELECT journey_id, {held} AS held, multiIf(held = 'cancelled', cancelled_at, held = 'no_show', no_show_at, last_event_at) AS lost_at
    FROM journeys
    WHERE held IN ('cancelled', 'no_show') OR (held = 'exploring' AND booking_interactions > 0
        AND last_event_at < (SELECT max(last_event_at) FROM journeys) - INTERVAL 30 DAY)
) AS j ON j.journey_id = b.journey_id
GROUP BY segment, medium
ORDER BY indexOf(['exploring', 'booked', 'checked_in', 'in_stay', 'completed', 'cancelled', 'no_show'], segment), segment,
    volume DESC, medium
