"""The recipe of CareGrid's own forecasts."""

from .model import CareGridModel, FittedCareGrid

__all__ = ["CareGridModel", "FittedCareGrid"]
