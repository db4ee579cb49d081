"""Sends what has not been sent: a message per rule, evaluation and channel, each change of state once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from caregrid import faults
from caregrid.alerts.channels import Channel
from caregrid.alerts.message import Message, Told, compose
from caregrid.quiet import hush

# Events that this channel was meant to tell and has not. From the second failed attempt on it waits 5, 10,
# 20 … minutes, an hour at most; what could not be told in 30 days is no news any more.
_PENDING = """
with tried as (
    select alert_event_id, count(*) as attempts, max(attempted_at) as last_attempt
    from action.delivery where channel = %(channel)s and outcome = 'failed' group by 1
)
select event.alert_event_id, event.rule, event.subject, event.state, event.severity, event.as_of,
    event.recorded_at, event.details
from action.alert_event as event
left join tried using (alert_event_id)
where event.details -> 'channels' ? %(channel)s
    and event.recorded_at > clock_timestamp() - interval '30 days'
    and not exists (
        select from action.delivery
        where delivery.alert_event_id = event.alert_event_id and channel = %(channel)s and outcome = 'sent'
    )
    and (
        coalesce(tried.attempts, 0) < 2
        or clock_timestamp() > tried.last_attempt
            + least(interval '5 minutes' * power(2, tried.attempts - 2), interval '1 hour')
    )
order by event.alert_event_id
"""
_RECORD = "insert into action.delivery (alert_event_id, channel, outcome, message) values (%s, %s, %s, %s)"


@dataclass
class Delivery:
    """What was sent and what was not: messages and the events in them, by channel."""

    messages_sent: dict[str, int] = field(default_factory=dict)
    events_sent: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


def deliver(connection: psycopg.Connection[Any], channels: Sequence[Channel]) -> Delivery:
    """Send everything pending and note each attempt in action.delivery, one transaction per message.

    A kill between the sending and the note makes the next evaluation send that one message again; its key
    (in the outbox, and as Idempotency-Key of a webhook) is the same, so the outbox drops it.
    """
    done = Delivery()
    for channel in channels:
        for told in _pending(connection, channel):
            message = compose(told, channel.languages)
            trouble = send(channel, message)
            faults.point("alerts:sent")
            with connection.transaction(), connection.cursor() as cursor:
                outcome = "failed" if trouble else "sent"
                cursor.executemany(
                    _RECORD,
                    [
                        (one.alert_event_id, channel.channel, outcome, trouble or message.title)
                        for one in told
                    ],
                )
            if trouble:
                done.failures.append(f"{channel.channel}: {trouble}")
                continue
            done.messages_sent[channel.channel] = done.messages_sent.get(channel.channel, 0) + 1
            done.events_sent[channel.channel] = done.events_sent.get(channel.channel, 0) + len(told)
    return done


def send(channel: Channel, message: Message) -> str:
    """Send one message; return "" or what went wrong, in words and without the channel's secrets."""
    import apprise

    from caregrid.alerts import outbox

    outbox.register()
    asset = apprise.AppriseAsset(
        app_id="CareGrid",
        app_desc="CareGrid alerts",
        app_url="",
        async_mode=False,
        allow_templates=False,
        storage_mode=apprise.PersistentStoreMode.MEMORY,
        image_url_mask="",
        image_url_logo="",
    )
    plugin = apprise.Apprise.instantiate(channel.url, asset=asset, suppress_exceptions=True)
    if plugin is None:
        return "its address is no Apprise URL"
    if isinstance(plugin, outbox.NotifyOutbox):
        plugin.key, plugin.facts = message.key, message.facts
    headers = getattr(plugin, "headers", None)
    if isinstance(headers, dict):
        headers["Idempotency-Key"] = message.key
    sender = apprise.Apprise(asset=asset)
    sender.add(plugin)
    kinds = {
        "critical": apprise.NotifyType.FAILURE,
        "warning": apprise.NotifyType.WARNING,
        "information": apprise.NotifyType.INFO,
        "resolved": apprise.NotifyType.SUCCESS,
    }
    hush()
    with apprise.LogCapture(level=apprise.logging.WARNING) as log:
        try:
            sent = sender.notify(
                body=message.body,
                title=message.title,
                notify_type=kinds[message.tone],
                body_format=apprise.NotifyFormat.TEXT,
            )
        except Exception as error:  # a channel's trouble must not keep the others from speaking
            return f"{type(error).__name__}: {error}"
        said = " ".join(line.split(" - ")[-1].strip() for line in log.getvalue().splitlines())
    return "" if sent else said or "the channel refused the message"


def _pending(connection: psycopg.Connection[Any], channel: Channel) -> list[list[Told]]:
    """Return what is to be told, grouped into messages by evaluation and rule, in the order of events."""
    groups: dict[tuple[str, str], list[Told]] = {}
    rows = connection.execute(_PENDING, {"channel": channel.channel}).fetchall()
    connection.commit()
    for row in rows:
        told = Told(*row)
        groups.setdefault((str(told.details.get("evaluation")), told.rule), []).append(told)
    return list(groups.values())
