"""The demo's last words: what they count adds up."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

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


def test_a_grain_that_is_worse_is_called_worse_and_not_served() -> None:
    found = [
        ("day", 0.8, 1.0, 500, True),
        ("hour", 1.17, 1.0, 400, False),
        ("month", 0.97, 1.0, 30, False),
        ("week", None, 1.0, 4, True),
    ]
    said = summary._scores(found, "whole").splitlines()
    assert "0.8000 against 1.0000  20 % better  (500 cells)" in said[1]
    assert "17 % worse; kept back, not served  (400 cells)" in said[2]
    assert "3 % better; kept back, not served  (30 cells)" in said[3]
    assert "not comparable  (4 cells)" in said[4]


def test_a_risk_names_the_limit_it_is_about() -> None:
    at = datetime(2026, 3, 1, 8, tzinfo=UTC)
    name = ("", "Doncaster", "Intensive care beds", "重症床位")
    reserve, capacity = (
        summary._risks([(*name, 0.93, limit, 25.0, at + timedelta(days=7), at, "Europe/London")])
        for limit in (22.5, 25.0)
    )
    assert "more than 22.5 of 25, so less is free than the reserve · 空闲低于储备, by 2026-03-08" in reserve
    assert "more than 25, its capacity · 占用超过容量, by 2026-03-08" in capacity
