"""The global model of one grain: a LightGBM per quantile over all series and horizons, kept and asked."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .features import FeatureMaker

if TYPE_CHECKING:
    from lightgbm import Booster

Floats = np.ndarray
Ints = np.ndarray

BANDS = 4  # horizon bands of the calibration


@dataclass
class QuantileModel:
    """A fitted grain.

    Args:
        grain, quantiles, measures, horizon: what it forecasts.
        boosters: one per quantile.
        offsets: {feed: [band, quantile]} added to what the boosters say, in units of the scale; "" for
        others.
        rows: training rows.
        risk_weights: {feed: weights of overload.probability}.
    """

    grain: str
    quantiles: tuple[float, ...]
    measures: list[str]
    horizon: int
    boosters: list[Booster]
    offsets: dict[str, Floats]
    rows: int
    feature_names: list[str] = field(default_factory=list)
    risk_weights: dict[str, tuple[float, float, float]] = field(default_factory=dict)

    def predict(self, maker: FeatureMaker, series: Ints, origin: Ints, horizon: Ints) -> Floats:
        """Return [row, quantile] forecasts in the grid's unit: never below 0, never held at capacity."""
        if not len(series):
            return np.zeros((0, len(self.quantiles)))
        rows = maker.rows(series, origin, horizon)
        said = np.stack([booster.predict(rows.x, num_threads=1) for booster in self.boosters], axis=1)
        offsets = self.offsets.get(maker.spine.feed, self.offsets[""])
        said = said + offsets[band(horizon, self.horizon)]
        values = np.maximum(np.sort(rows.level[:, None] + rows.scale[:, None] * said, axis=1), 0.0)
        return values if maker.power == 1 else values ** (1 / maker.power)

    def predict_paths(self, maker: FeatureMaker, series: Ints, origin: Ints, horizons: int) -> Floats:
        """Return [series, horizon, quantile] forecasts for horizons 1..horizons."""
        count = len(series)
        flat = self.predict(
            maker,
            np.repeat(series, horizons),
            np.repeat(np.broadcast_to(origin, (count,)), horizons),
            np.tile(np.arange(1, horizons + 1), count),
        )
        return flat.reshape(count, horizons, len(self.quantiles))


def band(horizon: Ints, longest: int) -> Ints:
    """Return the calibration band (0..BANDS-1) of each horizon."""
    return np.minimum((horizon - 1) * BANDS // max(longest, 1), BANDS - 1)


def save(models: dict[str, QuantileModel], directory: Path) -> None:
    """Write models as one folder per grain: LightGBM's own text files and grain.json."""
    for grain, model in models.items():
        folder = directory / grain
        folder.mkdir(parents=True, exist_ok=True)
        for number, booster in enumerate(model.boosters):
            (folder / f"quantile_{number:02d}.txt").write_text(booster.model_to_string())
        told: dict[str, Any] = {
            "quantiles": list(model.quantiles),
            "measures": model.measures,
            "horizon": model.horizon,
            "offsets": {feed: offsets.tolist() for feed, offsets in model.offsets.items()},
            "rows": model.rows,
            "feature_names": model.feature_names,
            "risk_weights": {feed: list(weights) for feed, weights in model.risk_weights.items()},
        }
        (folder / "grain.json").write_text(json.dumps(told, indent=1, sort_keys=True))


def load(directory: Path) -> dict[str, QuantileModel]:
    """Read what `save` wrote."""
    import lightgbm as lgb

    found = {}
    for path in sorted(directory.glob("*/grain.json")):
        told = json.loads(path.read_text())
        files = sorted(path.parent.glob("quantile_*.txt"))
        found[path.parent.name] = QuantileModel(
            grain=path.parent.name,
            quantiles=tuple(told["quantiles"]),
            measures=told["measures"],
            horizon=told["horizon"],
            boosters=[lgb.Booster(model_str=file.read_text()) for file in files],
            offsets={feed: np.array(offsets) for feed, offsets in told["offsets"].items()},
            rows=told["rows"],
            feature_names=told["feature_names"],
            risk_weights={feed: tuple(weights) for feed, weights in told["risk_weights"].items()},
        )
    return found
