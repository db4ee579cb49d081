"""The tables that lineage names for a scoring run are those that its SQL names."""

from __future__ import annotations

import re

import pytest
from caregrid.paths import ROOT

from ml.warehouse.data import READS
from ml.warehouse.output import SCORED

pytestmark = pytest.mark.unit


def test_what_is_read_is_what_the_queries_read() -> None:
    text = (ROOT / "ml" / "warehouse" / "data.py").read_text(encoding="utf-8")
    assert set(READS) == set(re.findall(r"(?:from|join) (core\.\w+)", text))


def test_what_is_written_is_what_is_appended() -> None:
    text = (ROOT / "ml" / "warehouse" / "output.py").read_text(encoding="utf-8")
    inserted = set(re.findall(r"insert into (model_output\.\w+)", text))
    copied = {f"model_output.{name}" for name in re.findall(r'"(\w+) \(run_id, ', text)}
    # A back-test is of training.
    assert set(SCORED) == inserted | copied - {"model_output.backtest"}
