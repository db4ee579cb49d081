-- A build follows a load by seconds, sooner than autovacuum looks; without statistics its plans go astray.

create function ledger.analyze_loaded() returns text[]
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    changed record;
    analyzed text[] := '{}';
begin
    for changed in
        select t.schemaname, t.relname
        from pg_stat_user_tables as t
        where t.schemaname in ('landing', 'raw', 'canonical', 'rejected')
          and t.n_mod_since_analyze > 1000 + t.n_live_tup / 10
        order by 1, 2
    loop
        execute format('analyze %I.%I', changed.schemaname, changed.relname);
        analyzed := analyzed || format('%I.%I', changed.schemaname, changed.relname);
    end loop;
    return analyzed;
end;
$$;
comment on function ledger.analyze_loaded() is 'Analyzes the tables that loads have changed by a tenth, and names them.';
revoke execute on function ledger.analyze_loaded() from public;
grant execute on function ledger.analyze_loaded() to caregrid_loader, caregrid_dbt;
