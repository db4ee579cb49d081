"""HL7 v2 as another program writes and reads it: hl7apy, and the messages of Simulated Hospital."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from caregrid.feeds.model import Format, Source
from caregrid.mapping import read
from caregrid.mapping.readers.hl7_message import COLUMNS
from caregrid.paths import feeds_base
from hl7apy.core import Message
from hl7apy.parser import parse_message

pytestmark = pytest.mark.unit
FILE = feeds_base() / "hl7v2_simhospital" / "messages.out.gz"
SOURCE = Source("feed", "source", None, None, None, Format("hl7"), ("",), (), (), {}, {}, False)


def rows(path: Path) -> list[dict[str, Any]]:
    return [row for batch in read(SOURCE, path) for row in batch.frame.rows(named=True)]


def value(message: Any, column: str) -> str | None:
    """Return what hl7apy finds at PV1-3.4 of a message; times are cut here as by hand."""
    segment, _, at = column.partition("-")
    number, part = map(int, at.split("."))
    if segment not in [child.name for child in message.children]:
        return None
    text = getattr(getattr(message, segment.lower()), f"{segment.lower()}_{number}").to_er7()
    parts = text.split("~")[0].split("^")
    found = parts[part - 1] if part <= len(parts) else ""
    if column in ("MSH-7.1", "EVN-2.1", "PV1-44.1") and found:
        return f"{found[:4]}-{found[4:6]}-{found[6:8]}T{found[8:10]}:00"
    return found or None


@pytest.mark.skipif(not FILE.is_file(), reason="the mirror of the real feeds is not on this machine")
def test_every_column_of_real_messages_is_what_hl7apy_finds() -> None:
    texts = [text.strip() for text in gzip.decompress(FILE.read_bytes()).decode("ascii").split("\n\n")]
    texts = [text for text in texts if text]
    found = rows(FILE)
    assert len(found) == len(texts) == 1_013
    numbers = [number for number, text in enumerate(texts) if "|ADT^" in text]
    assert len(numbers) == 401
    merged = next(number for number in numbers if "|ADT^A34|" in texts[number])
    for number in (*numbers[:12], merged, numbers[-1]):
        message = parse_message(texts[number] + "\r", find_groups=False)
        assert found[number] == {column: value(message, column) for column in COLUMNS}


@pytest.mark.parametrize("version", ["2.3", "2.5", "2.7"])
def test_messages_that_hl7apy_writes_are_read(tmp_path: Path, version: str) -> None:
    written = []  # hl7apy takes & for a mark even inside a text
    for number, ward in enumerate(("North|East", "Süd ^ West", "A~B C\\D"), 1):
        message = Message("ADT_A01", version=version)
        message.msh.msh_3 = "WRITER"
        message.msh.msh_7 = "20240229235959"
        message.msh.msh_9 = "ADT^A01"
        message.msh.msh_10 = str(number)
        message.msh.msh_18 = "UNICODE UTF-8"
        message.evn.evn_2 = "20240229235959"
        message.pid.pid_5.pid_5_1 = "Quimby"
        message.pv1.pv1_2 = "I"
        message.pv1.pv1_3.pv1_3_1 = ward
        message.pv1.pv1_3.pv1_3_4.value = "Hospital"
        written.append(message)
    (tmp_path / "landed").write_bytes("".join(message.to_mllp() for message in written).encode())
    found = rows(tmp_path / "landed")
    assert [(row["MSH-10.1"], row["PV1-3.1"], row["PV1-3.4"]) for row in found] == [
        ("1", "North|East", "Hospital"),
        ("2", "Süd ^ West", "Hospital"),
        ("3", "A~B C\\D", "Hospital"),
    ]
    assert {row["MSH-7.1"] for row in found} == {"2024-02-29T23:00"}
