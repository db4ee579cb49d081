select
    delivery.delivery_id,
    delivery.alert_event_id,
    delivery.channel,
    delivery.outcome,
    delivery.message,
    delivery.attempted_at
from {{ source('action', 'delivery') }} as delivery
