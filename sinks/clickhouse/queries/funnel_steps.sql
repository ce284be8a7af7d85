-- Funnel of chosen steps
--
-- How many customers (or journeys) get from one chosen step to the next in time: rihla query funnel --param steps=... asks
-- it. A step is a touchpoint; * stands for anything in its name, and | parts several of which each will do. In order, each
-- step must come after the one before, within the window from the first one; anything may happen in between but what is
-- excluded, which ends an attempt. Who tries again is counted by the attempt that got furthest. In any order, as many steps
-- as happened within a window are reached. What begins an attempt must fit the conditions and lie in the span; later steps need not.
--
-- low and high: Wilson's score interval of of_previous (Journal of the American Statistical Association 22, 1927).
--
-- columns:
--   segment          Value of what is grouped by, at the first beginning; 'all' without grouping
--   step             1 for the first
--   name             The step; of any order: that many of them
--   reached          Customers or journeys that got there
--   of_first         Share of those that began, per cent
--   of_previous      Share of those that reached the step before, per cent
--   low              Lower end of its 95 % interval
--   high             Upper end
--   median_hours     Median time from the first step of that attempt, hours
--   began            Customers or journeys that began, with that segment
-- samples:
--   began            of_first, of_previous, low, high, median_hours
-- parameters:
--   steps String = booking.searched,booking.started,booking.confirmed   The steps, commas between
--   order String = ordered                                ordered, or any
--   within_days Float64 = 30                              Conversion window: days from the first step to the last
--   exclude String =                                      Touchpoints that end an attempt, as in a step
--   per String = customer                                 What passes: customer, or journey
--   by String = all                                       What to break down by: {segments}
--   {clocks}
--   {filters}
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First moment at which an attempt may begin
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First moment at which it may no longer begin
WITH
    splitByChar(',', {steps:String}) AS step_names,
    length(step_names) AS step_count,
    toInt64({within_days:Float64} * 86400000) AS window_ms,
    countIf(f.reached >= step - 1) AS before,
    countIf(f.reached >= step) / nullIf(before, 0) AS share,
    {wilson:share:before} AS bounds
SELECT
    f.segment AS segment,
    step,
    if({order:String} = 'any', concat('any ', toString(step)), step_names[step]) AS name,
    countIf(f.reached >= step) AS reached,
    round(100 * reached / nullIf(began, 0), 1) AS of_first,
    if(step = 1, NULL, round(100 * share, 1)) AS of_previous,
    if(step = 1, NULL, round(100 * bounds.1, 1)) AS low,
    if(step = 1, NULL, round(100 * bounds.2, 1)) AS high,
    round(quantileExactInclusiveOrNullIf(0.5)(f.took[step] / 3600000, f.reached >= step), 2) AS median_hours,
    countIf(f.reached >= 1) AS began
FROM
(
    SELECT
        segment,
        arrayFilter(time -> time >= 0, took_all) AS took,
        length(took) AS reached
    FROM
    (
        SELECT
            argMinIf(e.segment, (e.at, e.event_id), e.begins) AS segment,
            arraySort(groupArray((e.at, if(e.excluded, 0, indexOf(e.hits, 1)), e.event_id, e.hits, e.excluded, e.begins))) AS events,
            arrayWithConstant(step_count, toInt64(-1)) AS never,
            -- Of each step: when the latest attempt began that got there; and how long the first one to get there took.
            arrayFold(
                (known, event) -> if(event.5, (never, known.2), (
                    arrayMap(
                        (hit, own, start, at) -> multiIf(
                            NOT hit, own,
                            at = 1, if(event.6, event.1, own),
                            start >= 0 AND event.1 - start <= window_ms, greatest(own, start),
                            own),
                        event.4, known.1, arrayPushFront(arrayPopBack(known.1), toInt64(-1)), arrayEnumerate(known.1)),
                    arrayMap(
                        (hit, took, start, at) -> multiIf(
                            NOT hit OR took >= 0, took,
                            at = 1, if(event.6, toInt64(0), took),
                            start >= 0 AND event.1 - start <= window_ms, event.1 - start,
                            took),
                        event.4, known.2, arrayPushFront(arrayPopBack(known.1), toInt64(-1)), arrayEnumerate(known.1)))),
                events, (never, never)) AS in_order,
            -- Of each step when it was step_count; and of each number of steps within the window how long they took.
            arrayFold(
                (known, event) -> if(event.5, (never, known.2), (
                    arrayMap((hit, own) -> if(hit, event.1, own), event.4, known.1),
                    arrayMap(
                        (took, at) -> if(
                            took < 0 AND arrayCount((hit, own) -> hit OR (own >= 0 AND event.1 - own <= window_ms), event.4, known.1) >= at,
                            event.1 - arrayMin(arrayFilter(own -> own >= 0 AND event.1 - own <= window_ms,
                                arrayMap((hit, own) -> if(hit, event.1, own), event.4, known.1))),
                            took),
                        known.2, arrayEnumerate(known.2)))),
                events, (never, never)) AS in_any,
            multiIf({order:String} = 'ordered', in_order.2, {order:String} = 'any', in_any.2,
                arrayMap(one -> throwIf(1, 'order is one of: ordered, any'), never)) AS took_all
        FROM
        (
            SELECT
                multiIf({per:String} = 'customer', i.customer_id, {per:String} = 'journey', ifNull(i.journey_id, ''),
                    toString(throwIf(1, 'per is one of: customer, journey'))) AS who,
                {segment} AS segment,
                toUnixTimestamp64Milli(i.occurred_at) AS at,
                i.event_id AS event_id,
                arrayMap(step -> toUInt8(arrayExists(pattern -> toString(i.touchpoint) LIKE pattern,
                    splitByChar('|', replaceAll(replaceAll(step, '_', '\\_'), '*', '%')))), step_names) AS hits,
                {exclude:String} != '' AND arrayExists(pattern -> toString(i.touchpoint) LIKE pattern,
                    splitByChar('|', replaceAll(replaceAll({exclude:String}, '_', '\\_'), '*', '%'))) AS excluded,
                {fits} AND i.occurred_at < {until:DateTime64(3,'UTC')}
                    AND ({order:String} = 'any' OR hits[1] = 1) AND NOT excluded AS begins
            FROM interactions AS i
            {segment_joins}
            WHERE i.occurred_at >= {since:DateTime64(3,'UTC')}
                AND i.occurred_at < {until:DateTime64(3,'UTC')} + toIntervalSecond({within_days:Float64} * 86400)
                AND (has(hits, 1) OR excluded)
        ) AS e
        WHERE e.who != ''
        GROUP BY e.who
        HAVING countIf(e.begins) > 0
    )
) AS f
ARRAY JOIN arrayEnumerate(step_names) AS step
GROUP BY segment, step
ORDER BY segment, step
