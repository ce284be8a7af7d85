-- Responses
--
-- Who is asked, who answers, and whether those who do not are like those who do: response rate and NPS by segment, and the
-- bias of non-response. Before they were asked, guests have felt one way or the other (mean score of their earlier events):
-- bias is that of those who answered less that of all who were asked. Above 0, those who answer are the happier ones, and
-- NPS is too high; null: nothing is known of one of the two. Invitations count that were sent.
--
-- columns:
--   segment    Value of what is grouped by; empty where it is not known
--   asked      Invitations sent
--   answered   Of these, answered
--   rate       Of these, answered, per cent
--   margin     Margin of error of the rate at 95 %, in points; null where all went alike
--   silent     Of these, not answered, and expired
--   hours      Median hours from sending to the answer; null: nobody answered
--   nps        Net Promoter Score of their answers by link; null: there is none
--   felt       Mean score of earlier events of all who were asked, -1 to 1; null: nothing was expressed
--   bias       That of those who answered less that of all who were asked
-- parameters:
--   by String = unit                                      What to group by: all, unit, survey, language, channel, month
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First sending counted
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First sending no longer counted
SELECT
    multiIf(
        {by:String} = 'all', 'all',
        {by:String} = 'unit', ifNull(toString(v.unit), ''),
        {by:String} = 'survey', toString(v.survey),
        {by:String} = 'language', toString(v.language),
        {by:String} = 'channel', toString(v.channel),
        {by:String} = 'month', formatDateTime(v.sent, '%Y-%m'),
        toString(throwIf(1, 'by is one of: all, unit, survey, language, channel, month'))) AS segment,
    count() AS asked,
    countIf(v.answered_at IS NOT NULL) AS answered,
    round(100 * answered / asked, 1) AS rate,
    round(1.96 * sqrt(nullIf(rate * (100 - rate), 0) / asked), 1) AS margin,
    countIf(v.answered_at IS NULL AND v.expires_at < now64(3)) AS silent,
    round(quantileExactInclusiveOrNullIf(0.5)(dateDiff('second', v.sent, assumeNotNull(v.answered_at)), v.answered_at IS NOT NULL) / 3600, 1) AS hours,
    round(100 * (countIf(n.score >= 9) - countIf(n.score <= 6)) / nullIf(countIf(n.score IS NOT NULL), 0), 1) AS nps,
    round(avgOrNull(f.felt), 3) AS felt,
    round(avgOrNullIf(assumeNotNull(f.felt), f.felt IS NOT NULL AND v.answered_at IS NOT NULL) - avgOrNull(f.felt), 3) AS bias
FROM
(
    SELECT *, assumeNotNull(sent_at) AS sent FROM invitations
    WHERE sent_at IS NOT NULL AND sent_at >= {since:DateTime64(3,'UTC')} AND sent_at < {until:DateTime64(3,'UTC')}
) AS v
LEFT ANY JOIN
(
    SELECT attributes['invitation'] AS id, argMin(toNullable(survey.score), occurred_at) AS score FROM interactions
    WHERE survey.instrument = 'nps' AND attributes['invitation'] != '' GROUP BY id
) AS n ON n.id = v.invitation_id
LEFT ANY JOIN
(
    SELECT w.invitation_id AS id, avgOrNull(i.score) AS felt
    FROM (SELECT invitation_id, customer_id, assumeNotNull(sent_at) AS sent FROM invitations WHERE sent_at IS NOT NULL) AS w
    INNER JOIN (SELECT assumeNotNull(customer_id) AS customer_id, occurred_at, score FROM interactions
        WHERE score IS NOT NULL AND customer_id IS NOT NULL) AS i ON i.customer_id = w.customer_id
    WHERE i.occurred_at < w.sent GROUP BY id
) AS f ON f.id = v.invitation_id
GROUP BY segment
ORDER BY asked DESC, segment
