"""What a gate observed, in words that a person reads in the reason of a refusal."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from caregrid.gates.record import in_words

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("observed", "words"),
    [
        ({"loads_without_reasons": 2.0}, "loads_without_reasons 2"),
        ({"occupied": np.float64(0.25), "admissions": np.int64(3)}, "occupied 0.25, admissions 3"),
        ({"rows": {"first": 1_234_567.0}}, "rows first 1234567"),
        ([1, "two"], "1, two"),
        (float("nan"), "nothing"),
        (None, "nothing"),
    ],
)
def test_what_was_observed_is_said_in_words(observed: Any, words: str) -> None:
    assert in_words(observed) == words
