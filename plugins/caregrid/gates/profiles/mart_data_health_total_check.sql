-- Published totals against the sum of their parts: one row of aggregates.
select
    'data_health_total_check' as mart,
    count(*) as rows,
    count(*) filter (where parts < 1) as without_parts,
    count(*) filter (where agrees and abs(difference) > 0.01 * greatest(1, abs(published_total))) as wrongly_agreeing,
    avg((not agrees)::int) as disagreeing_share
from build_marts.data_health_total_check
