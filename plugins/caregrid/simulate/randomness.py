"""Random numbers by name: each part of the simulator has its own stream, so adding one shifts no other."""

from __future__ import annotations

import zlib

import numpy as np


def stream(seed: int, name: str) -> np.random.Generator:
    """Return the generator of one part. The same seed and name give the same numbers on every machine."""
    sequence = np.random.SeedSequence([seed, zlib.crc32(name.encode("utf-8"))])
    return np.random.Generator(np.random.PCG64(sequence))
