-- Actions and their effect
--
-- What each action of the model's register (register.toml) changed, as `rihla actions` computed it last: the change of the mean at the
-- units where it was done, less that at comparable units. The interval of 95 % has the unit as its cluster; the back-test is the
-- same at earlier dates, at which nothing was done.
--
-- columns:
--   action           What was done
--   acted_on         First day on which it could be felt
--   units            Where
--   metric           nps, csat (points) or sentiment
--   verdict          better, worse, unclear, or untrusted: the back-test failed, or there is none
--   effect           Difference in differences, in points of the metric
--   low              Lower end of the interval
--   high             Upper end
--   days             Days before it, and from it on, that are compared
--   n_before         Answers there, before
--   n_after          Answers there, from then on
--   comparable       Units that they are compared with
--   n_comparable     Answers of these
--   p                Share of units that changed at least as much against the others
--   placebos         Earlier dates of the back-test
--   covered          Of these, those whose interval covers 0
--   computed_at      When it was computed
-- parameters:
--   unit String =    Only actions of units that fit it (several: with character 31 between); empty: all
SELECT
    action_name AS action, acted_on, units, metric, verdict, round(effect, 2) AS effect, round(low, 2) AS low,
    round(high, 2) AS high, days, n_before, n_after, comparable, n_comparable, round(p, 3) AS p, placebos, covered, computed_at
FROM action_effects
WHERE {unit:String} = '' OR arrayExists(
    place -> arrayExists(
        pattern -> place LIKE replaceAll(replaceAll(replaceAll(replaceAll(pattern, '\\', '\\\\'), '%', '\\%'), '_', '\\_'), '*', '%'),
        units),
    splitByChar(char(31), {unit:String}))
ORDER BY acted_on DESC, action_name, metric
