"""What a run of the models is told: quantiles, horizons, history, rows; two named sets, demo and whole."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import Any

MODEL_NAME = "caregrid-forecast"
DEMO_QUANTILES = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
# The 23 quantiles of the CDC forecast hubs.
WHOLE_QUANTILES = (0.01, 0.025, *(round(0.05 * step, 2) for step in range(1, 20)), 0.975, 0.99)


@dataclass(frozen=True)
class GrainSettings:
    """How series of one grain are forecast; every number counts periods of that grain.

    Args:
        season: periods in a season; a series needs two seasons of observed values.
        horizon: how many periods after the last known one are forecast.
        history: how far back values are read and learned from.
        calibration: the last periods before the cut, kept out of training to calibrate the quantiles on.
        origins: rolling origins of the back-test.
        step: periods between two origins; no multiple of a day for hours, so that origins fall at all hours.
        windows: trailing windows of the rolling features, the shortest first.
        risk_horizons: horizons at which the overload risk is said.
        anchor: the mean of this many last periods is the level that the model's answers are relative to.
        refit_every: origins of the back-test that one fit serves, from its own cut on.
        power: values are modelled as this power of themselves, which calms what grows by multiples.
    """

    season: int
    horizon: int
    history: int
    calibration: int
    origins: int
    step: int
    windows: tuple[int, ...]
    risk_horizons: tuple[int, ...]
    anchor: int
    power: float
    refit_every: int


@dataclass(frozen=True)
class Settings:
    """One set of settings; `fingerprint` names the recipe in comparisons of champion and challenger.

    Args:
        name: what people call this set.
        quantiles: levels that are forecast, strictly between 0 and 1, ascending, holding 0.5.
        rows: training rows per grain at most, drawn by seed.
        backtest_rows: the same for the fits of the back-test.
        rounds, leaves, learning_rate, bins: LightGBM's.
        workers: boosters trained at once, each on one thread; no number depends on it.
        series_per_feed: series per feed and grain that take part in training and back-test; None takes all.
        seed: of every draw.
        grains: settings per model grain (hour holds instants too).
    """

    name: str
    quantiles: tuple[float, ...]
    rows: int
    backtest_rows: int
    rounds: int
    leaves: int
    learning_rate: float
    bins: int
    workers: int
    series_per_feed: int | None
    seed: int
    grains: dict[str, GrainSettings]

    def __post_init__(self) -> None:
        ordered = list(self.quantiles) == sorted(set(self.quantiles))
        if not ordered or 0.5 not in self.quantiles or not 0 < self.quantiles[0] <= self.quantiles[-1] < 1:
            raise ValueError(f"quantiles must ascend within (0, 1) and hold 0.5, not {self.quantiles}")

    def as_json(self) -> str:
        """Return everything as JSON with sorted keys."""
        return json.dumps(asdict(self), sort_keys=True)

    def fingerprint(self) -> str:
        """Return 12 hex digits that name this recipe."""
        return hashlib.sha256(self.as_json().encode()).hexdigest()[:12]

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """Rebuild settings from `as_json`, for a run that is reproduced."""
        found = json.loads(text)
        grains = {
            grain: GrainSettings(**{key: _frozen(value) for key, value in fields.items()})
            for grain, fields in found["grains"].items()
        }
        return cls(**{**found, "quantiles": tuple(found["quantiles"]), "grains": grains})


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


WHOLE = Settings(
    name="whole",
    quantiles=WHOLE_QUANTILES,
    rows=120_000,
    backtest_rows=40_000,
    rounds=100,
    leaves=31,
    learning_rate=0.09,
    bins=127,
    workers=2,
    series_per_feed=None,
    seed=20250131,
    grains={
        "hour": GrainSettings(
            168, 48, 24 * 7 * 26, 24 * 10, 12, 31, (3, 6, 24, 168), (6, 12, 24, 48), 24, 0.5, 12
        ),
        "day": GrainSettings(7, 28, 365 * 4, 56, 12, 9, (3, 7, 14, 28), (1, 3, 7, 14, 28), 7, 0.5, 6),
        "week": GrainSettings(52, 4, 52 * 8, 26, 20, 2, (2, 4, 8, 13), (1, 2, 4), 2, 0.5, 7),
        "month": GrainSettings(12, 3, 12 * 16, 6, 8, 1, (2, 3, 6, 12), (1, 3), 2, 1.0, 8),
    },
)

DEMO = replace(
    WHOLE,
    name="demo",
    quantiles=DEMO_QUANTILES,
    rows=30_000,
    backtest_rows=16_000,
    rounds=50,
    leaves=15,
    learning_rate=0.12,
    bins=63,
    series_per_feed=80,
    grains={
        "hour": replace(
            WHOLE.grains["hour"], horizon=24, history=24 * 7 * 8, calibration=24 * 7, origins=6,
            risk_horizons=(6, 12, 24),
        ),
        "day": replace(
            WHOLE.grains["day"], horizon=14, history=365 * 2, origins=5, risk_horizons=(1, 3, 7, 14)
        ),
        "week": replace(WHOLE.grains["week"], origins=6, step=4, refit_every=6),
        "month": replace(WHOLE.grains["month"], origins=5),
    },
)  # fmt: skip

NAMED = {"demo": DEMO, "whole": WHOLE}
