"""The gates: loads are accepted or refused before anything reads them, marts checked before anyone does.

    gate_staged() -> LandingVerdict      every staged load, in one process
    gate_marts(build_id) -> MartsVerdict the tables beside the served ones

Great Expectations is imported inside these two and nowhere else: the import alone takes seconds.
"""

from __future__ import annotations

from caregrid.gates.landing import LandingVerdict, gate_staged
from caregrid.gates.marts import MartsVerdict, gate_marts

__all__ = ["LandingVerdict", "MartsVerdict", "gate_marts", "gate_staged"]
