"""How much is measured where nobody says: the sizes that the goals are about, half an hour of it."""

from __future__ import annotations

from dataclasses import dataclass

AREAS = ("load", "memory", "warehouse", "airflow", "forecast")


@dataclass(frozen=True)
class Sizes:
    """How much each area takes; where there are several sizes, each is measured and growth is seen.

    rows: usage rows loaded, and built from. mebibytes: files whose loading is watched for memory.
    short_days, times: the short history, and how many times as long the long one is.
    feeds: which the whole job takes through Airflow, as `make demo` has it; none leaves the job out.
    series: daily series of three years to forecast.
    """

    rows: tuple[int, ...] = (5_000_000,)
    mebibytes: tuple[int, ...] = (1024, 5120)
    short_days: int = 365
    times: int = 10
    feeds: str = "sim_registry,sim_beds,sim_emergency"
    series: tuple[int, ...] = (1_000,)
