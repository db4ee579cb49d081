"""What all tests share: exactly one marker each, and the real PostgreSQL that integration tests run on."""

from __future__ import annotations

import pytest

MARKERS = {"unit", "dags", "integration", "e2e"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a test that bears none or several of the four markers."""
    for item in items:
        borne = MARKERS & {mark.name for mark in item.iter_markers()}
        if len(borne) != 1:
            raise pytest.UsageError(f"{item.nodeid}: needs exactly one of {sorted(MARKERS)}, has {sorted(borne)}")
