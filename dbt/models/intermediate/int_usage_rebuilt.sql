{#-
    First and changed values, in the order in which they were known. Of the rows known at one moment the last published
    counts; a row equal to what was known before it makes no fact. The order never depends on when files came to us.
-#}
-- depends_on: {{ ref('int_usage_touched') }}
{{ config(pre_hook="set local work_mem = '128MB'", indexes=[
    {'columns': ['series_id', 'period_start', 'known_at'], 'unique': True},
    {'columns': ['load_id'], 'type': 'brin'},
]) }}

with observed as (
    select
        usage.series_id,
        usage.period_start,
        usage.known_at,
        usage.load_rank,
        usage.period_end,
        usage.value,
        usage.value_status,
        usage.reporting_units,
        usage.is_provisional,
        usage.known_at_is_assumed,
        usage.time_is_ambiguous,
        usage.observed_at,
        usage.load_id,
        usage.line,
        lag(usage.load_id) over known is null
        or (lag(usage.value) over known is distinct from usage.value)
        or lag(usage.value_status) over known <> usage.value_status
        or (lag(usage.reporting_units) over known is distinct from usage.reporting_units)
        or lag(usage.is_provisional) over known <> usage.is_provisional
        or lag(usage.period_end) over known <> usage.period_end as is_change
    from {{ ref('stg_usage') }} as usage
    {% if builds_delta('fct_usage') -%}
    inner join {{ ref('int_usage_touched') }} as touched
        on usage.series_id = touched.series_id and usage.period_start = touched.period_start
    {% endif -%}
    window known as (
        partition by usage.series_id, usage.period_start
        order by usage.known_at, usage.load_rank
    )
),

changed as (
    select
        observed.*,
        lead(known_at) over (partition by series_id, period_start order by known_at, load_rank) as next_known_at
    from observed
    where is_change
),

settled as (
    select
        changed.*,
        lag(load_id) over known is null
        or (lag(value) over known is distinct from value)
        or lag(value_status) over known <> value_status
        or (lag(reporting_units) over known is distinct from reporting_units)
        or lag(is_provisional) over known <> is_provisional
        or lag(period_end) over known <> period_end as is_still_a_change
    from changed
    where next_known_at is distinct from known_at
    window known as (partition by series_id, period_start order by known_at, load_rank)
)

select
    series_id,
    period_start,
    period_end,
    known_at,
    lead(known_at) over (partition by series_id, period_start order by known_at, load_rank) as known_until,
    lead(known_at) over (partition by series_id, period_start order by known_at, load_rank) is null as is_current,
    value,
    value_status,
    is_provisional,
    reporting_units,
    known_at_is_assumed,
    time_is_ambiguous,
    observed_at,
    load_id,
    line
from settled
where is_still_a_change
