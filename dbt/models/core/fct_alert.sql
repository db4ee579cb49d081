{{ config(indexes=[{'columns': ['alert_event_id'], 'unique': True}]) }}

select
    alert.alert_event_id,
    alert.rule,
    alert.subject,
    alert.state,
    alert.severity,
    alert.as_of,
    alert.recorded_at,
    coalesce(delivery.sent, 0)::integer as deliveries_sent,
    coalesce(delivery.failed, 0)::integer as deliveries_failed,
    alert.alert_event_id = max(alert.alert_event_id) over (partition by alert.rule, alert.subject) as is_current
from {{ ref('stg_alert_event') }} as alert
left join (
    select
        alert_event_id,
        count(*) filter (where outcome = 'sent') as sent,
        count(*) filter (where outcome = 'failed') as failed
    from {{ ref('stg_delivery') }}
    group by alert_event_id
) as delivery on alert.alert_event_id = delivery.alert_event_id
