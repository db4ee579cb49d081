"""Sends the events on to a server that collects them, such as Marquez, named by CAREGRID_OPENLINEAGE_URL.

The files stay the truth: how far they were sent is kept beside them as a file and a place in it, and moves on
only when the server has taken an event. Whatever the server does, no event is lost and no work waits.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from caregrid import paths
from caregrid.errors import CareGridError
from caregrid.lineage import journal

SETTING = "CAREGRID_OPENLINEAGE_URL"
_KEY = "openlineage_api_key"
_SECONDS = 10.0


def server() -> str | None:
    """Return the address of the server that events go on to; None where they stay in the files.

    Raises:
        CareGridError: what is set is no address.
    """
    address = os.environ.get(SETTING, "").rstrip("/")
    if address and urlsplit(address).scheme not in ("http", "https"):
        raise CareGridError(
            f"{address!r} is no address of http", where=SETTING, fix="set it as http://marquez.example:5000"
        )
    return address or None


def send() -> int:
    """Send every event that has not been sent yet, in order; return how many.

    Raises:
        CareGridError: no server is named, or it does not take an event: what came before it is sent.
    """
    # A tenth of a second, and most installations never send.
    import httpx

    address = server()
    if address is None:
        raise CareGridError("no server of lineage is named", fix=f"set {SETTING}=http://marquez.example:5000")
    file_of_key = paths.secrets(_KEY)
    # Compose knows no secret that may be absent: on servers the file is empty where no key is wanted.
    key = file_of_key.read_text().strip() if file_of_key.is_file() else ""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    sent = 0
    with httpx.Client(base_url=address, headers=headers, timeout=_SECONDS) as client:
        for file, line, end in _waiting():
            try:
                taken = client.post(
                    "/api/v1/lineage", content=line, headers={"Content-Type": "application/json"}
                )
                taken.raise_for_status()
            except httpx.HTTPError as error:
                raise CareGridError(
                    f"the server did not take an event, after {sent} that it took: {error}",
                    where=f"{address}, {file} before byte {end}",
                    fix="nothing is lost: they are sent when it answers again",
                ) from error
            _keep(file, end)
            sent += 1
    return sent


def _waiting() -> Iterator[tuple[Path, bytes, int]]:
    """Yield (file, event, where it ends) of what follows the last that was sent."""
    name, place = _sent()
    for file in journal.files():
        if file.name < name:
            continue
        with file.open("rb") as stream:
            stream.seek(place if file.name == name else 0)
            # Not by iteration, which does not tell the place.
            while line := stream.readline():
                if not line.endswith(b"\n"):
                    # It is being written.
                    break
                if _is_event(line):
                    yield file, line.rstrip(), stream.tell()


def _is_event(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _sent() -> tuple[str, int]:
    try:
        kept = json.loads(_file().read_text(encoding="utf-8"))
        return str(kept["file"]), int(kept["place"])
    except (OSError, ValueError, KeyError):
        return "", 0


def _keep(file: Path, place: int) -> None:
    part = _file().with_suffix(".part")
    part.write_text(json.dumps({"file": file.name, "place": place}), encoding="utf-8")
    part.replace(_file())


def _file() -> Path:
    return journal.folder() / "sent.json"
