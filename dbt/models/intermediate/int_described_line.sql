{#-
    Lines of accepted loads under the contracts other than usage, and how many of their rows say what was known already: the
    state known before its moment, or what another load made known at that very moment. Of the rows known at one
    moment the last published counts. A contract is read only where an account may have changed.
-#}
{{ config(indexes=[{'columns': ['load_id', 'contract', 'line'], 'unique': True}]) }}

{#- What a row of each contract is about (key), and what it says of it (state). -#}
{% set described = {
    'facility': {
        'key': ['place_id'],
        'state': [
            'name', 'name_local', 'facility_type', 'ownership', 'address', 'city', 'postal_code', 'region_code',
            'region_name', 'county_name', 'country_code', 'latitude', 'longitude', 'phone', 'opening_hours',
            'service_slots', 'services', 'accreditation', 'parent_network', 'status', 'valid_from', 'valid_to',
            'extra',
        ],
    },
    'resource': {
        'key': ['place_id', 'resource_type', 'name'],
        'state': ['valid_from', 'valid_to', 'extra'],
    },
    'quality': {
        'key': ['place_id', 'measure', 'period_start', 'period_end', 'dimensions'],
        'state': [
            'numerator', 'numerator_status', 'denominator', 'denominator_status', 'value', 'value_status',
            'value_kind', 'unit', 'improvement_direction', 'benchmark', 'benchmark_source', 'assessment_result',
            'footnote',
        ],
    },
    'improvement_action': {
        'key': ['place_id', 'action_code'],
        'state': ['measure', 'action', 'owner', 'started_on', 'due_on', 'status', 'effect'],
    },
    'external_forecast': {
        'key': ['series_id', 'team', 'made_at', 'period_start', 'quantile'],
        'state': ['period_end', 'horizon', 'value'],
    },
} %}

{% for contract, columns in described.items() -%}
{{ 'with' if loop.first }} {{ contract }}_row as (
    select
        load_id,
        line,
        known_at,
        load_rank,
        row({{ columns.key | join(', ') }}) as subject,
        row({{ columns.state | join(', ') }})::text as state
    from {{ ref('stg_' ~ contract) }}
    where exists (
        select 1 from {{ ref('int_load_touched') }} as touched
        inner join {{ ref('stg_' ~ contract) }} as own on touched.load_id = own.load_id
    )
),

{{ contract }}_moment as (
    select
        moment.*,
        lag(state) over (partition by subject order by known_at) as state_before
    from (
        select distinct on (subject, known_at) *
        from {{ contract }}_row
        order by subject, known_at, load_rank desc, line desc
    ) as moment
){{ ',' if not loop.last }}

{% endfor -%}
{% for contract in described -%}
select
    said.load_id,
    '{{ contract }}' as contract,
    said.line,
    count(*) as output_rows,
    count(*) filter (
        where said.state = moment.state_before or (said.state = moment.state and said.load_id <> moment.load_id)
    ) as unchanged_rows
from {{ contract }}_row as said
inner join {{ contract }}_moment as moment on said.subject = moment.subject and said.known_at = moment.known_at
group by said.load_id, said.line
{{ 'union all' if not loop.last }}
{% endfor %}
