select
    area.run_id,
    area.area_id,
    area.level,
    area.area_key,
    area.feed,
    area.grain,
    area.measure,
    area.service_or_resource,
    area.statistic,
    area.unit,
    area.dimensions,
    area.total_over,
    area.series_ids,
    area.series_absent
from {{ source('model_output', 'area') }} as area
