-- What an address offers may change and change back: each change is a version of its own, and the newest is what holds.

alter table landing.file add column version integer;
with numbered as (
    select feed, source, uri, sha256, row_number() over (partition by feed, source, uri order by min(file_id)) as version
    from landing.file
    group by feed, source, uri, sha256
)
update landing.file as file
set version = numbered.version
from numbered
where (file.feed, file.source, file.uri, file.sha256) = (numbered.feed, numbered.source, numbered.uri, numbered.sha256);
alter table landing.file
    alter column version set not null,
    add check (version > 0),
    drop constraint file_feed_source_uri_member_sha256_key,
    add unique (feed, source, uri, version, member);
comment on table landing.file is 'One row per version of what an address offered, or per member of it. The bytes lie content-addressed where landing keeps them.';
comment on column landing.file.version is 'Counts the changes of what the address offered, from 1; content that comes back is a new version of the same bytes.';

create or replace view ledger.load_order as
select l.load_id, l.status, f.published_at, f.sha256, f.source, f.member, f.uri, f.version
from raw.load as l
join landing.file as f on f.file_id = l.file_id;
comment on view ledger.load_order is 'What orders loads that speak of the same moment: publication, then version of the address, then content and address.';
