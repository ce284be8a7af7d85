select marted.journeys, counted.journeys
from (select sum(journeys) as journeys from {{ ref('journeys_by_month') }}) as marted
cross join (select count() as journeys from {{ source('rihla', 'journeys') }} where kind = 'booking') as counted
where marted.journeys != counted.journeys
