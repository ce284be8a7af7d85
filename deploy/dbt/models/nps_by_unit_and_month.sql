-- As `rihla query nps --param by=unit` has it, but by the unit that the answer itself names, and by month UTC.
select
    ifNull(unit, '') as unit,
    toStartOfMonth(toDate(occurred_at)) as month,
    count() as answers,
    countIf(survey.score >= 9) as promoters,
    countIf(survey.score <= 6) as detractors,
    round(100 * (promoters - detractors) / answers, 1) as nps,
    round(196 * sqrt(((promoters + detractors) / answers - pow((promoters - detractors) / answers, 2)) / answers), 1) as margin
from {{ source('rihla', 'contacts') }}
where survey.instrument = 'nps'
group by unit, month
