"""Distributions of counts: who stays of those present, and who came and stayed."""

from __future__ import annotations

import numpy as np

from ..panel import Floats, Ints


def poisson_binomial(chances: Floats, extra: Floats | float = 1.0, size: int = 0) -> Floats:
    """Return [count] the distribution of how many of independent events happen.

    Hong (2013), Comput. Stat. Data Anal. 59, 41-51, eq. 7: the discrete Fourier transform of the product of
    1 - p + p exp(i w), exact but for rounding.

    Args:
        chances: [event]; size: counts that are told apart, more than there are events by what `extra` adds.
        extra: [size] characteristic function at w = 2 pi k / size of a count that is added to it.
    """
    size = max(size, len(chances) + 1)
    turned = np.exp(2j * np.pi * np.arange(size) / size) - 1
    product = np.ones(size, dtype=complex)
    for chance in chances:
        product *= 1 + chance * turned
    return np.clip(np.fft.fft(product * extra).real / size, 0.0, None)


def survivors_and_arrivals(chances: Floats, mean: float, spread: float) -> Floats:
    """Return [count] the distribution of those who stayed plus those who came and stayed.

    Arrivals whose rate is known up to a gamma-distributed factor are negative binomial, and thinning leaves
    them so: their variance is mean + spread mean^2, their characteristic function
    (1 - spread mean (exp(i w) - 1))^(-1 / spread) (Johnson, Kemp & Kotz 2005, Univariate Discrete
    Distributions, 5.1). They are Poisson where the spread is 0.
    """
    size = int(len(chances) + 30 + mean + 12 * np.sqrt(mean + spread * mean**2) + 25 * spread * mean)
    turned = np.exp(2j * np.pi * np.arange(size) / size) - 1
    came = np.exp(mean * turned) if spread < 1e-9 else (1 - spread * mean * turned) ** (-1 / spread)
    return poisson_binomial(chances, came, size)


def quantiles_of(chances: Floats, levels: tuple[float, ...]) -> Ints:
    """Return the least counts that reach the levels."""
    reached = np.cumsum(chances)
    return np.searchsorted(reached / reached[-1], np.asarray(levels) - 1e-12)
