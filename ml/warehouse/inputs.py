"""What a run reads: its series on their spines, and what names exactly this knowledge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .data import Data, Warehouse, fingerprint, newest_known
from .settings import Settings
from .spine import Grid, Spine, build_spines


@dataclass
class Inputs:
    """What a run knows: its series on their spines, and what names exactly this knowledge."""

    cut: datetime
    load_ids: list[int]
    data_sha256: str
    spines: list[Spine]
    series: Any

    def grids(self) -> list[Grid]:
        """Return every spine as known at the cut."""
        return [spine.as_known(None) for spine in self.spines]


def warehouse(settings: Settings) -> Warehouse:
    """Return the warehouse, read as far back as the settings look."""
    dates = {
        grain: one.configuration.history // 24 + 1 if grain == "hour" else one.configuration.history
        for grain, one in settings.grains.items()
    }
    return Warehouse(history_dates=dates | ({"instant": dates["hour"]} if "hour" in dates else {}))


def read(data: Data, settings: Settings, as_of: datetime, load_ids: Sequence[int] | None = None) -> Inputs:
    """Read what was known as of a moment; the cut is the newest known_at, so waiting changes nothing."""
    series = data.series()
    values = data.values(as_of, load_ids)
    history = {grain: one.configuration.history for grain, one in settings.grains.items()}
    return Inputs(
        cut=newest_known(values),
        load_ids=sorted(values["load_id"].unique().to_list()),
        data_sha256=fingerprint(values),
        spines=build_spines(series, values, history),
        series=series,
    )
