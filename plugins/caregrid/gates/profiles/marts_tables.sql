-- The tables of one schema that is being built, beside those of the schema that is served. What is served as a view is
-- the same rows on both sides, and long to count.
select built.relname as table_name, built_schema.nspname as built_schema, served_schema.nspname as served_schema,
    served.oid is not null as is_served,
    (
        select count(*) from pg_attribute as kept
        where kept.attrelid = served.oid and kept.attnum > 0 and not kept.attisdropped
            and not exists (
                select from pg_attribute as now
                where now.attrelid = built.oid and now.attname = kept.attname and not now.attisdropped
            )
    ) as lost_columns
from pg_class as built
join pg_namespace as built_schema on built_schema.oid = built.relnamespace
left join pg_namespace as served_schema on served_schema.nspname = %(served)s
left join pg_class as served on served.relnamespace = served_schema.oid and served.relname = built.relname
where built_schema.nspname = %(built)s and built.relkind in ('r', 'v', 'm', 'p')
    and served.relkind is distinct from 'v'
order by 1
