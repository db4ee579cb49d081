-- What the ledger says of loads: where their rows came from, and an order that does not depend on when they came to us.

create index load_replaces on raw.load (replaces) where replaces is not null;
create index load_file on raw.load (file_id);
create index external_forecast_load_id on canonical.external_forecast using brin (load_id);

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

-- Files published at the same moment are told apart by what stays the same however they arrive.
create view ledger.load_order as
select l.load_id, l.status, f.published_at, f.sha256, f.source, f.member, f.uri
from raw.load as l
join landing.file as f on f.file_id = l.file_id;
comment on view ledger.load_order is 'What orders loads that speak of the same moment: publication, then content and address.';

grant select on ledger.canonical_line, ledger.rows_by_contract, ledger.load_order to caregrid_loader, caregrid_dbt;
