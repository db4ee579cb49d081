"""Occupied beds forecast from stays: who of the present patients stays, and who will have come."""

from .model import Census
from .stays import Stays, read_stays

__all__ = ["Census", "Stays", "read_stays"]
