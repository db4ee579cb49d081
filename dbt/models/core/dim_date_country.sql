{{ config(indexes=[{'columns': ['country_code', 'date'], 'unique': True}]) }}

-- Every day in every country that a feed is of; a weekend day may be worked, where a day off is made up for.
select
    country.country_code,
    dim_date.date,
    dim_date.iso_weekday::text = any(string_to_array(country.weekend_days, ' ')) as is_weekend,
    coalesce(holiday.kind = 'holiday' and holiday.parts is null, false) as is_holiday,
    coalesce(holiday.kind = 'holiday' and holiday.parts is not null, false) as is_holiday_in_parts,
    string_to_array(holiday.parts, ' ') as holiday_parts,
    holiday.name_en as day_name_en,
    holiday.name_zh as day_name_zh,
    holiday.name_local as day_name_local,
    case
        when holiday.kind = 'working_weekend' then true
        when holiday.kind = 'holiday' and holiday.parts is null then false
        else dim_date.iso_weekday::text <> all(string_to_array(country.weekend_days, ' '))
    end as is_working_day
from {{ ref('dim_date') }} as dim_date
cross join {{ ref('country_week') }} as country
left join {{ ref('public_holiday') }} as holiday
    on country.country_code = holiday.country_code and dim_date.date = holiday.date
