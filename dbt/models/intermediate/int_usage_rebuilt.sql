{#-
    First and changed values, in the order in which they were known. Of the rows known at one moment the last published
    counts; a row equal to what was known before it makes no fact. The order never depends on when files came to us.
-#}
-- depends_on: {{ ref('int_usage_touched') }}
{{ config(pre_hook="set local work_mem = '128MB'", indexes=[
    {'columns': ['series_id', 'period_start', 'known_at'], 'unique': True},
    {'columns': ['load_id'], 'type': 'brin'},
]) }}

with known as (
    select distinct on (usage.series_id, usage.period_start, usage.known_at) usage.*
    from {{ ref('stg_usage') }} as usage
    {% if builds_delta('fct_usage') -%}
    inner join {{ ref('int_usage_touched') }} as touched
        on usage.series_id = touched.series_id and usage.period_start = touched.period_start
    {% endif -%}
    order by usage.series_id, usage.period_start, usage.known_at, usage.load_rank desc
),

compared as (
    select
        known.*,
        lag(load_id) over moments is null
        or (lag(value) over moments is distinct from value)
        or lag(value_status) over moments <> value_status
        or (lag(reporting_units) over moments is distinct from reporting_units)
        or lag(is_provisional) over moments <> is_provisional
        or lag(period_end) over moments <> period_end as is_change
    from known
    window moments as (partition by series_id, period_start order by known_at)
)

select
    series_id,
    period_start,
    period_end,
    known_at,
    lead(known_at) over changes as known_until,
    lead(known_at) over changes is null as is_current,
    value,
    value_status,
    is_provisional,
    reporting_units,
    known_at_is_assumed,
    time_is_ambiguous,
    observed_at,
    load_id,
    line
from compared
where is_change
window changes as (partition by series_id, period_start order by known_at)
