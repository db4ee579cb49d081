"""The warehouse: dbt's tables built beside the served ones, checked, and published in one transaction.

build(full_refresh=False) -> BuildResult   everything that loads not yet built touch
build_forecast() -> BuildResult            what depends on model_output
pending_loads() -> list[int]               what the next build would take in
register_feeds(), match_facilities()       steps before dbt: the feeds' registry, the facilities' crosswalk
generate_documentation() -> Path           dbt's documentation as one page without outside content
"""

from __future__ import annotations

from caregrid.warehouse.build import BuildResult, build, build_forecast
from caregrid.warehouse.documentation import generate_documentation
from caregrid.warehouse.ledger import pending_loads
from caregrid.warehouse.matching import match_facilities
from caregrid.warehouse.registry import register_feeds

__all__ = [
    "BuildResult",
    "build",
    "build_forecast",
    "generate_documentation",
    "match_facilities",
    "pending_loads",
    "register_feeds",
]
