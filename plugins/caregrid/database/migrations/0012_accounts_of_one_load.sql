-- The accounts of one load read the history of a contract only where the load has rows of it, and versions that
-- speak of one moment are taken in the order of publication, as usage is.

create or replace view ledger.facility_change as
select load_id, line, known_at, coalesce(state is not distinct from lag(state) over previous, false)
       and lag(load_id) over previous is not null as is_unchanged
from (
    select c.load_id, c.line, c.known_at, o.published_at, o.sha256, o.source, o.member, o.uri,
           row (c.place_id) as key, row (
        c.name, c.name_local, c.facility_type, c.ownership, c.address, c.city, c.postal_code, c.region_code,
        c.region_name, c.county_name, c.country_code, c.latitude, c.longitude, c.phone, c.opening_hours,
        c.service_slots, c.services, c.accreditation, c.parent_network, c.status, c.valid_from, c.valid_to,
        c.extra
    ) as state
    from canonical.facility as c
    join ledger.load_order as o on o.load_id = c.load_id and o.status = 'accepted'
) as c
window previous as (
    partition by key order by known_at, published_at, sha256, source, member, uri, load_id, line
);

create or replace view ledger.resource_change as
select load_id, line, known_at, coalesce(state is not distinct from lag(state) over previous, false)
       and lag(load_id) over previous is not null as is_unchanged
from (
    select c.load_id, c.line, c.known_at, o.published_at, o.sha256, o.source, o.member, o.uri,
           row (c.place_id, c.resource_type, c.name) as key, row (
        c.valid_from, c.valid_to, c.extra
    ) as state
    from canonical.resource as c
    join ledger.load_order as o on o.load_id = c.load_id and o.status = 'accepted'
) as c
window previous as (
    partition by key order by known_at, published_at, sha256, source, member, uri, load_id, line
);

create or replace view ledger.quality_change as
select load_id, line, known_at, coalesce(state is not distinct from lag(state) over previous, false)
       and lag(load_id) over previous is not null as is_unchanged
from (
    select c.load_id, c.line, c.known_at, o.published_at, o.sha256, o.source, o.member, o.uri,
           row (c.place_id, c.measure, c.period_start, c.dimensions) as key, row (
        c.period_end, c.numerator, c.numerator_status, c.denominator, c.denominator_status, c.value,
        c.value_status, c.value_kind, c.unit, c.improvement_direction, c.benchmark, c.benchmark_source,
        c.assessment_result, c.footnote
    ) as state
    from canonical.quality as c
    join ledger.load_order as o on o.load_id = c.load_id and o.status = 'accepted'
) as c
window previous as (
    partition by key order by known_at, published_at, sha256, source, member, uri, load_id, line
);

create or replace view ledger.improvement_action_change as
select load_id, line, known_at, coalesce(state is not distinct from lag(state) over previous, false)
       and lag(load_id) over previous is not null as is_unchanged
from (
    select c.load_id, c.line, c.known_at, o.published_at, o.sha256, o.source, o.member, o.uri,
           row (c.place_id, c.action_code) as key, row (
        c.measure, c.action, c.owner, c.started_on, c.due_on, c.status, c.effect
    ) as state
    from canonical.improvement_action as c
    join ledger.load_order as o on o.load_id = c.load_id and o.status = 'accepted'
) as c
window previous as (
    partition by key order by known_at, published_at, sha256, source, member, uri, load_id, line
);

create or replace view ledger.external_forecast_change as
select load_id, line, known_at, coalesce(state is not distinct from lag(state) over previous, false)
       and lag(load_id) over previous is not null as is_unchanged
from (
    select c.load_id, c.line, c.known_at, o.published_at, o.sha256, o.source, o.member, o.uri,
           row (c.series_id, c.team, c.made_at, c.period_start, c.quantile) as key, row (
        c.period_end, c.horizon, c.value
    ) as state
    from canonical.external_forecast as c
    join ledger.load_order as o on o.load_id = c.load_id and o.status = 'accepted'
) as c
window previous as (
    partition by key order by known_at, published_at, sha256, source, member, uri, load_id, line
);

create or replace function ledger.accepted_record_of(asked bigint)
returns table (line integer, is_unchanged boolean)
language sql stable
begin atomic
    select r.line, bool_and(r.is_unchanged)
    from (
        select u.line,
               before.load_id is not null
               and row (u.period_end, u.value, u.value_status, u.reporting_units, u.is_provisional)
                   is not distinct from row (
                       before.period_end, before.value, before.value_status, before.reporting_units,
                       before.is_provisional
                   ) as is_unchanged
        from canonical.usage as u
        join ledger.load_order as own on own.load_id = u.load_id and own.status = 'accepted'
        left join lateral (
            select p.* from canonical.usage as p
            join ledger.load_order as o on o.load_id = p.load_id and o.status = 'accepted'
            where p.series_id = u.series_id and p.period_start = u.period_start
              and p.known_at <= u.known_at
              and (p.known_at, o.published_at, o.sha256, o.source, o.member, o.uri, p.load_id)
                  < (u.known_at, own.published_at, own.sha256, own.source, own.member, own.uri, u.load_id)
            order by p.known_at desc, o.published_at desc, o.sha256 desc, o.source desc, o.member desc, o.uri desc,
                     p.load_id desc
            limit 1
        ) as before on true
        where u.load_id = asked
        union all select c.line, c.is_unchanged from ledger.facility_change as c
        where c.load_id = asked and exists (select from canonical.facility where load_id = asked)
        union all select c.line, c.is_unchanged from ledger.resource_change as c
        where c.load_id = asked and exists (select from canonical.resource where load_id = asked)
        union all select c.line, c.is_unchanged from ledger.quality_change as c
        where c.load_id = asked and exists (select from canonical.quality where load_id = asked)
        union all select c.line, c.is_unchanged from ledger.improvement_action_change as c
        where c.load_id = asked and exists (select from canonical.improvement_action where load_id = asked)
        union all select c.line, c.is_unchanged from ledger.external_forecast_change as c
        where c.load_id = asked and exists (select from canonical.external_forecast where load_id = asked)
    ) as r
    group by r.line;
end;
