"""The middle of a forecast: a ridge regression and trees on the same rows, blended by their unseen errors."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..panel import Floats, Ints
from . import machines
from .configuration import Configuration

if TYPE_CHECKING:
    from lightgbm import Booster

CHUNK = 20_000
LARGEST = 6.0  # standard deviations beyond which a feature says no more to the linear model
FEWEST = 200  # rows; fewer train nothing
WORKERS = 2  # models trained at once, each on one thread; no number depends on it


@dataclass
class Ridge:
    """A linear model of features whose weights vary smoothly with the lead.

    Args:
        mean, spread: [feature]; weights: [feature + 1, basis] flat; longest: lead that scales the basis.
    """

    mean: Floats
    spread: Floats
    weights: Floats
    longest: int
    hourly: bool

    @classmethod
    def fit_each(
        cls, x: Floats, z: Floats, lead: Ints, longest: int, hourly: bool, penalties: tuple[float, ...]
    ) -> list[Ridge]:
        """Return a model per penalty, by the normal equations, in parts (Hoerl & Kennard 1970)."""
        seen = np.isfinite(x)
        count = np.maximum(seen.sum(axis=0), 1)
        mean = np.where(seen, x, 0).sum(axis=0, dtype=float) / count
        spread = np.sqrt((np.where(seen, x - mean, 0.0) ** 2).sum(axis=0) / count) + 1e-6
        made = [cls(mean, spread, np.zeros(0), longest, hourly) for _ in penalties]
        left: Floats = np.zeros(0)
        right: Floats = np.zeros(0)
        for begin in range(0, len(x), CHUNK):
            part = made[0]._design(x[begin : begin + CHUNK], lead[begin : begin + CHUNK])
            if not left.size:
                left, right = np.zeros((part.shape[1],) * 2), np.zeros(part.shape[1])
            left = left + part.T @ part
            right = right + part.T @ z[begin : begin + CHUNK]
        for one, penalty in zip(made, penalties, strict=True):
            one.weights = np.linalg.solve(left + penalty * len(x) * 1e-3 * np.eye(len(left)), right)
        return made

    def predict(self, x: Floats, lead: Ints) -> Floats:
        """Return [row]."""
        return self._answers(x, lead, self.weights[:, None])[:, 0]

    def _answers(self, x: Floats, lead: Ints, weights: Floats) -> Floats:
        """Return [row, model] of [weight, model] that share what features are scaled by."""
        parts = [
            self._design(x[begin : begin + CHUNK], lead[begin : begin + CHUNK]) @ weights
            for begin in range(0, len(x), CHUNK)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, weights.shape[1]))

    def terms(self, x: Floats, lead: Ints) -> Floats:
        """Return [row, feature + 1] what each feature adds to the answer; last what is there without any."""
        weighed = (self._design(x, lead) * self.weights).reshape(len(x), x.shape[1] + 1, -1)
        found: Floats = weighed.sum(axis=2)
        return found

    def _design(self, x: Floats, lead: Ints) -> Floats:
        scaled = np.where(np.isfinite(x), (x - self.mean) / self.spread, 0.0)
        scaled = np.clip(scaled, -LARGEST, LARGEST)
        scaled = np.concatenate([scaled, np.ones((len(x), 1))], axis=1)
        share = lead / self.longest
        if self.hourly:
            basis = np.stack([np.ones_like(share), np.exp(-lead / 3), np.exp(-lead / 12), share], axis=1)
        else:
            basis = np.stack([np.ones_like(share), np.sqrt(share), share], axis=1)
        made: Floats = (scaled[:, :, None] * basis[:, None, :]).reshape(len(x), -1)
        return made


@dataclass
class Blend:
    """The two models and the weight of the linear one."""

    ridge: Ridge
    trees: list[Booster]
    weight: float
    linear: int

    def predict(self, x: Floats, lead: Ints) -> Floats:
        """Return [row] changes in scales."""
        if not len(x):
            return np.zeros(0)
        grown = np.mean([tree.predict(x, num_threads=1) for tree in self.trees], axis=0)
        found: Floats = (
            self.weight * self.ridge.predict(x[:, : self.linear], lead) + (1 - self.weight) * grown
        )
        return found


def fit(
    x: Floats, z: Floats, origin: Ints, lead: Ints, linear: int, longest: int, hourly: bool,
    configuration: Configuration,
) -> tuple[Blend | None, Floats]:  # fmt: skip
    """Return the blend, None where rows are too few, and [row] what models answered that never saw the row.

    Rows are cut into blocks of time by origin; each block is answered by models trained on rows whose origins
    and targets lie outside it. The penalty of the linear model and its weight in the blend are those with the
    least absolute error there.
    """
    if len(z) < FEWEST:
        return None, np.full(len(z), np.nan)
    penalties = configuration.ridge
    straight, grown = np.full((len(penalties), len(z)), np.nan), np.full(len(z), np.nan)
    blocks = list(_blocks(origin, lead, longest, configuration.folds))

    def one(block: tuple[np.ndarray, np.ndarray]) -> tuple[Floats, Floats]:
        train, test = block
        models = Ridge.fit_each(x[train][:, :linear], z[train], lead[train], longest, hourly, penalties)
        trees = grow(x[train], z[train], configuration, 0)
        weights = np.stack([model.weights for model in models], axis=1)
        return (
            models[0]._answers(x[test][:, :linear], lead[test], weights).T,
            np.asarray(trees.predict(x[test], num_threads=1)),
        )

    # A cluster grows one set of trees at a time, on all of its workers.
    with ThreadPoolExecutor(WORKERS if machines.cluster() is None else 1) as pool:
        whole = [pool.submit(grow, x, z, configuration, bag) for bag in range(configuration.bags)]
        for (_, test), said in zip(blocks, pool.map(one, blocks), strict=True):
            straight[:, test], grown[test] = said
        trees = [future.result() for future in whole]
    chosen, weight = _least(z, straight, grown)
    ridge = Ridge.fit_each(x[:, :linear], z, lead, longest, hourly, (penalties[chosen],))[0]
    return Blend(ridge, trees, weight, linear), weight * straight[chosen] + (1 - weight) * grown


def _least(z: Floats, straight: Floats, grown: Floats) -> tuple[int, float]:
    """Return the penalty's number and the linear model's weight with the least absolute error.

    Args:
        z: [row]; straight: [penalty, row] and grown: [row] unseen answers, NaN where there is none.
    """
    seen = np.isfinite(grown)
    if not seen.any():
        return 0, 0.5
    weights = np.linspace(0, 1, 11)
    errors = [[np.abs(z - w * one - (1 - w) * grown)[seen].mean() for w in weights] for one in straight]
    number, at = np.unravel_index(int(np.argmin(errors)), np.shape(errors))
    return int(number), float(weights[at])


def grow(
    x: Floats, z: Floats, configuration: Configuration, bag: int, objective: str = "l1", rounds: int = 0
) -> Booster:
    """Train one set of trees: seeds fixed and one thread, so that the same rows give the same trees.

    Where a cluster is named, it grows them (`machines`).
    """
    import lightgbm as lgb

    smallest = max(5, min(configuration.smallest_leaf, len(z) // 40))
    parameters = {
        "objective": objective, "num_leaves": configuration.leaves, "min_data_in_leaf": smallest,
        "learning_rate": configuration.learning_rate, "feature_fraction": configuration.columns_share,
        "bagging_fraction": 0.7, "bagging_freq": 1, "lambda_l2": 1.0, "max_bin": 127, "metric": "None",
        "seed": configuration.seed + bag, "deterministic": True, "force_row_wise": True, "num_threads": 1,
        "verbosity": -1, "feature_pre_filter": False,
    }  # fmt: skip
    if (client := machines.cluster()) is not None:
        return machines.grow(client, x, z, parameters, rounds or configuration.rounds)
    data = lgb.Dataset(x, z, params={"max_bin": 127, "verbosity": -1, "feature_pre_filter": False})
    return lgb.train(parameters, data, num_boost_round=rounds or configuration.rounds)


def _blocks(origin: Ints, lead: Ints, longest: int, folds: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (train, test) masks; between them lies as much time as the longest lead."""
    edges = np.quantile(origin, np.linspace(0, 1, folds + 1))
    for number in range(folds):
        first, last = edges[number], edges[number + 1]
        test = (origin >= first) & ((origin < last) | (number == folds - 1))
        train = (origin + lead < first) | (origin >= last + longest)
        if train.sum() >= FEWEST and test.any():
            yield train, test
