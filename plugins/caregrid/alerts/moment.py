"""The rule of "now" lies in caregrid.moment, which the warehouse shares; these are its names for alerts."""

from caregrid.moment import LATEST, declare

__all__ = ["LATEST", "declare"]
