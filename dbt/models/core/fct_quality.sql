{{ config(indexes=[
    {'columns': ['place_id', 'measure', 'period_start', 'period_end', 'dimensions', 'known_at'], 'unique': True},
]) }}

-- One row per moment known: of the rows known at one moment the last published counts.
with known as (
    select distinct on (place_id, measure, period_start, period_end, dimensions, known_at) quality.*
    from {{ ref('stg_quality') }} as quality
    order by place_id, measure, period_start, period_end, dimensions, known_at, load_rank desc, line desc
),

compared as (
    select
        known.*,
        (
            row(
                value, value_status, numerator, denominator, benchmark, benchmark_source, assessment_result, footnote
            )::text is distinct from lag(
                row(
                    value, value_status, numerator, denominator, benchmark, benchmark_source, assessment_result,
                    footnote
                )::text
            ) over (partition by place_id, measure, period_start, period_end, dimensions order by known_at)
        ) as is_change
    from known
)

select
    place_id,
    measure,
    period_start,
    period_end,
    dimensions,
    known_at,
    lead(known_at) over versions is null as is_current,
    feed,
    value,
    value_status,
    value_kind,
    unit,
    improvement_direction,
    numerator,
    numerator_status,
    denominator,
    denominator_status,
    benchmark,
    benchmark_source,
    assessment_result,
    footnote,
    period_source,
    known_at_is_assumed,
    load_id,
    line
from compared
where is_change
window versions as (partition by place_id, measure, period_start, period_end, dimensions order by known_at)
