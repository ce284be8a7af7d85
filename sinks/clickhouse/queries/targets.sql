-- Targets
--
-- Whether what the model wants (targets.toml) is met: each target in each period, of each unit that it is about, or of all
-- together (unit is empty). Answers of a unit are those that it is responsible for, as by=unit of nps has them. A period whose
-- answers are fewer than the target's minimum is not judged; one that has no answers has no row.
--
-- Intervals of 95 %: csat: Wilson (Journal of the American Statistical Association 22, 1927). nps: adjusted Wald with three
-- answers more, 3/4 of them promoters, 3/4 detractors (Rocks, The American Statistician 70(4), 2016, AW(3/4, 3)). ces and
-- sentiment: mean +- 1.96 s / sqrt(n); null where all answers are alike.
--
-- columns:
--   metric           nps, csat, ces or sentiment
--   unit             Unit; empty: all together
--   period           day, week, month, quarter or year
--   starts           First day of the period
--   ends             First day after it
--   target           What is wanted: at least
--   actual           What it is
--   low              Lower end of the interval
--   high             Upper end
--   n                Answers
--   minimum          Fewest answers by which it is judged
--   status           met, missed, or not enough answers
--   certain          1: the interval does not reach across the target
--   running          1: the period has not ended yet
-- parameters:
--   elsewhere String = UTC                                The time zone of days (rihla query --timezone)
--   unit String =                                         Only this unit (several: with character 31 between)
--   periods UInt32 = 12                                   Most periods of a target and unit, the latest first
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       Only periods that end after it
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       Only periods that begin before it
WITH
    -- A period that has begun before `since` is read whole.
    (SELECT max(transform(toString(period), ['day', 'week', 'month', 'quarter', 'year'], [1, 7, 31, 92, 366], 0)) FROM targets) AS longest,
    days AS
    (
        SELECT
            one.1 AS measure,
            ifNull(toString(attributed_unit), '') AS place,
            toDate(occurred_at, {elsewhere:String}) AS day,
            count() AS answers,
            sum(one.2) AS total,
            sum(one.2 * one.2) AS squares,
            countIf(one.2 > 0) AS above,
            countIf(one.2 < 0) AS below
        FROM interactions_attributed
        ARRAY JOIN arrayFilter(said -> said.2 IS NOT NULL, [
            ('nps', if(survey.instrument = 'nps', 100. * ((survey.score >= 9) - (survey.score <= 6)), NULL)),
            ('csat', if(survey.instrument = 'csat', 100. * (survey.score >= 4), NULL)),
            ('ces', if(survey.instrument = 'ces', survey.score, NULL)),
            ('sentiment', score)]) AS one
        WHERE (SELECT count() FROM targets) > 0
            AND occurred_at >= if({since:DateTime64(3,'UTC')} > toDateTime64('1972-01-01 00:00:00', 3, 'UTC'),
                {since:DateTime64(3,'UTC')} - toIntervalDay(longest + 1), {since:DateTime64(3,'UTC')})
            AND occurred_at < least({until:DateTime64(3,'UTC')}, toDateTime64('2200-01-01 00:00:00', 3, 'UTC')) + toIntervalDay(longest + 1)
            AND (score IS NOT NULL OR survey.instrument IN ('nps', 'csat', 'ces'))
            AND ({unit:String} = '' OR has(splitByChar(char(31), {unit:String}), ifNull(toString(attributed_unit), '')))
        GROUP BY measure, place, day
    ),
    held AS
    (
        SELECT
            t.metric AS metric, t.rank AS rank, t.period AS period, t.target AS target, t.minimum AS minimum,
            if(empty(t.units), '', d.place) AS unit, d.day AS day, d.answers AS answers, d.total AS total,
            d.squares AS squares, d.above AS above, d.below AS below,
            multiIf(t.period = 'day', d.day, t.period = 'week', toMonday(d.day), t.period = 'month', toStartOfMonth(d.day),
                t.period = 'quarter', toStartOfQuarter(d.day), toStartOfYear(d.day)) AS starts,
            -- Of a unit the first entry that fits holds, for a metric and kind of period.
            empty(t.units) OR t.rank = min(if(empty(t.units), 65535, t.rank)) OVER (PARTITION BY t.metric, t.period, d.place) AS holds
        FROM days AS d
        INNER JOIN targets AS t ON t.metric = d.measure
        WHERE if(empty(t.units), {unit:String} = '', d.place != '' AND arrayExists(
            pattern -> d.place LIKE replaceAll(replaceAll(replaceAll(replaceAll(pattern, '\\', '\\\\'), '%', '\\%'), '_', '\\_'), '*', '%'),
            t.units))
    ),
    judged AS
    (
        SELECT
            metric, rank, unit, period, starts,
            multiIf(period = 'day', starts + toIntervalDay(1), period = 'week', starts + toIntervalWeek(1),
                period = 'month', starts + toIntervalMonth(1), period = 'quarter', starts + toIntervalQuarter(1),
                starts + toIntervalYear(1)) AS ends,
            any(h.target) AS target, any(h.minimum) AS minimum,
            sum(answers) AS n, sum(total) AS sum, sum(squares) AS sum_squares, sum(above) AS positive, sum(below) AS negative,
            sum / n AS mean,
            (positive + 0.75) / (n + 3) AS p, (negative + 0.75) / (n + 3) AS d,
            196 * sqrt((p + d - pow(p - d, 2)) / (n + 3)) AS wald,
            positive / n AS share,
            (share + 3.8416 / (2 * n)) / (1 + 3.8416 / n) AS middle,
            1.96 / (1 + 3.8416 / n) * sqrt(share * (1 - share) / n + 3.8416 / (4 * n * n)) AS wilson,
            if(n > 1 AND sum_squares - n * mean * mean > 1e-9, 1.96 * sqrt((sum_squares - n * mean * mean) / (n - 1) / n), NULL) AS normal
        FROM held AS h
        WHERE holds
        GROUP BY metric, rank, unit, period, starts
    )
SELECT
    metric, unit, period, starts, ends, target,
    round(mean, if(metric IN ('nps', 'csat'), 1, 3)) AS actual,
    round(multiIf(metric = 'nps', greatest(100 * (p - d) - wald, -100), metric = 'csat', 100 * (middle - wilson), mean - normal), 3) AS low,
    round(multiIf(metric = 'nps', least(100 * (p - d) + wald, 100), metric = 'csat', 100 * (middle + wilson), mean + normal), 3) AS high,
    n, minimum,
    multiIf(n < minimum, 'not enough answers', mean >= target, 'met', 'missed') AS status,
    toUInt8(n >= minimum AND ifNull(if(mean >= target, low >= target, high < target), 0)) AS certain,
    toUInt8(ends > toDate(now(), {elsewhere:String})) AS running
FROM judged
WHERE toDateTime64(ends, 3, 'UTC') > {since:DateTime64(3,'UTC')} AND toDateTime64(starts, 3, 'UTC') < {until:DateTime64(3,'UTC')}
QUALIFY row_number() OVER (PARTITION BY metric, rank, unit, period ORDER BY starts DESC) <= {periods:UInt32}
ORDER BY metric, period, unit, starts DESC
