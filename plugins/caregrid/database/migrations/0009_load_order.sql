-- Rows known at one moment are taken in the order of publication, so that the order in which files came to us
-- decides nothing. Files published at the same moment are told apart by what stays the same however they arrive.

create view ledger.load_order as
select l.load_id, l.status, f.published_at, f.sha256, f.source, f.member, f.uri
from raw.load as l
join landing.file as f on f.file_id = l.file_id;
comment on view ledger.load_order is 'What orders loads that speak of the same moment: publication, then content and address.';

create or replace view ledger.usage_change as
select u.load_id, u.line, u.series_id, u.period_start, u.known_at,
       coalesce(lag(true) over previous, false)
       and row (u.period_end, u.value, u.value_status, u.reporting_units, u.is_provisional)
           is not distinct from row (
               lag(u.period_end) over previous, lag(u.value) over previous, lag(u.value_status) over previous,
               lag(u.reporting_units) over previous, lag(u.is_provisional) over previous
           ) as is_unchanged
from canonical.usage as u
join ledger.load_order as o on o.load_id = u.load_id and o.status = 'accepted'
window previous as (
    partition by u.series_id, u.period_start
    order by u.known_at, o.published_at, o.sha256, o.source, o.member, o.uri, u.load_id
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
        union all select c.line, c.is_unchanged from ledger.facility_change as c where c.load_id = asked
        union all select c.line, c.is_unchanged from ledger.resource_change as c where c.load_id = asked
        union all select c.line, c.is_unchanged from ledger.quality_change as c where c.load_id = asked
        union all select c.line, c.is_unchanged from ledger.improvement_action_change as c where c.load_id = asked
        union all select c.line, c.is_unchanged from ledger.external_forecast_change as c where c.load_id = asked
    ) as r
    group by r.line;
end;

grant select on ledger.load_order to caregrid_loader, caregrid_dbt;
