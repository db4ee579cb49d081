{{ config(indexes=[{'columns': ['date'], 'unique': True}]) }}

select
    day::date as date,
    extract(isoyear from day)::integer as iso_year,
    extract(week from day)::integer as iso_week,
    to_char(day, 'IYYY"-W"IW') as iso_week_label,
    extract(isodow from day)::integer as iso_weekday,
    trim(to_char(day, 'Day')) as weekday_name_en,
    (array['星期一', '星期二', '星期三', '星期四', '星期五', '星期六', '星期日'])[extract(isodow from day)::integer]
        as weekday_name_zh,
    extract(year from day)::integer as year,
    extract(quarter from day)::integer as quarter,
    extract(month from day)::integer as month,
    trim(to_char(day, 'Month')) as month_name_en,
    extract(month from day)::integer || '月' as month_name_zh,
    (array['winter', 'spring', 'summer', 'autumn'])[extract(month from day)::integer % 12 / 3 + 1] as season_en,
    (array['冬', '春', '夏', '秋'])[extract(month from day)::integer % 12 / 3 + 1] as season_zh,
    date_trunc('week', day)::date as week_start,
    date_trunc('month', day)::date as month_start,
    extract(isodow from day) in (6, 7) as is_weekend,
    coalesce(holiday.countries, array[]::text[]) as holiday_countries
from generate_series(timestamp '2006-01-01', timestamp '2030-12-31', interval '1 day') as day
left join (
    select
        date,
        array_agg(country_code order by country_code) as countries
    from {{ ref('public_holiday') }}
    where kind = 'holiday' and parts is null
    group by date
) as holiday on day::date = holiday.date
