{#-
    Codes as they occur, each with the system that gives it a meaning: what the seed code_use declares for the feed and
    the attribute, else a system of the feed's own, so that no other publisher's meaning is taken for it.
-#}
{{ config(indexes=[{'columns': ['feed', 'used_as', 'code'], 'unique': True}]) }}

with used as (
    select
        series.feed,
        axis.name as used_as,
        axis.value as code
    from {{ ref('int_series') }} as series
    cross join lateral jsonb_each_text(series.dimensions) as axis (name, value)
    union
    select
        quality.feed,
        axis.name,
        axis.value
    from {{ ref('stg_quality') }} as quality
    cross join lateral jsonb_each_text(quality.dimensions) as axis (name, value)
    where quality.dimensions <> '{}'
    union
    select
        quality.feed,
        'footnote',
        footnote.code
    from {{ ref('stg_quality') }} as quality
    cross join lateral regexp_split_to_table(quality.footnote, '\s*,\s*') as footnote (code)
    where quality.footnote is not null
    union
    select
        facility.feed,
        attribute.name,
        attribute.value
    from {{ ref('stg_facility') }} as facility
    cross join lateral (
        values
        ('facility_type', facility.facility_type),
        ('ownership', facility.ownership),
        ('region_code', facility.region_code)
    ) as attribute (name, value)
    union
    -- Attributes that are codes at some publishers and plain words at others: codes where they are declared as such.
    select
        facility.feed,
        declared.used_as,
        attribute.value
    from {{ ref('stg_facility') }} as facility
    cross join lateral (
        select
            'accreditation' as name,
            facility.accreditation as value
        union all
        select
            'extra.' || extra.name,
            extra.value
        from jsonb_each_text(facility.extra) as extra (name, value)
    ) as attribute
    inner join {{ ref('code_use') }} as declared
        on facility.feed = declared.feed and attribute.name = declared.used_as
    union
    select
        resource.feed,
        declared.used_as,
        extra.value
    from {{ ref('stg_resource') }} as resource
    cross join lateral jsonb_each_text(resource.extra) as extra (name, value)
    inner join {{ ref('code_use') }} as declared
        on resource.feed = declared.feed and resource.resource_type || '.' || extra.name = declared.used_as
)

select distinct
    used.feed,
    used.used_as,
    btrim(used.code) as code,
    coalesce(declared.code_system, used.feed || '/' || used.used_as) as code_system,
    declared.code_system is not null as is_declared
from used
left join {{ ref('code_use') }} as declared
    on used.feed = declared.feed and used.used_as = declared.used_as
where btrim(used.code) <> ''
