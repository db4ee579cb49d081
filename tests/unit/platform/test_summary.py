"""The demo's last words: what they count adds up."""

from __future__ import annotations

import re

import pytest
from caregrid.platform import summary

pytestmark = pytest.mark.unit


def test_the_records_add_up_as_printed() -> None:
    terms = {
        "loaded": 1000, "partly rejected": 20, "rejected": 3, "duplicate": 400, "unchanged": 50,
        "filtered": 6, "held by the gate": 7,
    }  # fmt: skip
    said = summary._records(["a", "b"], (9, sum(terms.values()), *terms.values(), 11, 12))
    equation = said[: said.index(" rows loaded")]
    assert "1,486 received in 9 loads of 2 feeds =" in equation
    shown = re.findall(r"([\d,]+) ((?:partly )?[a-z]+(?: by the gate)?)", equation.split("=")[1])
    assert {what: int(number.replace(",", "")) for number, what in shown} == terms
