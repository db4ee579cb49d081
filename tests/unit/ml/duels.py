"""Made-up duels of two models whose losses behave as real ones do, for the promotion gate."""

from __future__ import annotations

import numpy as np

from ml.gate.paired import Floats, Paired

SERIES, LEADS = 12, 4


def duel(
    seed: int = 1, cutoffs: int = 40, block: int = 1, grain: str = "day", gain: float = 0.0,
    alike: float = 0.5, spread: float = 0.05, wave: float = 0.0, nominal: dict[int, float] | None = None,
    subgroup_gain: float | None = None, subgroup_series: int = 6,
) -> Paired:  # fmt: skip
    """Return the losses of a challenger and a champion over 12 series and 4 leads.

    What is hard at a cutoff is hard for both and for all series, and goes on for several cutoffs; each model
    has its own luck besides, which goes on as well.

    Args:
        gain: by what share the challenger's losses are smaller; 0: neither is better.
        alike: autocorrelation of a model's own luck from one cutoff to the next.
        spread: of that luck, as a share of the loss.
        wave: how much harder some times of a block are than others.
        nominal: {level in percent: share of the truth the challenger's intervals hold}; as said without.
        subgroup_gain: the gain in the first series, which are subgroup `region=north`.
    """
    rng = np.random.default_rng([seed, cutoffs, block])
    shape = (cutoffs, SERIES, LEADS)
    season = wave * np.sin(2 * np.pi * np.arange(cutoffs) / max(block, 2))
    hard = 0.4 * _luck(rng, cutoffs, 0.7) + season
    cell = rng.normal(0, 0.6, shape)
    own = [spread * _luck(rng, cutoffs, alike) for _ in range(2)]
    ours, theirs = (
        np.exp(-0.7 + (hard + luck)[:, None, None] + cell + rng.normal(0, 0.1, shape)) for luck in own
    )
    north = np.zeros(shape, dtype=bool)
    north[:, :subgroup_series] = True
    less = np.where(north, gain if subgroup_gain is None else subgroup_gain, gain)
    held = nominal or {50: 0.5, 80: 0.8, 95: 0.95}
    return Paired(
        grain=grain,
        cutoff=np.repeat(np.arange(cutoffs), SERIES * LEADS),
        ours=(ours * (1 - less)).ravel(),
        theirs=theirs.ravel(),
        covered={level: (rng.random(shape) < share).ravel().astype(float) for level, share in held.items()},
        subgroups={"region=north": north.ravel()},
        block=block,
    )


def _luck(rng: np.random.Generator, cutoffs: int, alike: float) -> Floats:
    """Return an autoregression of first order with variance one."""
    found = np.empty(cutoffs)
    found[0] = rng.normal()
    for at in range(1, cutoffs):
        found[at] = alike * found[at - 1] + np.sqrt(1 - alike**2) * rng.normal()
    return found
