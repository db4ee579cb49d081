-- What became of every record: one row of aggregates.
select
    'data_health_conservation' as mart,
    count(*) as rows,
    (count(*) = 0 and exists (select from build_core.fct_load))::int as missing,
    count(*) filter (where records_are_conserved is not true) as loads_not_conserved,
    count(*) filter (
        where produced_rows <> loaded_rows + rejected_rows + duplicate_rows + filtered_rows
    ) as loads_rows_not_conserved,
    count(*) filter (where status = 'accepted' and received_records = 0) as empty_accepted_loads
from build_marts.data_health_conservation
