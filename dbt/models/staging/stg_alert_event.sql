select
    alert.alert_event_id,
    alert.rule,
    alert.subject,
    alert.state,
    alert.severity,
    alert.as_of,
    alert.recorded_at,
    alert.details
from {{ source('action', 'alert_event') }} as alert
