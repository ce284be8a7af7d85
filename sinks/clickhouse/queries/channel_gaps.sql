-- Channel gaps
--
-- The same journey on different channels: what changes when a customer moves from one to another. Every journey is compared
-- with itself, so that who uses a channel does not matter. A gap is the second's mean less the first's, averaged over the
-- journeys where both are known; null where there is none, as effort is where nobody said how easy it was.
--
-- Margin of error at 95 %: 1.96 x s / sqrt(n), s being the standard deviation of the gaps of the n journeys; null where all
-- gaps are alike.
--
-- columns:
--   channel          The first channel
--   other            The second one
--   journeys         Journeys on both
--   sentiment_gap    Mean score on the second less that on the first: below 0, it feels worse there
--   sentiment_n      Journeys with scores on both
--   sentiment_margin  Margin of error of the gap
--   effort_gap       The same of effort answers (CES, 1 to 7, high is easy)
--   effort_n         Journeys with answers on both
--   effort_margin    Margin of error of the gap
--   wait_gap         The same of the time waited for service, seconds
--   wait_n           Journeys with waiting times on both
--   response_gap     The same of the time to the first answer in a case, minutes; cases count on the channel that opened them
--   response_n       Journeys with answered cases on both
-- parameters:
--   by String = channel                                   channel, or medium (web, app, call_centre ...; no cases)
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First moment counted
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First moment no longer counted
SELECT
    pair.1.2 AS channel,
    pair.2.2 AS other,
    count() AS journeys,
    round(avg(pair.2.3 - pair.1.3), 3) AS sentiment_gap,
    count(pair.2.3 - pair.1.3) AS sentiment_n,
    if(min(pair.2.3 - pair.1.3) < max(pair.2.3 - pair.1.3), round(1.96 * stddevSamp(pair.2.3 - pair.1.3) / sqrt(sentiment_n), 3), NULL) AS sentiment_margin,
    round(avg(pair.2.4 - pair.1.4), 2) AS effort_gap,
    count(pair.2.4 - pair.1.4) AS effort_n,
    if(min(pair.2.4 - pair.1.4) < max(pair.2.4 - pair.1.4), round(1.96 * stddevSamp(pair.2.4 - pair.1.4) / sqrt(effort_n), 2), NULL) AS effort_margin,
    round(avg(pair.2.5 - pair.1.5), 1) AS wait_gap,
    count(pair.2.5 - pair.1.5) AS wait_n,
    round(avg(pair.2.6 - pair.1.6), 1) AS response_gap,
    count(pair.2.6 - pair.1.6) AS response_n
FROM
(
    SELECT
        arraySort(groupArray((rank, place, sentiment, effort, wait, response))) AS met,
        arrayJoin(arrayFlatten(arrayMap(
            first -> arrayMap(second -> (first, second), arrayFilter(second -> (second.1, second.2) > (first.1, first.2), met)),
            met))) AS pair
    FROM
    (
        SELECT
            assumeNotNull(i.journey_id) AS journey,
            multiIf({by:String} = 'channel', toString(i.channel), {by:String} = 'medium', toString(i.medium),
                toString(throwIf(1, 'by is one of: channel, medium'))) AS place,
            indexOf(['booking', 'check_in', 'stay', 'post_travel'], place) AS rank,
            avg(i.score) AS sentiment,
            avgIf(i.survey.score, i.survey.instrument = 'ces') AS effort,
            avg(i.wait_seconds) AS wait,
            any(c.minutes) AS response
        FROM interactions AS i
        LEFT ANY JOIN
        (
            SELECT
                ifNull(journey_id, '') AS journey_id,
                splitByChar('.', toString(touchpoint))[1] AS channel,
                avg(dateDiff('second', opened_at, first_response_at) / 60) AS minutes
            FROM cases
            WHERE {by:String} = 'channel' AND first_response_at >= opened_at
            GROUP BY journey_id, channel
        ) AS c ON c.journey_id = i.journey_id AND c.channel = i.channel
        WHERE i.journey_id IS NOT NULL AND i.occurred_at >= {since:DateTime64(3,'UTC')} AND i.occurred_at < {until:DateTime64(3,'UTC')}
        GROUP BY journey, place
    )
    GROUP BY journey
)
GROUP BY channel, other
ORDER BY journeys DESC, channel, other
