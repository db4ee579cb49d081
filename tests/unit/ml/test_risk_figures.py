"""Figures of risks against scikit-learn, by hand, and against a truth that is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score

from ml import reliability
from ml.risk import metrics as risk_metrics
from ml.risk import model as risk_model

pytestmark = pytest.mark.unit


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=4, max_size=60))
@settings(deadline=None)
def test_areas_equal_another_implementation_ties_included(pairs: list[tuple[int, bool]]) -> None:
    score = np.array([value / 6 for value, _ in pairs])
    event = np.array([float(hit) for _, hit in pairs])
    if 0 < event.sum() < len(event):
        assert risk_metrics.auroc(score, event) == pytest.approx(roc_auc_score(event, score))
    else:
        assert np.isnan(risk_metrics.auroc(score, event))
    if event.sum():
        expected = average_precision_score(event, score)
        assert risk_metrics.average_precision(score, event) == pytest.approx(expected)


def test_the_calibration_line_equals_another_implementation() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(-1, 1.5, 3000)
    event = (rng.random(3000) < reliability.logistic(0.4 + 0.7 * x)).astype(float)
    other = LogisticRegression(C=1e9, tol=1e-10, max_iter=1000).fit(x[:, None], event)
    intercept, slope = reliability.line(x, event)
    assert intercept == pytest.approx(float(other.intercept_[0]), abs=1e-4)
    assert slope == pytest.approx(float(other.coef_[0, 0]), abs=1e-4)
    # With the slope held at 1 the mean of what is said equals the share of events: that defines it.
    shift, _ = reliability.line(x, event, slope=1.0)
    assert reliability.logistic(x + shift).mean() == pytest.approx(event.mean(), abs=1e-6)


@pytest.mark.parametrize(("stretch", "expected"), [(1.0, 1.0), (2.0, 0.5), (0.5, 2.0)])
def test_a_slope_below_one_tells_of_too_extreme_probabilities(stretch: float, expected: float) -> None:
    rng = np.random.default_rng(8)
    x = rng.normal(-1.5, 1.0, 40_000)
    event = (rng.random(len(x)) < reliability.logistic(x)).astype(float)
    figures = risk_metrics.of_events(reliability.logistic(stretch * x), event, float(event.mean()))
    assert figures["calibration_slope"] == pytest.approx(expected, rel=0.06)


def test_the_reliability_diagram_is_refused_below_fifty_events_and_by_hand_above() -> None:
    event = np.concatenate([np.ones(49), np.zeros(400)])
    assert "49 events, at least 50" in str(reliability.refusal(event))
    assert "30 without the event" in str(reliability.refusal(np.concatenate([np.ones(400), np.zeros(30)])))
    assert reliability.refusal(np.concatenate([np.ones(50), np.zeros(50)])) is None
    probability = np.array([0.1] * 10 + [0.9] * 10)
    hits = np.array([1.0] + [0.0] * 9 + [1.0] * 8 + [0.0] * 2)
    low, high = reliability.curve(probability, hits, bins=2)
    assert (low["said"], low["came_true"], high["came_true"]) == pytest.approx((0.1, 0.1, 0.8))
    # Wilson's interval of 1 in 10, as published: 0.0179 to 0.4042.
    assert (low["low"], low["high"]) == pytest.approx((0.0179, 0.4042), abs=1e-4)


def test_intervals_draw_persons_and_are_wider_where_rows_of_a_person_are_alike() -> None:
    rng = np.random.default_rng(3)
    risk = rng.random(150)
    person = np.repeat(np.arange(150), 6)
    event = np.repeat((rng.random(150) < risk).astype(float), 6)

    def figures(rows: np.ndarray) -> dict[str, float]:
        return {"auroc": risk_metrics.auroc(np.repeat(risk, 6)[rows], event[rows])}

    grouped = risk_metrics.with_intervals(figures, person, 200, 1)["auroc"]
    alone = risk_metrics.with_intervals(figures, np.arange(900), 200, 1)["auroc"]
    assert grouped.value == alone.value
    assert None not in (grouped.low, grouped.high, alone.low, alone.high)
    assert float(grouped.high or 0) - float(grouped.low or 0) > 1.5 * (
        float(alone.high or 0) - float(alone.low or 0)
    )


def test_a_diagrams_intervals_know_of_persons() -> None:
    rng = np.random.default_rng(7)
    said = np.repeat(rng.random(200), 5)
    event = np.repeat((rng.random(200) < said[::5]).astype(float), 5)
    alone = risk_metrics.diagram(said, event, np.arange(1000), 200, 1)
    grouped = risk_metrics.diagram(said, event, np.repeat(np.arange(200), 5), 200, 1)
    width = [np.mean([row["high"] - row["low"] for row in rows]) for rows in (alone, grouped)]
    assert width[1] > 1.4 * width[0]
    assert all(row["low"] <= row["came_true"] <= row["high"] for row in grouped)
    # Nothing happened in the lowest tenth of these; it might have.
    none = risk_metrics.diagram(said, np.where(said > 0.2, event, 0.0), np.arange(1000), 50, 1)
    assert (none[0]["came_true"], none[0]["low"]) == (0.0, 0.0)
    assert none[0]["high"] > 0.02


def test_without_an_event_a_figure_says_so() -> None:
    said = np.full(30, 0.1)
    found = risk_metrics.with_intervals(
        lambda rows: risk_metrics.of_events(said[rows], np.zeros(30)[rows], 0.1), np.arange(30), 20, 1
    )
    assert found["auroc"].value is None
    assert "too few events" in found["auroc"].reason
    assert found["brier"].value == pytest.approx(0.01)


def test_the_threshold_keeps_the_budget_on_ties_too() -> None:
    said = np.array([0.9, 0.8, 0.8, 0.8, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0])
    assert risk_model.threshold_for(said, 0.1) == 0.9
    # Three equal scores at 0.8 would flag four of ten.
    assert risk_model.threshold_for(said, 0.3) == 0.9
    assert risk_model.threshold_for(said, 0.4) == 0.8
    assert risk_model.threshold_for(said, 0.05) is None


def test_the_number_of_events_chooses_the_calibration() -> None:
    rng = np.random.default_rng(4)
    many, few = rng.random(30_000), rng.random(300)
    # What is said is the square root of the truth.
    isotonic = risk_model.calibrate(many, (rng.random(len(many)) < many**2).astype(float))
    platt = risk_model.calibrate(few, (rng.random(len(few)) < few**2).astype(float))
    assert (isotonic.rule, platt.rule) == (risk_model.ISOTONIC, risk_model.PLATT)
    grid = np.linspace(0.1, 0.9, 9)
    assert isotonic.apply(grid) == pytest.approx(grid**2, abs=0.05)
    assert (np.diff(isotonic.apply(np.linspace(0, 1, 500))) >= 0).all()
    assert (np.diff(platt.apply(grid)) > 0).all()


def test_a_calibration_never_turns_the_order_round() -> None:
    rng = np.random.default_rng(6)
    raw = rng.random(200)
    wrong = (rng.random(200) < 1 - raw).astype(float)
    said = risk_model.calibrate(raw, wrong).apply(np.linspace(0.05, 0.95, 10))
    assert (np.diff(said) > 0).all()
    assert said.mean() == pytest.approx(wrong.mean(), abs=0.02)
