-- What a build was made of: tables of another making are rebuilt whole.

alter table ledger.build add column models_sha256 text;
comment on column ledger.build.models_sha256 is 'sha256 over the models and macros of dbt that the build ran.';
