select
    touchpoint,
    count() as cases,
    countIf(resolved_at is null) as open,
    round(quantileExactOrNullIf(0.5)(dateDiff('second', opened_at, first_response_at) / 3600, first_response_at is not null), 2)
        as response_hours
from {{ source('rihla', 'cases') }}
where opened_at is not null
group by touchpoint
