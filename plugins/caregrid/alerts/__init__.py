"""Alerts: rules in YAML, evaluated on new data and by the clock, told once per change of state."""

from __future__ import annotations

from caregrid.alerts.evaluate import Evaluation, evaluate

__all__ = ["Evaluation", "evaluate"]
