-- Rows are what is wrong: the answers of the mart are not those of the source.
select marted.answers, counted.answers
from (select sum(answers) as answers from {{ ref('nps_by_unit_and_month') }}) as marted
cross join (select count() as answers from {{ source('rihla', 'contacts') }} where survey.instrument = 'nps') as counted
where marted.answers != counted.answers
