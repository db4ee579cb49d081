"""What a run of the models is told: quantiles, horizons, rolling origins; two named sets, demo and whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..panel import WHOLE_QUANTILES
from ..recipe.configuration import CONFIGURATIONS, Configuration

MODEL_NAME = "caregrid-forecast"
Progress = Callable[[str], None]  # is told a line per feed and grain


@dataclass(frozen=True)
class GrainSettings:
    """How series of one grain are forecast and tested; every number counts periods of that grain.

    Args:
        horizon: how many periods after a feed's publication are forecast.
        fewest: observed values that a series needs.
        cutoffs: rolling cutoffs of the back-test.
        step: periods between two cutoffs; no multiple of a day for hours, so that they fall at all hours.
        refit_every: cutoffs of the back-test that one fit serves, from its own on.
        risk_horizons: horizons at which the overload risk is said.
        configuration: of the recipe.
    """

    horizon: int
    fewest: int
    cutoffs: int
    step: int
    refit_every: int
    risk_horizons: tuple[int, ...]
    configuration: Configuration


@dataclass(frozen=True)
class Settings:
    """One set of settings; `fingerprint` names the recipe in comparisons of champion and challenger.

    Args:
        name: what people call this set.
        quantiles: levels that are forecast, strictly between 0 and 1, ascending, holding 0.5.
        paths: joint paths per run.
        trained_per_feed: series per feed and grain that a model learns from; None takes all.
        tested_per_feed: series per feed and grain that the back-test is made on; None takes all.
        seed: of every draw.
        grains: settings per model grain (hour holds instants too).
    """

    name: str
    quantiles: tuple[float, ...]
    paths: int
    trained_per_feed: int | None
    tested_per_feed: int | None
    seed: int
    grains: dict[str, GrainSettings]

    def __post_init__(self) -> None:
        ordered = list(self.quantiles) == sorted(set(self.quantiles))
        if not ordered or 0.5 not in self.quantiles or not 0 < self.quantiles[0] <= self.quantiles[-1] < 1:
            raise ValueError(f"quantiles must ascend within (0, 1) and hold 0.5, not {self.quantiles}")

    @property
    def sample(self) -> str | None:
        """Return what part of the whole a run takes, in words; None for the whole."""
        if self.trained_per_feed is None:
            return None
        return (
            f"trained and back-tested on at most {self.trained_per_feed} series per feed and grain and fewer "
            "rows; every usable series is scored"
        )

    def as_json(self) -> str:
        """Return everything as JSON with sorted keys."""
        return json.dumps(asdict(self), sort_keys=True)

    def fingerprint(self) -> str:
        """Return 12 hex digits that name this recipe."""
        return hashlib.sha256(self.as_json().encode()).hexdigest()[:12]

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """Rebuild settings from `as_json`, for a run that is reproduced."""
        found = _frozen(json.loads(text))
        grains = {}
        for grain, fields in found["grains"].items():
            grains[grain] = GrainSettings(
                **{**fields, "configuration": Configuration(**fields["configuration"])}
            )
        return cls(**{**found, "grains": grains})


def _frozen(value: Any) -> Any:
    """Return JSON with its lists as tuples, which is what settings are made of."""
    if isinstance(value, list):
        return tuple(_frozen(one) for one in value)
    return {key: _frozen(one) for key, one in value.items()} if isinstance(value, dict) else value


WHOLE = Settings(
    name="whole",
    quantiles=WHOLE_QUANTILES,
    paths=200,
    trained_per_feed=None,
    tested_per_feed=300,
    seed=20250131,
    grains={
        "hour": GrainSettings(48, 48, 32, 31, 16, (6, 12, 24, 48), CONFIGURATIONS["H"]),
        "day": GrainSettings(28, 14, 32, 9, 11, (1, 3, 7, 14, 28), CONFIGURATIONS["D"]),
        "week": GrainSettings(4, 26, 52, 2, 13, (1, 2, 4), CONFIGURATIONS["W"]),
        "month": GrainSettings(3, 24, 30, 1, 10, (1, 3), CONFIGURATIONS["M"]),
    },
)


def _sampled(grain: str, cutoffs: int, **changes: Any) -> GrainSettings:
    """Return the whole's settings of a grain with fewer rows and cutoffs."""
    whole = WHOLE.grains[grain]
    configuration = replace(whole.configuration, rows=15_000)
    return replace(whole, cutoffs=cutoffs, refit_every=cutoffs, configuration=configuration, **changes)


DEMO = replace(
    WHOLE,
    name="demo",
    trained_per_feed=80,
    tested_per_feed=80,
    grains={
        "hour": _sampled("hour", 6, horizon=24, risk_horizons=(6, 12, 24)),
        "day": _sampled("day", 6, horizon=14, risk_horizons=(1, 3, 7, 14)),
        "week": _sampled("week", 6, step=4),
        "month": _sampled("month", 6),
    },
)

NAMED = {"demo": DEMO, "whole": WHOLE}
