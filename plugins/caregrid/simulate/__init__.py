"""A made-up network of hospitals and clinics that writes real wire formats, for when no feed is there."""

from __future__ import annotations

from caregrid.simulate.run import Summary, simulate

__all__ = ["Summary", "simulate"]
