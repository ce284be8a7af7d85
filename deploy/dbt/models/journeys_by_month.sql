select
    toStartOfMonth(toDate(started_at)) as month,
    status,
    count() as journeys,
    uniqExact(customer_id) as customers,
    sum(interactions) as interactions,
    round(sum(score_sum) / nullIf(sum(score_count), 0), 3) as sentiment,
    countIf(cases_opened > cases_resolved) as with_open_cases
from {{ source('rihla', 'journeys') }}
where kind = 'booking'
group by month, status
