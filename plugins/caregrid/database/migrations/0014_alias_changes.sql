-- Which model served when, and who decided it.

create table model_output.alias_change (
    change_id    bigint generated always as identity primary key,
    changed_at   timestamptz not null default clock_timestamp(),
    model_name   text not null,
    alias        text not null,
    from_version text,
    to_version   text not null,
    who          text not null check (who <> ''),
    why          text not null check (why <> ''),
    gate         jsonb,
    run_id       text
);
comment on table model_output.alias_change is 'Every move of a model''s alias, told before it is made. from_version: what the alias named, null for nothing. gate: the table of checks behind it, where there was one. run_id: of the training, or of the Airflow run that asked for it.';

grant select, insert on model_output.alias_change to caregrid_model;
grant select on model_output.alias_change to caregrid_dbt;
