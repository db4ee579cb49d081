"""An Apprise channel that writes to a file below var/outbox: a message is a line of JSON, each key once."""

from __future__ import annotations

import json
import os
from typing import Any

from apprise.common import NotifyType
from apprise.manager_plugins import NotificationManager
from apprise.plugins.base import NotifyBase

from caregrid import paths

SCHEMA = "outbox"


class NotifyOutbox(NotifyBase):
    """Appends messages to var/outbox/<host of the URL>, durably, and none that is there already."""

    service_name: Any = "CareGrid outbox"
    protocol: Any = SCHEMA
    request_rate_per_sec = 0
    body_maxlen = 1_000_000
    title_maxlen = 10_000
    templates: Any = ("{schema}://{host}",)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.key = ""
        self.facts: list[dict[str, Any]] = []

    def url(self, privacy: bool = False, *args: Any, **kwargs: Any) -> str:
        """Return the URL; it holds no secret."""
        return f"{SCHEMA}://{self.host}"

    def send(
        self, body: str, title: str = "", notify_type: NotifyType = NotifyType.INFO, **kwargs: Any
    ) -> bool:
        """Append the message unless a line bears its key.

        A sender killed before it could note its success asks again.
        """
        file = paths.var("outbox", str(self.host))
        file.parent.mkdir(parents=True, exist_ok=True)
        line = {
            "key": self.key,
            "title": title,
            "body": body,
            "type": notify_type.value,
            "events": self.facts,
        }
        with file.open("a+b") as stream:
            stream.seek(0)
            content = stream.read()
            if self.key and any(_key(kept) == self.key for kept in content.splitlines()):
                return True
            # A line torn by a crash is left as it is, and ends here.
            begin = b"\n" if content and not content.endswith(b"\n") else b""
            stream.write(begin + json.dumps(line, ensure_ascii=False).encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        return True


def messages() -> list[dict[str, Any]]:
    """Return the messages of the local channel, oldest first; torn lines are passed over."""
    found = []
    for file in sorted(paths.var("outbox").glob("alerts*.ndjson")):
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                message = json.loads(line)
            except ValueError:
                continue
            if isinstance(message, dict) and "body" in message:
                found.append(message)
    return found


def _key(line: bytes) -> str:
    try:
        return str(json.loads(line).get("key"))
    except (ValueError, AttributeError):
        return ""


def register() -> None:
    """Make Apprise know the channel; safe to call again."""
    manager = NotificationManager()
    if SCHEMA not in manager:
        manager.add(NotifyOutbox, schemas=SCHEMA)
