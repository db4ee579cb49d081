"""Numbers of things, as notes and remarks tell them."""

from __future__ import annotations

import pytest

from ml.words import many

pytestmark = pytest.mark.unit


def test_one_thing_is_told_as_one_and_all_else_as_several() -> None:
    assert [many(count, "row") for count in (0, 1, 2, 11)] == ["0 rows", "1 row", "2 rows", "11 rows"]
