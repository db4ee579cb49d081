{#-
    What became of every record of a load, each term counted on its own over raw, canonical, rejected and core:
    none is computed from the others. A record is a line; its output rows decide its fate.
-#}
-- depends_on: {{ ref('int_usage_touched') }}
{{ config(pre_hook="set local work_mem = '128MB'", indexes=[{'columns': ['load_id'], 'unique': True}]) }}

{#- Whether a fact was known before a row's moment and says the same, or is another load's fact of that very moment. -#}
{% set says_the_same -%}
            load.is_accepted
            and usage.series_id = fact.series_id
            and usage.period_start = fact.period_start
            and (
                (usage.known_at > fact.known_at and usage.known_at <= coalesce(fact.known_until, 'infinity'))
                or (usage.known_at = fact.known_at and usage.load_id <> fact.load_id)
            )
            and usage.value is not distinct from fact.value
            and usage.value_status = fact.value_status
            and usage.is_provisional = fact.is_provisional
            and usage.reporting_units is not distinct from fact.reporting_units
            and usage.period_end = fact.period_end
{%- endset %}

with usage_rows as (
    select
        usage.load_id,
        usage.line,
        1 as output_rows,
        case
            -- a count of events is part of a total: what matters is whether it added to it
            when event_load.counts_events then (load.is_accepted and added.load_id is null)::integer
            {% if builds_delta('fct_usage') -%}
            -- the facts of touched pairs are the rebuilt ones, all others the served ones
            else (coalesce(fact.series_id, served.series_id) is not null)::integer
            {%- else -%}
            else (fact.series_id is not null)::integer
            {%- endif %}
        end as unchanged_rows
    from {{ ref('stg_mapped_usage') }} as usage
    inner join {{ ref('int_load_touched') }} as touched on usage.load_id = touched.load_id
    inner join {{ ref('stg_load') }} as load on usage.load_id = load.load_id
    left join {{ ref('stg_event_load') }} as event_load on load.load_id = event_load.load_id
    left join {{ ref('int_event_added') }} as added
        on
            usage.load_id = added.load_id
            and usage.series_id = added.series_id
            and usage.period_start = added.period_start
            and usage.known_at = added.known_at
    left join {{ ref('int_usage_rebuilt') }} as fact
        on
            {{ says_the_same }}
    {%- if builds_delta('fct_usage') %}
    left join {{ ref('int_usage_touched') }} as rebuilt
        on usage.series_id = rebuilt.series_id and usage.period_start = rebuilt.period_start
    left join core.fct_usage as served  -- noqa: ST11
        on
            rebuilt.series_id is null and {{ says_the_same | replace('fact.', 'served.') }}
    {%- endif %}
),

other_rows as (
    select
        described.load_id,
        described.line,
        described.output_rows,
        described.unchanged_rows
    from {{ ref('int_described_line') }} as described
    inner join {{ ref('int_load_touched') }} as touched on described.load_id = touched.load_id
    union all
    select
        mapped.load_id,
        mapped.line,
        1 as output_rows,
        0 as unchanged_rows
    from {{ ref('stg_mapped_line') }} as mapped
    inner join {{ ref('int_load_touched') }} as touched on mapped.load_id = touched.load_id
    inner join {{ ref('stg_load') }} as load on mapped.load_id = load.load_id
    where mapped.contract <> 'usage' and not load.is_accepted
),

mapped_records as (
    select
        load_id,
        line,
        sum(output_rows) as output_rows,
        sum(unchanged_rows) as unchanged_rows,
        sum(unchanged_rows) = sum(output_rows) as is_unchanged
    from (
        select * from usage_rows
        union all
        select * from other_rows
    ) as mapped
    group by load_id, line
),

rejected_records as (
    select
        record.load_id,
        record.line,
        count(*) filter (where record.output <> '') as output_rows
    from {{ ref('stg_rejected_record') }} as record
    inner join {{ ref('int_load_touched') }} as touched on record.load_id = touched.load_id
    group by record.load_id, record.line
),

records as (
    select
        coalesce(mapped.load_id, rejected.load_id) as load_id,
        count(*) filter (where rejected.line is null and not mapped.is_unchanged) as clean_records,
        count(*) filter (where rejected.line is null and mapped.is_unchanged) as unchanged_records,
        count(*) filter (where mapped.line is not null and rejected.line is not null) as partly_rejected_records,
        count(*) filter (where mapped.line is null) as rejected_records,
        sum(mapped.output_rows) as loaded_rows,
        sum(mapped.unchanged_rows) as unchanged_rows,
        sum(rejected.output_rows) as rejected_rows
    from mapped_records as mapped
    full join rejected_records as rejected on mapped.load_id = rejected.load_id and mapped.line = rejected.line
    group by 1
),

fates as (
    select
        load_id,
        sum(row_count) filter (where output = '' and fate = 'received') as received_records,
        sum(row_count) filter (where output = '' and fate = 'filtered') as filtered_records,
        sum(row_count) filter (where output = '' and fate = 'duplicate') as duplicate_records,
        sum(row_count) filter (where output <> '' and fate = 'received') as produced_rows,
        sum(row_count) filter (where output <> '' and fate = 'filtered') as filtered_rows,
        sum(row_count) filter (where output <> '' and fate = 'duplicate') as duplicate_rows
    from {{ ref('stg_fate') }}
    group by load_id
)

select
    touched.load_id,
    coalesce(fates.received_records, 0)::bigint as received_records,
    case when load.status in ('accepted', 'superseded') then coalesce(records.clean_records, 0) else 0 end
        as loaded_records,
    coalesce(records.partly_rejected_records, 0) as partly_rejected_records,
    coalesce(records.rejected_records, 0) as rejected_records,
    coalesce(fates.duplicate_records, 0)::bigint as duplicate_records,
    case when load.status = 'accepted' then coalesce(records.unchanged_records, 0) else 0 end as unchanged_records,
    coalesce(fates.filtered_records, 0)::bigint as filtered_records,
    case when load.status in ('staged', 'refused') then coalesce(records.clean_records, 0) else 0 end as held_records,
    coalesce(fates.produced_rows, 0)::bigint as produced_rows,
    coalesce(records.loaded_rows, 0)::bigint as loaded_rows,
    coalesce(records.unchanged_rows, 0)::bigint as unchanged_rows,
    coalesce(records.rejected_rows, 0)::bigint as rejected_rows,
    coalesce(fates.filtered_rows, 0)::bigint as filtered_rows,
    coalesce(fates.duplicate_rows, 0)::bigint as duplicate_rows
from {{ ref('int_load_touched') }} as touched
inner join {{ ref('stg_load') }} as load on touched.load_id = load.load_id
left join records on touched.load_id = records.load_id
left join fates on touched.load_id = fates.load_id
