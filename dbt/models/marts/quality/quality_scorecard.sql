{{ config(indexes=[{'columns': ['place_id', 'measure', 'dimensions'], 'unique': True}]) }}

-- Facilities and other reporting places; national rows are benchmarks.
with scored as (
    select
        quality.*,
        row_number() over periods as recency,
        lag(quality.value) over (
            partition by quality.place_id, quality.measure, quality.dimensions
            order by quality.period_end, quality.period_start
        ) as previous_value,
        lag(quality.period_end) over (
            partition by quality.place_id, quality.measure, quality.dimensions
            order by quality.period_end, quality.period_start
        ) as previous_period_end
    from {{ ref('fct_quality') }} as quality
    where quality.is_current
    window periods as (
        partition by quality.place_id, quality.measure, quality.dimensions
        order by quality.period_end desc, quality.period_start desc
    )
),

national as (
    select distinct on (quality.feed, quality.measure, quality.dimensions, place.country_code)
        quality.feed,
        quality.measure,
        quality.dimensions,
        place.country_code,
        quality.value as benchmark
    from {{ ref('fct_quality') }} as quality
    inner join {{ ref('dim_place') }} as place on quality.place_id = place.place_id
    where quality.is_current and place.place_level = 'country' and quality.value_status = 'reported'
    order by
        quality.feed, quality.measure, quality.dimensions, place.country_code, quality.period_end desc,
        quality.period_start desc
),

improvement as (
    select
        place_id,
        measure,
        count(*) filter (where status in ('planned', 'under_way')) as open_actions,
        count(*) filter (where status = 'done') as done_actions,
        min(due_on) filter (where status in ('planned', 'under_way')) as next_due_on,
        string_agg(action, '; ' order by due_on, action_code) filter (where status in ('planned', 'under_way'))
            as open_action_texts
    from {{ ref('fct_improvement_action') }}
    where is_current
    group by place_id, measure
),

compared as (
    select
        scored.*,
        place.name_en as place_name_en,
        place.name_zh as place_name_zh,
        place.place_level,
        place.country_code,
        place.timezone,
        place.region_name_en,
        place.region_name_zh,
        coalesce(scored.benchmark, national.benchmark) as benchmark_value,
        case
            when scored.benchmark is not null then coalesce(scored.benchmark_source, 'the source')
            when national.benchmark is not null then 'the national row of the same feed'
        end as benchmark_origin,
        case scored.improvement_direction when 'higher' then 1 when 'lower' then -1 end as better_sign
    from scored
    inner join {{ ref('dim_place') }} as place on scored.place_id = place.place_id
    left join national
        on
            scored.feed = national.feed and scored.measure = national.measure
            and scored.dimensions = national.dimensions and place.country_code = national.country_code
    where scored.recency = 1 and place.place_level <> 'country'
)

select
    compared.place_id,
    compared.measure,
    compared.dimensions,
    compared.feed,
    compared.place_name_en,
    compared.place_name_zh,
    compared.place_level,
    compared.country_code,
    compared.region_name_en,
    compared.region_name_zh,
    measure.name_en as measure_name_en,
    measure.name_zh as measure_name_zh,
    compared.period_start,
    compared.period_end,
    compared.value,
    compared.value_status,
    compared.value_kind,
    compared.unit,
    compared.improvement_direction,
    compared.benchmark_value,
    compared.benchmark_origin,
    compared.value - compared.benchmark_value as difference_from_benchmark,
    case
        when compared.better_sign is null or compared.value is null or compared.benchmark_value is null then null
        when compared.value = compared.benchmark_value then 'same'
        when sign(compared.value - compared.benchmark_value) = compared.better_sign then 'better'
        else 'worse'
    end as against_benchmark,
    compared.assessment_result,
    compared.footnote,
    compared.previous_value,
    compared.previous_period_end,
    case
        when compared.better_sign is null or compared.value is null or compared.previous_value is null then null
        when compared.value = compared.previous_value then 'steady'
        when sign(compared.value - compared.previous_value) = compared.better_sign then 'improving'
        else 'worsening'
    end as trend,
    coalesce(improvement.open_actions, 0) as open_actions,
    coalesce(improvement.done_actions, 0) as done_actions,
    improvement.next_due_on,
    improvement.open_action_texts,
    feed.as_of,
    compared.load_id,
    compared.line,
    compared.timezone,
    {{ local_times('compared.timezone', {
        'period_start': 'compared.period_start',
        'period_end': 'compared.period_end',
        'previous_period_end': 'compared.previous_period_end',
        'as_of': 'feed.as_of',
    }) }}
from compared
left join {{ ref('dim_quality_measure') }} as measure on compared.measure = measure.measure
left join improvement on compared.place_id = improvement.place_id and compared.measure = improvement.measure
left join {{ ref('dim_feed') }} as feed on compared.feed = feed.feed
