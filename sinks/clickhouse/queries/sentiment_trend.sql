-- Sentiment trend of customers
--
-- Who feels better or worse than before: a straight line through the scores of the last days before a moment, by least
-- squares, weighted by their sources (weight w, score x, t days before the moment):
--
--   slope = sum(w (t - T) (x - X)) / sum(w (t - T)^2), T and X being the weighted means
--
-- improving or declining when the slope is more than 1.96 standard errors from 0, else steady; too_few below the minimum of
-- scores, or where they lie within a few days (standard deviation of t below 3 days). By direction it is its own back-test:
-- what those customers felt in as many days after the moment, against before.
--
-- columns:
--   segment          customer_id, or the direction
--   direction        improving, declining, steady or too_few
--   customers        Customers
--   scores           Scores before the moment: the sample
--   before           Mean score before the moment (of customers: mean of their means)
--   slope            Change of the score in 30 days, likewise
--   judged           Customers with scores in as many days after the moment
--   change           Their mean score then, less that before: the trend went on if it has the sign of the slope
--   margin           Margin of error of the change at 95 %: 1.96 x s / sqrt(judged); null where all changes are alike
-- parameters:
--   by String = direction         direction, or customer
--   at String =                   The moment, ISO 8601, UTC; empty: that of the latest interaction, after which there is nothing
--   days UInt32 = 180             How far to look back, and ahead
--   minimum UInt32 = 5            Fewest scores for a direction
--   limit UInt32 = 100            Most rows
WITH
    if({at:String} = '',
        (SELECT max(occurred_at) FROM interactions WHERE score IS NOT NULL),
        parseDateTime64BestEffort(if({at:String} = '', '2000-01-01', {at:String}), 3, 'UTC')) AS moment
SELECT
    multiIf({by:String} = 'direction', toward, {by:String} = 'customer', customer_id,
        toString(throwIf(1, 'by is one of: direction, customer'))) AS segment,
    any(toward) AS direction,
    count() AS customers,
    sum(n) AS scores,
    round(avg(mean_x), 3) AS before,
    round(30 * avg(line), 3) AS slope,
    count(later) AS judged,
    round(avg(later - mean_x), 3) AS change,
    if(min(later - mean_x) < max(later - mean_x), round(1.96 * stddevSamp(later - mean_x) / sqrt(judged), 3), NULL) AS margin
FROM
(
    SELECT
        customer_id, n, mean_x, later,
        if(n >= greatest({minimum:UInt32}, 3) AND sqrt(stt / sw) >= 3, stx / stt, NULL) AS line,
        if(line IS NULL, NULL, sqrt(greatest(0, sxx - stx * stx / stt) / (n - 2) / stt)) AS error,
        multiIf(line IS NULL, 'too_few',
            line - 1.96 * error > 0, 'improving', line + 1.96 * error < 0, 'declining', 'steady') AS toward
    FROM
    (
        SELECT
            customer_id,
            countIf(t <= 0) AS n,
            sumIf(w, t <= 0) AS sw,
            sumIf(w * x, t <= 0) / sw AS mean_x,
            sumIf(w * t, t <= 0) / sw AS mean_t,
            sumIf(w * t * t, t <= 0) - sw * mean_t * mean_t AS stt,
            sumIf(w * t * x, t <= 0) - sw * mean_t * mean_x AS stx,
            sumIf(w * x * x, t <= 0) - sw * mean_x * mean_x AS sxx,
            if(countIf(t > 0) = 0, NULL, sumIf(w * x, t > 0) / sumIf(w, t > 0)) AS later
        FROM
        (
            SELECT
                i.customer_id AS customer_id,
                assumeNotNull(i.score) AS x,
                assumeNotNull(i.score_weight) AS w,
                dateDiff('millisecond', moment, i.occurred_at) / 86400000 AS t
            FROM interactions AS i
            WHERE i.score IS NOT NULL AND i.score_weight > 0
                AND i.occurred_at > moment - toIntervalDay({days:UInt32}) AND i.occurred_at <= moment + toIntervalDay({days:UInt32})
        )
        GROUP BY customer_id
        HAVING n > 0
    )
)
GROUP BY segment
ORDER BY indexOf(['declining', 'improving', 'steady', 'too_few'], direction), slope, segment
LIMIT {limit:UInt32}
