-- What rules and people decided. Events, appended; migrated, never rebuilt.

create schema action;

create table action.alert_event (
    alert_event_id bigint generated always as identity primary key,
    rule           text not null,
    subject        text not null,
    state          text not null check (state in ('firing', 'resolved')),
    severity       text not null check (severity in ('critical', 'warning', 'information')),
    as_of          timestamptz not null,
    recorded_at    timestamptz not null default clock_timestamp(),
    details        jsonb not null
);
comment on table action.alert_event is 'One row per change of state of one rule for one subject.';
create index on action.alert_event (rule, subject, alert_event_id desc);

create table action.delivery (
    delivery_id    bigint generated always as identity primary key,
    alert_event_id bigint not null references action.alert_event,
    channel        text not null,
    outcome        text not null check (outcome in ('sent', 'failed')),
    message        text,
    attempted_at   timestamptz not null default clock_timestamp()
);
comment on table action.delivery is 'Every attempt to tell someone of an alert event.';
create unique index delivery_sent_once on action.delivery (alert_event_id, channel) where outcome = 'sent';
