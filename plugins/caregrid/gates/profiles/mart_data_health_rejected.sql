-- Rejects by reason: one row of aggregates.
select
    'data_health_rejected' as mart,
    (select count(*) from build_marts.data_health_rejected) as rows,
    (select count(*) from build_marts.data_health_rejected where reason is null or rows_rejected < 1) as unexplained,
    (
        select count(*) from build_marts.data_health_conservation as load
        -- What a later mapping superseded is in the account, and no longer in the list.
        where load.status <> 'superseded'
            and load.rejected_records + load.partly_rejected_records > 0
            and not exists (
                select from build_marts.data_health_rejected as reject where reject.load_id = load.load_id
            )
    ) as loads_without_reasons
