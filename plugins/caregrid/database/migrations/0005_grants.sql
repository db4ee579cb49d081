-- Least privilege, by role. The roles themselves are made with the cluster.

revoke all on schema public from public;
-- The database is named by whoever made it: tests run on clones under other names.
do $$
begin
    execute format('revoke connect, temporary on database %I from public', current_database());
    execute format('grant connect on database %I to caregrid_loader, caregrid_dbt, caregrid_model, caregrid_action, bi_reader',
                   current_database());
    execute format('grant temporary on database %I to caregrid_loader, caregrid_dbt', current_database());
    execute format('grant create on database %I to caregrid_dbt', current_database());
end
$$;

grant usage on schema landing, raw, rejected, ledger, canonical to caregrid_loader, caregrid_dbt;
grant select, insert, update on all tables in schema landing, raw, canonical to caregrid_loader;
grant delete on canonical.usage, canonical.facility, canonical.resource, canonical.quality, canonical.latest,
    canonical.improvement_action, canonical.external_forecast, canonical.facility_crosswalk to caregrid_loader;
grant select, insert on all tables in schema rejected to caregrid_loader;
grant select, insert on ledger.gate_result to caregrid_loader;
grant select on all tables in schema ledger to caregrid_loader;

grant select on all tables in schema landing, raw, rejected, canonical to caregrid_dbt;
grant select, insert, update on all tables in schema ledger to caregrid_dbt;

grant usage on schema model_output to caregrid_model, caregrid_dbt;
grant select, insert on all tables in schema model_output to caregrid_model;
grant select on all tables in schema model_output to caregrid_dbt;
grant usage on schema ledger, raw, canonical to caregrid_model;
grant select on ledger.build, ledger.build_load, raw.load, canonical.series, canonical.place to caregrid_model;

grant usage on schema action to caregrid_action, caregrid_dbt;
grant select, insert on all tables in schema action to caregrid_action;
grant select on all tables in schema action to caregrid_dbt;
grant usage on schema landing, raw, ledger, canonical to caregrid_action;
grant select on landing.file, landing.fetch, raw.load, rejected.file, ledger.gate_result, ledger.build,
    canonical.latest, canonical.series, canonical.place to caregrid_action;
grant usage on schema rejected to caregrid_action;
