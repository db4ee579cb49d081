-- Changes in who reports: one row of aggregates.
select
    'data_health_panel_change' as mart,
    count(*) as rows,
    count(*) filter (where previous_reporting_units is not distinct from reporting_units) as unchanged
from build_marts.data_health_panel_change
