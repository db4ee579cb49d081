{{ config(indexes=[{'columns': ['date'], 'unique': True}]) }}

select
    day::date as date,
    extract(isoyear from day)::integer as iso_year,
    extract(week from day)::integer as iso_week,
    extract(isodow from day)::integer as iso_weekday,
    extract(year from day)::integer as year,
    extract(quarter from day)::integer as quarter,
    extract(month from day)::integer as month,
    date_trunc('week', day)::date as week_start,
    date_trunc('month', day)::date as month_start,
    extract(isodow from day) in (6, 7) as is_weekend
from generate_series(timestamp '2006-01-01', timestamp '2030-12-31', interval '1 day') as day
