"""How much is measured where nobody says: minutes of it, not an hour."""

from __future__ import annotations

from dataclasses import dataclass

AREAS = ("load", "memory", "airflow")


@dataclass(frozen=True)
class Sizes:
    """rows: usage rows loaded; one measurement each. mebibytes: files whose loading is watched for memory."""

    rows: tuple[int, ...] = (1_000_000,)
    mebibytes: tuple[int, ...] = (256, 512)
