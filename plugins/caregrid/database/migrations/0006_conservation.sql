-- Every record received is accounted for: each term of the equations is a count of its own.

create index load_replaces on raw.load (replaces) where replaces is not null;
create index load_file on raw.load (file_id);

-- The rows of every contract, reduced to where they came from.
create view ledger.canonical_line as
select load_id, 'usage' as contract, line from canonical.usage
union all select load_id, 'facility', line from canonical.facility
union all select load_id, 'resource', line from canonical.resource
union all select load_id, 'quality', line from canonical.quality
union all select load_id, 'improvement_action', line from canonical.improvement_action
union all select load_id, 'external_forecast', line from canonical.external_forecast;
comment on view ledger.canonical_line is 'One row per canonical row: its load, contract and line.';

create view ledger.rows_by_contract as
select load_id, contract, count(*) as rows, count(distinct line) as records
from ledger.canonical_line
group by load_id, contract;
comment on view ledger.rows_by_contract is 'Canonical rows, and the records they came from, by load and contract.';

-- Unchanged: equal to the value known for its key just before its own known_at, among accepted loads, whatever the
-- order of arrival; two rows known at the same moment are taken in the order of their loads. Only rows of accepted
-- loads are asked: those of other loads are held, or were replaced.
create view ledger.usage_change as
select u.load_id, u.line, u.series_id, u.period_start, u.known_at,
       coalesce(lag(true) over previous, false)
       and row (u.period_end, u.value, u.value_status, u.reporting_units, u.is_provisional)
           is not distinct from row (
               lag(u.period_end) over previous, lag(u.value) over previous, lag(u.value_status) over previous,
               lag(u.reporting_units) over previous, lag(u.is_provisional) over previous
           ) as is_unchanged
from canonical.usage as u
join raw.load as l on l.load_id = u.load_id and l.status = 'accepted'
window previous as (partition by u.series_id, u.period_start order by u.known_at, u.load_id);
comment on view ledger.usage_change is 'Every accepted usage row, and whether it says what was known already.';

-- The same for descriptions of places: a version that says nothing new.
create view ledger.facility_change as
select load_id, line, known_at, coalesce(state is not distinct from lag(state) over previous, false)
       and lag(load_id) over previous is not null as is_unchanged
from (
    select c.load_id, c.line, c.known_at, row (c.place_id) as key, row (
        c.name, c.name_local, c.facility_type, c.ownership, c.address, c.city, c.postal_code, c.region_code,
        c.region_name, c.county_name, c.country_code, c.latitude, c.longitude, c.phone, c.opening_hours,
        c.service_slots, c.services, c.accreditation, c.parent_network, c.status, c.valid_from, c.valid_to,
        c.extra
    ) as state
    from canonical.facility as c
    join raw.load as l on l.load_id = c.load_id and l.status = 'accepted'
) as c
window previous as (partition by key order by known_at, load_id, line);

create view ledger.resource_change as
select load_id, line, known_at, coalesce(state is not distinct from lag(state) over previous, false)
       and lag(load_id) over previous is not null as is_unchanged
from (
    select c.load_id, c.line, c.known_at, row (c.place_id, c.resource_type, c.name) as key, row (
        c.valid_from, c.valid_to, c.extra
    ) as state
    from canonical.resource as c
    join raw.load as l on l.load_id = c.load_id and l.status = 'accepted'
) as c
window previous as (partition by key order by known_at, load_id, line);

create view ledger.quality_change as
select load_id, line, known_at, coalesce(state is not distinct from lag(state) over previous, false)
       and lag(load_id) over previous is not null as is_unchanged
from (
    select c.load_id, c.line, c.known_at, row (c.place_id, c.measure, c.period_start, c.dimensions) as key, row (
        c.period_end, c.numerator, c.numerator_status, c.denominator, c.denominator_status, c.value,
        c.value_status, c.value_kind, c.unit, c.improvement_direction, c.benchmark, c.benchmark_source,
        c.assessment_result, c.footnote
    ) as state
    from canonical.quality as c
    join raw.load as l on l.load_id = c.load_id and l.status = 'accepted'
) as c
window previous as (partition by key order by known_at, load_id, line);

create view ledger.improvement_action_change as
select load_id, line, known_at, coalesce(state is not distinct from lag(state) over previous, false)
       and lag(load_id) over previous is not null as is_unchanged
from (
    select c.load_id, c.line, c.known_at, row (c.place_id, c.action_code) as key, row (
        c.measure, c.action, c.owner, c.started_on, c.due_on, c.status, c.effect
    ) as state
    from canonical.improvement_action as c
    join raw.load as l on l.load_id = c.load_id and l.status = 'accepted'
) as c
window previous as (partition by key order by known_at, load_id, line);

create view ledger.external_forecast_change as
select load_id, line, known_at, coalesce(state is not distinct from lag(state) over previous, false)
       and lag(load_id) over previous is not null as is_unchanged
from (
    select c.load_id, c.line, c.known_at, row (c.series_id, c.team, c.made_at, c.period_start, c.quantile) as key, row (
        c.period_end, c.horizon, c.value
    ) as state
    from canonical.external_forecast as c
    join raw.load as l on l.load_id = c.load_id and l.status = 'accepted'
) as c
window previous as (partition by key order by known_at, load_id, line);

create view ledger.accepted_record as
select load_id, line, bool_and(is_unchanged) as is_unchanged
from (
    select load_id, line, is_unchanged from ledger.usage_change
    union all select load_id, line, is_unchanged from ledger.facility_change
    union all select load_id, line, is_unchanged from ledger.resource_change
    union all select load_id, line, is_unchanged from ledger.quality_change
    union all select load_id, line, is_unchanged from ledger.improvement_action_change
    union all select load_id, line, is_unchanged from ledger.external_forecast_change
) as rows
group by load_id, line;
comment on view ledger.accepted_record is
    'Every record of an accepted load that made a row; is_unchanged: none of its rows said anything new.';

-- One load, from its own rows: usage looks up what was known before by primary key instead of reading all history.
create function ledger.accepted_record_of(asked bigint)
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
        join raw.load as own on own.load_id = u.load_id and own.status = 'accepted'
        left join lateral (
            select p.* from canonical.usage as p
            join raw.load as l on l.load_id = p.load_id and l.status = 'accepted'
            where p.series_id = u.series_id and p.period_start = u.period_start
              and (p.known_at, p.load_id) < (u.known_at, u.load_id)
            order by p.known_at desc, p.load_id desc
            limit 1
        ) as before on true
        where u.load_id = asked
        union all select c.line, c.is_unchanged from ledger.facility_change as c where c.load_id = asked
        union all select c.line, c.is_unchanged from ledger.resource_change as c where c.load_id = asked
        union all select c.line, c.is_unchanged from ledger.quality_change as c where c.load_id = asked
        union all select c.line, c.is_unchanged from ledger.improvement_action_change as c where c.load_id = asked
        union all select c.line, c.is_unchanged from ledger.external_forecast_change as c where c.load_id = asked
    ) as r
    group by r.line;
end;

-- The two equations of every load:
--   received = loaded + partly_rejected + rejected + duplicate + unchanged + filtered + held   (source records)
--   rows_produced = rows_loaded + rows_rejected + rows_duplicate + rows_filtered               (output rows)
create view ledger.conservation as
with canonical_record as materialized (
    select load_id, line, count(*) as rows from ledger.canonical_line group by load_id, line
), rejected_record as materialized (
    select load_id, line, count(*) filter (where output <> '') as rows from rejected.record group by load_id, line
), made as (
    select c.load_id,
           sum(c.rows) as rows,
           count(*) filter (where r.line is null) as whole,
           count(r.line) as partly_rejected
    from canonical_record as c
    left join rejected_record as r using (load_id, line)
    group by c.load_id
), broken as (
    select r.load_id, sum(r.rows) as rows, count(*) filter (where c.line is null) as records
    from rejected_record as r
    left join canonical_record as c using (load_id, line)
    group by r.load_id
), accepted as (
    select a.load_id,
           count(*) filter (where not a.is_unchanged) as loaded,
           count(*) filter (where a.is_unchanged) as unchanged
    from ledger.accepted_record as a
    where not exists (select from rejected_record as r where r.load_id = a.load_id and r.line = a.line)
    group by a.load_id
), fate as (
    select load_id,
           sum(row_count) filter (where output = '' and fate = 'received') as received,
           sum(row_count) filter (where output = '' and fate = 'duplicate') as duplicate,
           sum(row_count) filter (where output = '' and fate = 'filtered') as filtered,
           sum(row_count) filter (where output <> '' and fate = 'received') as rows_produced,
           sum(row_count) filter (where output <> '' and fate = 'duplicate') as rows_duplicate,
           sum(row_count) filter (where output <> '' and fate = 'filtered') as rows_filtered
    from raw.fate
    group by load_id
)
select l.load_id, l.feed, l.source, l.file_id, l.status,
       coalesce(fate.received, 0)::bigint as received,
       case l.status
           when 'accepted' then coalesce(accepted.loaded, 0)
           when 'superseded' then coalesce(made.whole, 0)
           else 0
       end::bigint as loaded,
       coalesce(made.partly_rejected, 0)::bigint as partly_rejected,
       coalesce(broken.records, 0)::bigint as rejected,
       coalesce(fate.duplicate, 0)::bigint as duplicate,
       case l.status when 'accepted' then coalesce(accepted.unchanged, 0) else 0 end::bigint as unchanged,
       coalesce(fate.filtered, 0)::bigint as filtered,
       case when l.status in ('staged', 'refused') then coalesce(made.whole, 0) else 0 end::bigint as held,
       coalesce(fate.rows_produced, 0)::bigint as rows_produced,
       coalesce(made.rows, 0)::bigint as rows_loaded,
       coalesce(broken.rows, 0)::bigint as rows_rejected,
       coalesce(fate.rows_duplicate, 0)::bigint as rows_duplicate,
       coalesce(fate.rows_filtered, 0)::bigint as rows_filtered
from raw.load as l
left join fate using (load_id)
left join made using (load_id)
left join broken using (load_id)
left join accepted using (load_id);
comment on view ledger.conservation is
    'What became of every record and every output row, by load. Each term is a count of its own over raw, canonical and rejected.';

create function ledger.conservation_of(asked bigint)
returns table (
    load_id bigint, status text,
    received bigint, loaded bigint, partly_rejected bigint, rejected bigint, duplicate bigint, unchanged bigint,
    filtered bigint, held bigint,
    rows_produced bigint, rows_loaded bigint, rows_rejected bigint, rows_duplicate bigint, rows_filtered bigint
)
language sql stable
begin atomic
    with canonical_record as materialized (
        select c.line, count(*) as rows from ledger.canonical_line as c where c.load_id = asked group by c.line
    ), rejected_record as materialized (
        select r.line, count(*) filter (where r.output <> '') as rows from rejected.record as r
        where r.load_id = asked group by r.line
    ), accepted as materialized (
        select a.line, a.is_unchanged from ledger.accepted_record_of(asked) as a
        where not exists (select from rejected_record as r where r.line = a.line)
    ), whole as (
        select count(*) as records from canonical_record as c
        where not exists (select from rejected_record as r where r.line = c.line)
    ), fate as (
        select f.output = '' as of_record, f.fate, sum(f.row_count)::bigint as rows
        from raw.fate as f where f.load_id = asked group by 1, 2
    )
    select l.load_id, l.status,
           coalesce((select rows from fate where of_record and fate.fate = 'received'), 0),
           case l.status
               when 'accepted' then (select count(*) from accepted where not is_unchanged)
               when 'superseded' then (select records from whole)
               else 0
           end,
           (select count(*) from canonical_record join rejected_record using (line)),
           (select count(*) from rejected_record as r
            where not exists (select from canonical_record as c where c.line = r.line)),
           coalesce((select rows from fate where of_record and fate.fate = 'duplicate'), 0),
           (select count(*) from accepted where is_unchanged and l.status = 'accepted'),
           coalesce((select rows from fate where of_record and fate.fate = 'filtered'), 0),
           case when l.status in ('staged', 'refused') then (select records from whole) else 0 end,
           coalesce((select rows from fate where not of_record and fate.fate = 'received'), 0),
           coalesce((select sum(rows) from canonical_record), 0)::bigint,
           coalesce((select sum(rows) from rejected_record), 0)::bigint,
           coalesce((select rows from fate where not of_record and fate.fate = 'duplicate'), 0),
           coalesce((select rows from fate where not of_record and fate.fate = 'filtered'), 0)
    from raw.load as l
    where l.load_id = asked;
end;
comment on function ledger.conservation_of(bigint) is 'ledger.conservation for one load, without reading all history.';

grant select on ledger.canonical_line, ledger.rows_by_contract, ledger.usage_change, ledger.facility_change,
    ledger.resource_change, ledger.quality_change, ledger.improvement_action_change,
    ledger.external_forecast_change, ledger.accepted_record, ledger.conservation
    to caregrid_loader, caregrid_dbt;
